// The actor of one message queue: carries protocol.hpp's messages to the pure message_queue and its effects to
// consumers, publishers and the log. Spawned by the topology actor; pinned to an I/O thread.
#pragma once

#include <memory>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "broker/broker.hpp"
#include "broker/protocol.hpp"

namespace switchboard::broker {

struct queue_setup {
  std::string vhost;
  queue_spec spec;
  field_table effective; ///< arguments and policies together
  queue_number number = 0;
  std::weak_ptr<broker> owner; ///< dead letters are published there
  std::shared_ptr<durable_log> log;
  caf::actor topology;
  limits bounds;
  std::vector<queued> recovered; ///< from the log, in order
};

caf::actor spawn_queue(caf::actor_system& system, caf::execution_unit* home, queue_setup setup);

} // namespace switchboard::broker
