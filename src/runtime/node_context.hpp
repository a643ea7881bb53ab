// What every part of a running node may use: the one argument of bridges, services and supervisors. Owned by the node,
// outlives everything that gets it; members are thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <caf/actor_system.hpp>

#include "base/time.hpp"
#include "broker/alarms.hpp"
#include "broker/virtual_hosts.hpp"
#include "runtime/connections.hpp"
#include "runtime/directory.hpp"
#include "runtime/io_threads.hpp"
#include "runtime/metrics.hpp"
#include "runtime/served_names.hpp"

namespace switchboard::runtime {

struct node_context {
  caf::actor_system& system;
  io_threads& io;
  switchboard::clock& clock;
  broker::broker_ptr broker; ///< of the vhost "/", where services and actors live
  runtime::metrics& metrics;
  runtime::directory& directory;
  std::string node_name;
  /// All vhosts and who may use them; null only where there is no broker.
  broker::virtual_hosts* vhosts = nullptr;
  /// True from the first phase of shutdown on: no new work.
  std::atomic<bool> draining{false};
  runtime::connections connections{};
  /// While one is raised, nobody publishes. Never null.
  std::shared_ptr<broker::alarms> alarms = std::make_shared<broker::alarms>();

  /// What clients call the things that the hosted types offer.
  served_names served{};

  /// Why no new work should be sent here, if so: "draining", "alarm: memory, disk".
  std::optional<std::string> not_ready() const {
    if (draining)
      return "draining";
    const auto raised = alarms->raised();
    return raised.any() ? std::optional{"alarm: " + broker::names_of(raised)} : std::nullopt;
  }
};

} // namespace switchboard::runtime
