// The actor of one live entity: restores it from the store, lets the plugin decide one message after the other, commits
// each outcome, and lets its effects leave once they are durable, in order.
//
//   do_work --> decide (memory is ahead) --> submit --> … --> committed --> reply, events, messages, timers leave
//                 | failed                                       (one `committed` per submit, in order)
//                 v
//   reopen from the last good state; the request gets 500, anything else is tried again a few times; too often: parked
//
// Decisions don't wait for the commits before them; effects do.
#pragma once

#include <string>

#include "runtime/entity_hosts.hpp"

namespace switchboard::runtime {

/// Runs on CAF's scheduler. Started by entity_hosts only; `type` lives as long as the hosts.
live_entity spawn_entity_host(entity_hosts& hosts, const served_type& type, std::string id);

} // namespace switchboard::runtime
