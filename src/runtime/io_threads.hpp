// The I/O threads: each runs one Asio io_context and, on the same thread, the CAF actors pinned to it
// (broker/pinned_actor). Whoever starts pinned actors or sockets takes a home in turn.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <caf/actor_system.hpp>
#include <caf/execution_unit.hpp>

namespace switchboard::runtime {

/// CAF work on one io_context: exec_later posts the actor's resume to it. Thread-safe.
class asio_unit final : public caf::execution_unit {
public:
  asio_unit(caf::actor_system& system, boost::asio::io_context& context);
  void exec_later(caf::resumable* work) override;
  boost::asio::io_context& context() noexcept { return context_; }

private:
  boost::asio::io_context& context_;
};

class io_threads {
public:
  /// Starts `count` threads (at least 1). `system` outlives this object; destroy this before the system.
  io_threads(caf::actor_system& system, std::size_t count);
  ~io_threads(); ///< stop()

  std::size_t size() const noexcept { return homes_.size(); }
  asio_unit& home(std::size_t index) noexcept;
  asio_unit& next() noexcept; ///< round-robin; thread-safe
  std::vector<caf::execution_unit*> units();

  /// Ends the loops, joins, and runs what is ready by then on the calling thread. Call it again before the actor system
  /// goes if actors were told to end since. Actors still pinned here never run again: stop them first.
  void stop();

private:
  struct home_state;
  std::vector<std::unique_ptr<home_state>> homes_;
  std::atomic<std::size_t> turn_{0};
};

} // namespace switchboard::runtime
