// The actor behind an x-delayed-message exchange: a hidden queue in which delayed messages wait. It keeps them in the
// log itself and routes each one, when it is due, through the exchange with the bindings of that moment; in the log one
// goes as the others come. Spawned by the topology actor; pinned to an I/O thread.
#pragma once

#include <memory>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "broker/broker.hpp"
#include "broker/protocol.hpp"

namespace switchboard::broker {

struct delay_setup {
  exchange_spec spec;
  queue_number number = 0;
  std::weak_ptr<broker> owner; ///< due messages are published there
  std::shared_ptr<durable_log> log;
  caf::actor topology;           ///< passes our ticks on: see wake_queue
  std::vector<queued> recovered; ///< from the log
};

/// Takes enqueue_batch, inspect_queue and shut_queue.
caf::actor spawn_delay(caf::actor_system& system, caf::execution_unit* home, delay_setup setup);

} // namespace switchboard::broker
