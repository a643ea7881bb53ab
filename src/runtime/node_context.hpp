// What every part of a running node may use: the one argument of bridges, services and supervisors. Owned by the node,
// outlives everything that gets it; members are thread-safe.
#pragma once

#include <atomic>
#include <memory>

#include <caf/actor_system.hpp>

#include "base/time.hpp"
#include "broker/virtual_hosts.hpp"
#include "runtime/connections.hpp"
#include "runtime/directory.hpp"
#include "runtime/io_threads.hpp"
#include "runtime/metrics.hpp"

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
};

} // namespace switchboard::runtime
