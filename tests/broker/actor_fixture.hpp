// A real actor system whose pinned actors share one thread, a broker on a log that the test controls, and short words
// for asking its actors. Every question has an end: a broker that doesn't answer fails the test.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <caf/actor_registry.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/execution_unit.hpp>
#include <caf/intrusive_ptr.hpp>
#include <caf/resumable.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "broker/broker.hpp"
#include "broker/errors.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/publisher.hpp"
#include "messages/properties.hpp"
#include "tests/support/controlled_log.hpp"

namespace switchboard::test {

/// For the actor of a fixture: do this where pinned actors run.
struct job {
  std::function<void(caf::event_based_actor*)> what;
};
struct job_done {};

} // namespace switchboard::test

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::test::job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::test::job_done)

namespace switchboard::test {

using namespace broker;
using namespace std::chrono_literals;

inline constexpr auto deadline = 20s;

/// Runs actors one after the other on its own thread.
class thread_home final : public caf::execution_unit {
public:
  explicit thread_home(caf::actor_system& system) : caf::execution_unit(&system), thread_{[this] { run(); }} {}
  ~thread_home() {
    {
      std::lock_guard guard{mutex_};
      stopped_ = true;
    }
    rung_.notify_one();
    thread_.join();
  }
  void exec_later(caf::resumable* work) override {
    {
      std::lock_guard guard{mutex_};
      work_.emplace_back(work, false);
    }
    rung_.notify_one();
  }

private:
  void run() {
    for (;;) {
      caf::intrusive_ptr<caf::resumable> next;
      {
        std::unique_lock lock{mutex_};
        rung_.wait(lock, [this] { return stopped_ || !work_.empty(); });
        if (stopped_)
          return;
        next = std::move(work_.front());
        work_.pop_front();
      }
      if (next->resume(this, 100) == caf::resumable::resume_later)
        exec_later(next.detach());
    }
  }

  std::mutex mutex_;
  std::condition_variable rung_;
  std::deque<caf::intrusive_ptr<caf::resumable>> work_;
  bool stopped_ = false;
  std::thread thread_; // last: it uses the others
};

/// Runs the jobs it is sent; the `self` of publishers.
class worker final : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  std::vector<std::uint64_t> taken; ///< tokens of enqueued
  caf::behavior make_behavior() override {
    return {
        [this](const job& todo) {
          todo.what(this);
          return job_done{};
        },
        [this](const enqueued& what) { taken.push_back(what.token); },
    };
  }
};

class broker_actors : public testing::Test {
protected:
  explicit broker_actors(limits bounds = {}) : bounds_(bounds) { start(); }
  ~broker_actors() override {
    log->let_go();
    stop();
    self.reset();
    system.await_all_actors_done(); // an actor that somebody forgot to let go of is a hang here
    home.reset();
  }

  void start() {
    auto started = broker::broker::start(system, {home.get()}, log, bounds_);
    ASSERT_TRUE(started) << started.error().what;
    node = *started;
  }
  /// As a node that stops in order.
  void stop() {
    if (!node)
      return;
    self->monitor(node->topology());
    caf::anon_send_exit(node->topology(), caf::exit_reason::user_shutdown);
    self->receive([](const caf::down_msg&) {});
    node.reset();
  }
  void restart() {
    stop();
    start();
  }

  /// Answer of an actor, or the error it gave.
  template <class Answer, class Question>
  expected<Answer> ask(const caf::actor& whom, Question what) {
    expected<Answer> result{errc::internal, "no answer"};
    self->request(whom, deadline, std::move(what))
        .receive([&](Answer& answer) { result = std::move(answer); },
                 [&](const caf::error& why) { result = from_caf(why); });
    return result;
  }
  queue_ptr declare(queue_spec spec) {
    if (spec.owner.empty())
      spec.owner = "test";
    auto made = ask<queue_ok>(node->topology(), declare_queue{std::move(spec), false});
    EXPECT_TRUE(made) << made.error().what;
    return made ? made->queue : nullptr;
  }
  queue_ptr durable_queue(std::string name) {
    queue_spec spec;
    spec.name = std::move(name);
    spec.durable = true;
    return declare(std::move(spec));
  }
  queue_ptr transient_queue(std::string name) {
    queue_spec spec;
    spec.name = std::move(name);
    return declare(std::move(spec));
  }
  queue_status status(const queue_ptr& queue) {
    auto found = ask<queue_status>(queue->actor, inspect_queue{});
    EXPECT_TRUE(found) << found.error().what;
    return found ? *found : queue_status{};
  }

  static message_ptr a_message(std::string_view body, std::string_view key = "q", bool persistent = false,
                               std::string_view exchange = "") {
    basic_properties properties;
    if (persistent)
      properties.delivery_mode = 2;
    return make_message(exchange, key, encode_properties(properties), body, persistent);
  }

  /// Into the queue, past routes and log.
  void enqueue(const queue_ptr& queue, std::vector<std::string> bodies, std::uint64_t token = 0) {
    enqueue_batch batch;
    for (const auto& body : bodies)
      batch.items.push_back({a_message(body, queue->name), 0, false});
    if (token != 0)
      batch.publisher = caf::actor_cast<caf::actor>(self->address());
    batch.token = token;
    self->send(queue->actor, std::move(batch));
  }
  start_consumer a_consumer(consumer_key key, std::uint32_t prefetch = 0, bool no_ack = false) {
    start_consumer what;
    what.consumer = caf::actor_cast<caf::actor>(self->address());
    what.key = key;
    what.prefetch = prefetch;
    what.no_ack = no_ack;
    return what;
  }
  void settle_up_to(const queue_ptr& queue, consumer_key key, delivery_number last, verdict what = verdict::ack,
                    delivery_number first = 1) {
    self->send(queue->actor, settle{self->id(), key, first, last, what});
  }
  /// The next `count` messages that come to this test; "!" before those that come again.
  std::vector<std::string> receive(std::size_t count) {
    std::vector<std::string> bodies;
    bool late = false;
    while (bodies.size() < count && !late)
      self->receive(
          [&](deliver& what) {
            for (const auto& item : what.items)
              bodies.push_back((item.redelivered ? "!" : "") + std::string{item.message->body()});
          },
          caf::after(deadline) >> [&] { late = true; });
    EXPECT_FALSE(late) << "only " << bodies.size() << " of " << count << " came";
    return bodies;
  }
  /// True if a message of that type has come already.
  template <class Message>
  bool has_come() {
    bool came = false;
    self->receive([&](const Message&) { came = true; }, caf::after(0ms) >> [] {});
    return came;
  }
  template <class Message>
  Message next() {
    Message found;
    bool late = false;
    self->receive([&](Message& what) { found = std::move(what); }, caf::after(deadline) >> [&] { late = true; });
    EXPECT_FALSE(late) << "it did not come";
    return found;
  }
  /// Runs on the actors' thread, as `who`.
  void on(const caf::actor& who, std::function<void(caf::event_based_actor*)> what) {
    ASSERT_TRUE(ask<job_done>(who, job{std::move(what)}));
  }
  caf::actor spawn_worker() { return system.spawn<worker>(static_cast<caf::execution_unit*>(home.get())); }

  caf::actor_system_config config;
  caf::actor_system system{config};
  std::unique_ptr<thread_home> home = std::make_unique<thread_home>(system);
  std::shared_ptr<controlled_log> log = std::make_shared<controlled_log>();
  std::optional<caf::scoped_actor> held_self{std::in_place, system};
  broker_ptr node;

  /// `self->` as everywhere with CAF.
  struct self_handle {
    std::optional<caf::scoped_actor>& held;
    caf::scoped_actor& operator->() const { return *held; }
    void reset() const { held.reset(); }
  } self{held_self};

private:
  limits bounds_;
};

} // namespace switchboard::test
