// Throws away what nobody needs any more: stored replies past their window, old journal records. Once a minute.
#pragma once

#include <memory>

#include <caf/actor.hpp>

#include "runtime/node_context.hpp"
#include "store/store.hpp"

namespace switchboard::runtime {

caf::actor spawn_housekeeper(node_context& node, std::shared_ptr<store::environment> store,
                             milliseconds journal_window);

} // namespace switchboard::runtime
