#include "runtime/timer_service.hpp"

#include <algorithm>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>

#include "runtime/bounded_actor.hpp"

namespace switchboard::runtime {

struct look_at_clock {
  std::uint64_t alarm = 0; ///< 0: asked for; else set by the actor, stale if a newer one was set
};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::look_at_clock)

namespace switchboard::runtime {

namespace {

/// Wall clocks jump (suspend, NTP), CAF's doesn't: so look at least this often.
constexpr milliseconds sleep_max = std::chrono::seconds{10};

class timer_actor final : public bounded_actor {
public:
  timer_actor(caf::actor_config& config, node_context& node, timer_table& table,
              const std::function<void(armed_timer)>& fire)
      : bounded_actor(config, {}, node.directory.enter("/timers", "timers", node.clock.now())), clock_(node.clock),
        table_(table), fire_(fire) {}

  caf::behavior make_behavior() override {
    send<caf::message_priority::high>(this, look_at_clock{});
    return {[this](const look_at_clock& what) {
      if (what.alarm == 0 || what.alarm == alarm_)
        look();
    }};
  }

private:
  void look() {
    for (auto& timer : table_.take_due(clock_.now()))
      fire_(std::move(timer));
    const auto due = table_.next_due();
    if (!due)
      return;
    const auto wait = std::clamp(*due - clock_.now(), milliseconds{0}, sleep_max);
    delayed_send<caf::message_priority::high>(this, wait, look_at_clock{++alarm_});
  }

  const switchboard::clock& clock_;
  timer_table& table_;
  const std::function<void(armed_timer)>& fire_;
  std::uint64_t alarm_ = 0;
};

} // namespace

timer_service::timer_service(node_context& node, std::function<void(armed_timer)> fire)
    : node_(node), fire_(std::move(fire)) {}

caf::actor timer_service::spawn() {
  auto made = node_.system.spawn<timer_actor>(node_, table_, fire_);
  const std::lock_guard hold{mutex_};
  actor_ = made;
  return made;
}

void timer_service::arm(armed_timer timer) {
  if (table_.arm(std::move(timer)))
    wake();
}

void timer_service::wake() {
  caf::actor to;
  {
    const std::lock_guard hold{mutex_};
    to = actor_;
  }
  if (to)
    caf::anon_send<caf::message_priority::high>(to, look_at_clock{});
}

} // namespace switchboard::runtime
