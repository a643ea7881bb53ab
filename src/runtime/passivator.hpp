// Lets entities that have nothing to do leave memory; the next message brings them back from the store. One actor looks
// at all of them, since a timer for each would keep it in memory, even ended, until the timer is due. Each takes about
// 7 KiB: when there are very many, those idle for a few seconds leave too, so that a flood of calls can't take all
// memory.
#pragma once

#include <caf/actor.hpp>

#include "runtime/entity_hosts.hpp"

namespace switchboard::runtime {

/// Looks every entity_limits::idle; above entity_limits::resident_max every crowded_idle.
caf::actor spawn_passivator(entity_hosts& hosts);

} // namespace switchboard::runtime
