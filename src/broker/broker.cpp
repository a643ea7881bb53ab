#include "broker/broker.hpp"

#include <future>

#include "broker/queue_actor.hpp"
#include "broker/topology_actor.hpp"

namespace switchboard::broker {

expected<std::shared_ptr<broker>> broker::start(caf::actor_system& system, homes where,
                                                std::shared_ptr<durable_log> log, limits bounds) {
  std::vector<topology_record> records;
  expected<void> intact;
  auto read = log->each_topology([&](std::string_view key, std::string_view bytes) {
    auto record = decode_record(key, bytes);
    if (record)
      records.push_back(std::move(*record));
    else if (intact)
      intact = record.error();
  });
  if (!read)
    return read.error();
  if (!intact)
    return intact.error();
  if (auto dropped = drop_pages(*log); !dropped)
    return dropped.error();
  return start(system, std::move(where), std::move(log), bounds, "/", std::move(records));
}

expected<std::shared_ptr<broker>> broker::start(caf::actor_system& system, homes where,
                                                std::shared_ptr<durable_log> log, limits bounds, std::string vhost,
                                                std::vector<topology_record> records) {
  auto made = std::make_shared<broker>();
  made->vhost_ = std::move(vhost);
  made->log_ = log;
  made->bounds_ = bounds;
  std::promise<expected<void>> restored;
  made->topology_ =
      spawn_topology(system, {made, std::move(log), std::move(where), bounds, made->vhost_, std::move(records)},
                     [&](expected<void> outcome) { restored.set_value(std::move(outcome)); });
  if (auto outcome = restored.get_future().get(); !outcome)
    return outcome.error();
  return made;
}

} // namespace switchboard::broker
