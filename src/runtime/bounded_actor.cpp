#include "runtime/bounded_actor.hpp"

#include <caf/system_messages.hpp>

#include "broker/errors.hpp"

namespace switchboard::runtime {

bounded_actor::bounded_actor(caf::actor_config& config, lane_policy policy, std::shared_ptr<actor_card> card)
    : caf::event_based_actor(config), policy_(policy), card_(std::move(card)) {
  set_default_handler(caf::drop); // CAF's own prints whole messages
}

std::size_t bounded_actor::waiting() const noexcept {
  const auto depth = card_->mailbox.load(std::memory_order_relaxed);
  return depth > 0 ? static_cast<std::size_t>(depth) : 0;
}

bool bounded_actor::in_user_lane(const caf::mailbox_element& what) {
  if (what.mid.is_response() || !what.mid.is_normal_message())
    return false;
  const auto& content = what.content();
  return !content.match_elements<caf::exit_msg>() && !content.match_elements<caf::down_msg>() &&
         !content.match_elements<caf::timeout_msg>() && !content.match_elements<caf::error>();
}

void bounded_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* on) {
  if (!in_user_lane(*what))
    return caf::event_based_actor::enqueue(std::move(what), on);
  // Counted before it is looked at, so that many senders at once can't pass the bound together.
  if (card_->mailbox.fetch_add(1, std::memory_order_relaxed) < static_cast<std::int64_t>(policy_.user_max))
    return caf::event_based_actor::enqueue(std::move(what), on);
  card_->mailbox.fetch_sub(1, std::memory_order_relaxed);
  if (what->mid.is_request()) {
    if (what->sender)
      what->sender->enqueue(nullptr, what->mid.response_id(),
                            caf::make_message(broker::to_caf({errc::unavailable, card_->path + " has too much to do"})),
                            on);
  } else if (policy_.when_full == mailbox_overflow::reject) {
    on_refused(*what);
  }
}

caf::invoke_message_result bounded_actor::consume(caf::mailbox_element& what) {
  const bool counted = in_user_lane(what);
  const auto result = caf::event_based_actor::consume(what);
  if (result != caf::invoke_message_result::skipped) {
    card_->mailbox.fetch_sub(counted ? 1 : 0, std::memory_order_relaxed);
    card_->handled.fetch_add(1, std::memory_order_relaxed);
  }
  return result;
}

void bounded_actor::on_refused(caf::mailbox_element&) {}

} // namespace switchboard::runtime
