// What every part of a running node may use: the one argument of bridges, services and supervisors. Owned by the node,
// outlives everything that gets it; members are thread-safe.
#pragma once

#include <atomic>
#include <memory>

#include <caf/actor_system.hpp>

#include "base/time.hpp"
#include "broker/broker.hpp"
#include "runtime/directory.hpp"
#include "runtime/io_threads.hpp"
#include "runtime/metrics.hpp"

namespace switchboard::runtime {

struct node_context {
  caf::actor_system& system;
  io_threads& io;
  switchboard::clock& clock;
  broker::broker_ptr broker;
  runtime::metrics& metrics;
  runtime::directory& directory;
  std::string node_name;
  /// True from the first phase of shutdown on: no new work.
  std::atomic<bool> draining{false};
};

} // namespace switchboard::runtime
