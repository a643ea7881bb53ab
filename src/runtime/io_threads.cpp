#include "runtime/io_threads.hpp"

#include <algorithm>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/resumable.hpp>

#include "runtime/actor_threads.hpp"

namespace switchboard::runtime {

namespace {

/// Messages one actor may handle before the others of the thread get their turn.
constexpr std::size_t throughput_max = 100;

/// Runs one actor for a while. Owns the reference that came with it, so that work left over when the loop ends is let
/// go instead of leaking.
struct resume_job {
  asio_unit* home;
  caf::intrusive_ptr<caf::resumable> work;

  void operator()() {
    switch (work->resume(home, throughput_max)) {
    case caf::resumable::resume_later:
      home->exec_later(work.detach());
      break;
    case caf::resumable::awaiting_message: // whoever sends it the next message brings it back
    case caf::resumable::done:
    case caf::resumable::shutdown_execution_unit:
      break;
    }
  }
};

} // namespace

asio_unit::asio_unit(caf::actor_system& system, boost::asio::io_context& context)
    : caf::execution_unit(&system), context_(context) {}

void asio_unit::exec_later(caf::resumable* work) {
  boost::asio::post(context_, resume_job{this, caf::intrusive_ptr<caf::resumable>{work, false}});
}

struct io_threads::home_state {
  explicit home_state(caf::actor_system& system) : unit(system, context), busy(context.get_executor()) {}

  boost::asio::io_context context{1};
  asio_unit unit;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy;
  std::thread thread;
};

io_threads::io_threads(caf::actor_system& system, std::size_t count) {
  for (std::size_t index = 0; index < std::max<std::size_t>(count, 1); ++index)
    homes_.push_back(std::make_unique<home_state>(system));
  for (auto& home : homes_)
    home->thread = std::thread{[context = &home->context] {
      mark_actor_thread();
      context->run();
    }};
}

io_threads::~io_threads() { stop(); }

asio_unit& io_threads::home(std::size_t index) noexcept { return homes_[index % homes_.size()]->unit; }

asio_unit& io_threads::next() noexcept { return home(turn_.fetch_add(1, std::memory_order_relaxed)); }

std::vector<caf::execution_unit*> io_threads::units() {
  std::vector<caf::execution_unit*> all;
  for (auto& home : homes_)
    all.push_back(&home->unit);
  return all;
}

void io_threads::stop() {
  for (auto& home : homes_)
    home->context.stop();
  for (auto& home : homes_)
    if (home->thread.joinable())
      home->thread.join();
  // Actors told to end meanwhile have their last job waiting, and its last words may be for an actor of another home.
  // All of it must run while their system and home still stand.
  for (bool ran = true; ran;) {
    ran = false;
    for (auto& home : homes_) {
      home->context.restart();
      ran = home->context.poll() > 0 || ran;
    }
  }
}

} // namespace switchboard::runtime
