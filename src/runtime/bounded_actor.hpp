// An actor with a bounded mailbox: CAF's own grows without end. Two lanes: the user lane (ordinary messages and
// requests) has a bound and a named answer to "full"; the control lane (down, exit, timeouts, answers, errors, whatever
// was sent with high priority) is never dropped, since a lost control message is a lost actor.
#pragma once

#include <cstddef>
#include <memory>

#include <caf/event_based_actor.hpp>

#include "runtime/directory.hpp"

namespace switchboard::runtime {

/// What happens to a message that finds the user lane full. Either way a request is answered at once with
/// errc::unavailable, so no caller waits for its timeout.
enum class mailbox_overflow {
  reject,   ///< the sender is told through on_refused()
  drop_new, ///< the message is thrown away
};

struct lane_policy {
  std::size_t user_max = 10'000; ///< messages waiting in the user lane
  mailbox_overflow when_full = mailbox_overflow::reject;
};

/// Derive, implement make_behavior(). The depth of the user lane stands in the directory card.
class bounded_actor : public caf::event_based_actor {
public:
  /// `card` must not be null.
  bounded_actor(caf::actor_config& config, lane_policy policy, std::shared_ptr<actor_card> card);

  using caf::event_based_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* on) override;

  actor_card& card() const noexcept { return *card_; }
  /// Messages waiting in the user lane. Thread-safe.
  std::size_t waiting() const noexcept;

  /// True if the message belongs to the lane that may be refused.
  static bool in_user_lane(const caf::mailbox_element& what);

protected:
  using caf::event_based_actor::consume;
  caf::invoke_message_result consume(caf::mailbox_element& what) override;

  /// Under mailbox_overflow::reject: an ordinary message (no request) was refused. Runs on the sender's thread, so it
  /// may touch nothing of this actor that is not thread-safe. The default does nothing.
  virtual void on_refused(caf::mailbox_element& what);

private:
  const lane_policy policy_;
  const std::shared_ptr<actor_card> card_;
};

} // namespace switchboard::runtime
