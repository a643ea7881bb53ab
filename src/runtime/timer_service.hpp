// The clockwork of all entity timers: one actor that wakes for the earliest one and hands what is due to `fire`. Timers
// that came due while the node was down fire at once.
#pragma once

#include <functional>
#include <memory>

#include <caf/actor.hpp>

#include "runtime/node_context.hpp"
#include "runtime/timer_table.hpp"

namespace switchboard::runtime {

/// Thread-safe. Outlives the actor.
class timer_service {
public:
  /// `fire` runs in the actor; it must not block.
  timer_service(node_context& node, std::function<void(armed_timer)> fire);

  /// The actor; after it failed, call again. For the supervisor.
  caf::actor spawn();

  timer_table& table() noexcept { return table_; }
  /// Arms and wakes the actor if it must wake earlier now.
  void arm(armed_timer timer);
  /// Look at the clock now: it was moved, or timers were put into the table.
  void wake();

private:
  node_context& node_;
  std::function<void(armed_timer)> fire_;
  timer_table table_;
  std::mutex mutex_;
  caf::actor actor_; ///< under mutex_
};

} // namespace switchboard::runtime
