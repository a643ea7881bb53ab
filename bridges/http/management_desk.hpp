// The actor that carries out requests to the management API: asks topologies, queues and sessions, changes the access
// rules, and answers. One per node, on CAF's workers: making a vhost waits for the I/O threads.
#pragma once

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "bridges/http/management_call.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::http {

struct management_ask {
  call_ptr call;
};

caf::actor spawn_management_desk(runtime::node_context& node);

} // namespace switchboard::http

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::http::management_ask)
