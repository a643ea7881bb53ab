#include "broker/delay_actor.hpp"

#include <algorithm>
#include <chrono>

#include <caf/send.hpp>

#include "broker/delayed_messages.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/publisher.hpp"
#include "broker/queue_actor.hpp"

namespace switchboard::broker {

/// From a delay actor to itself.
struct due_tick {
  time_point armed; ///< which arming this is; a later one makes it void
};

} // namespace switchboard::broker

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::due_tick)

namespace switchboard::broker {

namespace {

using namespace std::chrono_literals;

/// What a wait is kept below; longer ones are armed again. A wall clock that is set shows by then.
constexpr milliseconds wait_max = 10s;
/// How long due messages wait for the routes while the broker still starts.
constexpr milliseconds startup_wait = 20ms;
/// Due messages that go in one transaction; between two of them others get a turn.
constexpr std::size_t release_count_max = 1000;

class delay_actor final : public pinned_actor {
public:
  delay_actor(caf::actor_config& config, caf::execution_unit* home, delay_setup setup)
      : pinned_actor(config, home), setup_(std::move(setup)) {
    for (auto& item : setup_.recovered) {
      // One that another transaction put here and that we had not seen when the node stopped begins to wait now.
      const auto due = due_time_of(*item.message);
      waiting_.add(due ? *due : clock_.now() + delay_of(*item.message).value_or(0ms),
                   {std::move(item.message), item.at});
    }
    setup_.recovered.clear();
  }

  label handler_label() const override { return {"/exchanges/" + setup_.spec.name, "delay_exchange"}; }

  caf::behavior make_behavior() override {
    arm();
    return {
        [this](enqueue_batch& batch) { on_enqueue(batch); },
        [this](due_tick tick) {
          if (tick.armed == armed_)
            release();
        },
        [this](const inspect_queue&) -> queue_status {
          return {waiting_.size(), 0, waiting_.bytes(), 0};
        },
        [this](const shut_queue& why) { on_shut(why.stopping); },
    };
  }

private:
  /// A publisher is told once the log has synced: its confirm says that the message will come.
  void on_enqueue(enqueue_batch& batch) {
    const auto now = clock_.now();
    auto changes = setup_.spec.durable ? setup_.log->begin() : nullptr;
    auto next = changes ? setup_.log->take_positions(batch.items.size()) : position{0};
    for (auto& item : batch.items) {
      const auto due = now + delay_of(*item.message).value_or(0ms);
      if (!changes) {
        waiting_.add(due, {std::move(item.message), 0});
        continue;
      }
      auto kept = with_due_time(*item.message, due);
      changes->put_message(setup_.number, next, kept);
      if (item.at) // as another transaction put it here
        changes->delete_message(setup_.number, item.at);
      waiting_.add(due, {std::move(kept), next++});
    }
    enqueued answer{setup_.number, batch.token, {}};
    if (changes)
      setup_.log->commit(std::move(changes), [to = std::move(batch.publisher), answer = std::move(answer)] {
        if (to)
          caf::anon_send(to, answer);
      });
    else if (batch.publisher)
      send(batch.publisher, std::move(answer));
    arm();
  }

  void release() {
    armed_ = {};
    auto owner = setup_.owner.lock();
    if (!owner || !owner->routes())
      return arm(startup_wait);
    auto due = waiting_.take_due(clock_.now(), release_count_max);
    if (!due.empty()) {
      auto changes = setup_.log->begin();
      publisher out{owner};
      out.begin();
      bool durable = false;
      for (const auto& item : due) {
        out.publish_from(setup_.spec.name, without_delay(*item.message), *changes);
        if (item.at == 0)
          continue;
        durable = true;
        changes->delete_message(setup_.number, item.at);
      }
      auto letters = out.take();
      if (durable || letters.durable())
        setup_.log->commit(std::move(changes), {});
      letters.send();
    }
    arm();
  }

  void arm(milliseconds at_least = 0ms) {
    const auto next = waiting_.next();
    if (!next || (armed_ != time_point{} && armed_ <= *next))
      return;
    const auto now = clock_.now();
    const auto wait = std::clamp<milliseconds>(*next - now, at_least, wait_max);
    armed_ = now + wait;
    caf::delayed_anon_send(setup_.topology, wait, wake_queue{address(), caf::make_message(due_tick{armed_})});
  }

  void on_shut(bool stopping) {
    waiting_ = {};
    if (stopping)
      return quit();
    forget_stored(); // behind all that was put so far
    become(after_life());
  }

  /// Who routes by a snapshot of a moment ago still gets its answer.
  caf::behavior after_life() {
    return {
        [this](enqueue_batch& batch) {
          if (setup_.spec.durable)
            forget_stored();
          if (batch.publisher)
            send(batch.publisher, enqueued{setup_.number, batch.token, {}});
        },
        [](due_tick) {},
        [](const inspect_queue&) { return queue_status{}; },
        [this](const shut_queue& why) {
          if (why.stopping)
            quit();
        },
    };
  }

  void forget_stored() {
    if (!setup_.spec.durable)
      return;
    auto changes = setup_.log->begin();
    changes->delete_queue_messages(setup_.number);
    setup_.log->commit(std::move(changes), {});
  }

  delay_setup setup_;
  system_clock clock_;
  delayed_messages waiting_;
  time_point armed_{}; ///< when the tick comes; zero: none is on its way
};

} // namespace

caf::actor spawn_delay(caf::actor_system& system, caf::execution_unit* home, delay_setup setup) {
  return system.spawn<delay_actor>(home, std::move(setup));
}

} // namespace switchboard::broker
