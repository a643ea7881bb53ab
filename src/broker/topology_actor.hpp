// The one actor that changes topology: carries declares, binds and deletes to the pure `topology`, writes what is
// durable, starts and stops queue actors, and swaps the routes everybody publishes by. It answers once the change is on
// disk.
#pragma once

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "broker/broker.hpp"
#include "broker/topology.hpp"

namespace switchboard::broker {

struct topology_setup {
  std::weak_ptr<broker> owner;
  std::shared_ptr<durable_log> log;
  homes where;
  limits bounds;
  std::string vhost;
  std::vector<topology_record> records; ///< of this vhost, from the log
};

/// Pinned to the first home. Restores what the log holds before it answers anybody; `restored` then gets the outcome.
caf::actor spawn_topology(caf::actor_system& system, topology_setup setup,
                          std::function<void(expected<void>)> restored);

} // namespace switchboard::broker
