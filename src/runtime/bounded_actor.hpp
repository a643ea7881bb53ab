// An actor with a bounded mailbox: CAF's own grows without end. Two lanes: the user lane (ordinary messages and
// requests) has a bound and a named answer to "full"; the control lane (down, exit, timeouts, answers, errors, whatever
// was sent with high priority) is never dropped, since a lost control message is a lost actor.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include <caf/event_based_actor.hpp>

#include "base/handler_section.hpp"
#include "base/time.hpp"
#include "runtime/directory.hpp"

namespace switchboard::runtime {

/// What happens when a message finds the user lane full. In every case a request that will not be handled is answered
/// at once with errc::unavailable, so no caller waits for its timeout.
enum class mailbox_overflow {
  reject,   ///< the sender is told through on_refused()
  drop_new, ///< the message is thrown away
  drop_old, ///< the one that has waited longest is thrown away, and the message takes its place
  block,    ///< the sender's thread waits for room, at most lane_policy::wait_max; then as reject. A thread that runs
            ///< actors (runtime/actor_threads.hpp, or CAF says so by its execution unit) never waits: as reject
  stop,     ///< as reject, and the actor ends with errc::unavailable: its supervisor decides what next
};

struct lane_policy {
  std::size_t user_max = 10'000; ///< messages waiting in the user lane; at least 1
  mailbox_overflow when_full = mailbox_overflow::reject;
  milliseconds wait_max{1000}; ///< block: longest wait of one sender
};

/// Derive, implement make_behavior(). The depth of the user lane stands in the directory card; with drop_old without
/// the message at work, else with it.
class bounded_actor : public caf::event_based_actor, public watched_handler {
public:
  /// `card` must not be null.
  bounded_actor(caf::actor_config& config, lane_policy policy, std::shared_ptr<actor_card> card);
  ~bounded_actor() override;

  using caf::event_based_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* on) override;

  actor_card& card() const noexcept { return *card_; }
  /// Messages waiting in the user lane. Thread-safe.
  std::size_t waiting() const noexcept;

  /// True if the message belongs to the lane that may be refused.
  static bool in_user_lane(const caf::mailbox_element& what);

  label handler_label() const override { return {card_->path, card_->kind}; }

protected:
  using caf::event_based_actor::consume;
  caf::invoke_message_result consume(caf::mailbox_element& what) override;
  bool cleanup(caf::error&& why, caf::execution_unit* on) override;

  /// Under reject, block and stop: an ordinary message (no request) was refused. Runs on the sender's thread, so it
  /// may touch nothing of this actor that is not thread-safe. The default does nothing.
  virtual void on_refused(caf::mailbox_element& what);

private:
  class waiting_room;
  class replaceable_lane;

  void refuse(caf::mailbox_element& what, caf::execution_unit* on);
  void replace_oldest(caf::mailbox_element_ptr what, caf::execution_unit* on);
  caf::invoke_message_result consume_oldest();
  caf::invoke_message_result handle(caf::mailbox_element& what);

  const lane_policy policy_;
  const std::shared_ptr<actor_card> card_;
  const std::unique_ptr<waiting_room> room_;     ///< block only
  const std::unique_ptr<replaceable_lane> lane_; ///< drop_old only
  std::atomic<bool> ending_{false};              ///< stop: the exit message is on its way
};

} // namespace switchboard::runtime
