#include "broker/broker.hpp"

#include <future>

#include "broker/topology_actor.hpp"

namespace switchboard::broker {

expected<std::shared_ptr<broker>> broker::start(caf::actor_system& system, homes where,
                                                std::shared_ptr<durable_log> log, limits bounds) {
  auto made = std::make_shared<broker>();
  made->log_ = log;
  made->bounds_ = bounds;
  std::promise<expected<void>> restored;
  made->topology_ = spawn_topology(system, {made, std::move(log), std::move(where), bounds},
                                   [&](expected<void> outcome) { restored.set_value(std::move(outcome)); });
  if (auto outcome = restored.get_future().get(); !outcome)
    return outcome.error();
  return made;
}

} // namespace switchboard::broker
