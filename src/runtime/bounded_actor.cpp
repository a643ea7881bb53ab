// Map of this file: where senders wait (block) -- the lane whose oldest can go (drop_old) -- a message comes -- it is
// handled.
#include "runtime/bounded_actor.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/send.hpp>
#include <caf/system_messages.hpp>

#include "broker/errors.hpp"
#include "runtime/actor_threads.hpp"

namespace switchboard::runtime {

/// Goes through CAF's mailbox, which nothing can be taken out of, for each message of a replaceable_lane.
struct lane_token {};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::lane_token)

namespace switchboard::runtime {

namespace {

caf::error too_much(const actor_card& card) {
  return broker::to_caf({errc::unavailable, card.path + " has too much to do"});
}

void answer(caf::mailbox_element& what, caf::error why, caf::execution_unit* on) {
  if (what.sender)
    what.sender->enqueue(nullptr, what.mid.response_id(), caf::make_message(std::move(why)), on);
}

} // namespace

// -- where senders wait -----------------------------------------------------------------------------------------------

class bounded_actor::waiting_room {
public:
  /// True once `take_place` was; false if `most` was over first. Returns at once when the actor has ended, true: CAF
  /// answers what it gets then.
  template <class Take>
  bool wait(milliseconds most, Take&& take_place) {
    std::unique_lock hold{mutex_};
    return free_.wait_for(hold, most, [&] { return closed_ || take_place(); });
  }
  void place_is_free() {
    const std::lock_guard hold{mutex_}; // or it comes between a sender's look and its sleep
    free_.notify_one();
  }
  void close() {
    const std::lock_guard hold{mutex_};
    closed_ = true;
    free_.notify_all();
  }

private:
  std::mutex mutex_;
  std::condition_variable free_;
  bool closed_ = false;
};

// -- the lane whose oldest can go -------------------------------------------------------------------------------------

class bounded_actor::replaceable_lane {
public:
  replaceable_lane(std::size_t most, actor_card& card) : most_(most), card_(card) {}

  struct entered {
    caf::mailbox_element_ptr removed; ///< the oldest: its token stands for the new one
    bool closed = false;              ///< then `removed` is what came
  };
  entered enter(caf::mailbox_element_ptr what) {
    const std::lock_guard hold{mutex_};
    if (closed_)
      return {std::move(what), true};
    items_.push_back(std::move(what));
    if (items_.size() > most_)
      return {take(), false};
    tell_depth();
    return {};
  }
  caf::mailbox_element_ptr next() {
    const std::lock_guard hold{mutex_};
    return items_.empty() ? nullptr : take();
  }
  void put_back(caf::mailbox_element_ptr what) {
    const std::lock_guard hold{mutex_};
    items_.push_front(std::move(what));
    tell_depth();
  }
  std::deque<caf::mailbox_element_ptr> close() {
    const std::lock_guard hold{mutex_};
    closed_ = true;
    return std::exchange(items_, {});
  }

private:
  void tell_depth() { card_.mailbox.store(static_cast<std::int64_t>(items_.size()), std::memory_order_relaxed); }
  caf::mailbox_element_ptr take() {
    auto oldest = std::move(items_.front());
    items_.pop_front();
    tell_depth();
    return oldest;
  }

  const std::size_t most_;
  actor_card& card_;
  std::mutex mutex_;
  std::deque<caf::mailbox_element_ptr> items_; ///< oldest first
  bool closed_ = false;
};

// -- a message comes --------------------------------------------------------------------------------------------------

bounded_actor::bounded_actor(caf::actor_config& config, lane_policy policy, std::shared_ptr<actor_card> card)
    : caf::event_based_actor(config), policy_(policy), card_(std::move(card)),
      room_(policy.when_full == mailbox_overflow::block ? std::make_unique<waiting_room>() : nullptr),
      lane_(policy.when_full == mailbox_overflow::drop_old ? std::make_unique<replaceable_lane>(policy.user_max, *card_)
                                                           : nullptr) {
  set_default_handler(caf::drop); // CAF's own prints whole messages
  // And so does its handler of exceptions. The supervisor logs what they say.
  set_exception_handler([this](std::exception_ptr& what) -> caf::error {
    try {
      std::rethrow_exception(what);
    } catch (const std::exception& why) {
      return broker::to_caf({errc::internal, card_->path + ": " + why.what()});
    } catch (...) {
      return broker::to_caf({errc::internal, card_->path + " threw something unknown"});
    }
  });
}

bounded_actor::~bounded_actor() = default;

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
  if (lane_)
    return replace_oldest(std::move(what), on);
  const auto enter = [this] { return card_->take_place(policy_.user_max); };
  if (enter() || (room_ && !on && !runs_actors() && room_->wait(policy_.wait_max, enter)))
    return caf::event_based_actor::enqueue(std::move(what), on);
  refuse(*what, on);
  if (policy_.when_full == mailbox_overflow::stop && !ending_.exchange(true))
    caf::anon_send<caf::message_priority::high>(caf::actor_cast<caf::actor>(this),
                                                caf::exit_msg{address(), too_much(*card_)});
}

void bounded_actor::refuse(caf::mailbox_element& what, caf::execution_unit* on) {
  if (what.mid.is_request())
    answer(what, too_much(*card_), on);
  else if (policy_.when_full != mailbox_overflow::drop_new && policy_.when_full != mailbox_overflow::drop_old)
    on_refused(what);
}

void bounded_actor::on_refused(caf::mailbox_element&) {}

void bounded_actor::replace_oldest(caf::mailbox_element_ptr what, caf::execution_unit* on) {
  auto [removed, closed] = lane_->enter(std::move(what));
  if (closed)
    return caf::event_based_actor::enqueue(std::move(removed), on); // CAF answers for actors that have ended
  if (removed)
    return refuse(*removed, on);
  caf::event_based_actor::enqueue(caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, lane_token{}), on);
}

// -- it is handled ----------------------------------------------------------------------------------------------------

caf::invoke_message_result bounded_actor::consume(caf::mailbox_element& what) {
  if (lane_ && what.content().match_elements<lane_token>())
    return consume_oldest();
  const bool counted = !lane_ && in_user_lane(what);
  const auto result = handle(what);
  if (result == caf::invoke_message_result::skipped)
    return result;
  if (counted)
    card_->leave_place();
  if (room_)
    room_->place_is_free();
  return result;
}

caf::invoke_message_result bounded_actor::consume_oldest() {
  auto oldest = lane_->next();
  if (!oldest)
    return caf::invoke_message_result::consumed;
  const auto result = handle(*oldest);
  if (result == caf::invoke_message_result::skipped)
    lane_->put_back(std::move(oldest)); // CAF keeps its token
  return result;
}

caf::invoke_message_result bounded_actor::handle(caf::mailbox_element& what) {
  const handler_section at{*this};
  try {
    const auto result = caf::event_based_actor::consume(what);
    if (result != caf::invoke_message_result::skipped)
      card_->count_handled();
    return result;
  } catch (...) {
    if (what.mid.is_request() && !what.mid.is_answered())
      answer(what, broker::to_caf({errc::internal, card_->path + " failed"}), context());
    throw;
  }
}

bool bounded_actor::cleanup(caf::error&& why, caf::execution_unit* on) {
  if (room_)
    room_->close();
  if (lane_)
    for (auto& left : lane_->close())
      if (left->mid.is_request())
        answer(*left, too_much(*card_), on);
  return caf::event_based_actor::cleanup(std::move(why), on);
}

} // namespace switchboard::runtime
