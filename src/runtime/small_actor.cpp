#include "runtime/small_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/execution_unit.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <caf/system_messages.hpp>

#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

// As CAF's event-based actors: so many of the user lane, and twice as many of the control lane, before it looks again.
constexpr std::size_t round_quantum = 3;

bool in_user_lane(const caf::mailbox_element& what) {
  return what.mid.is_normal_message() && !what.content().match_elements<caf::exit_msg>();
}

void nobody_serves(const caf::strong_actor_ptr& sender, caf::message_id request) {
  caf::detail::sync_request_bouncer{caf::sec::request_receiver_down}(sender, request);
}

} // namespace

small_actor::small_actor(caf::actor_config& config, std::size_t user_max, time_point now)
    : caf::local_actor(config), user_max_(static_cast<std::uint32_t>(user_max)) {
  counts_.started = now;
}

small_actor::~small_actor() = default;

/// It waits for its first message: until then it costs no turn.
void small_actor::launch(caf::execution_unit*, bool, bool hide) {
  if (!hide)
    register_at_system();
  inbox_.try_block();
}

void small_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* on) {
  const auto id = what->mid;
  const auto sender = what->sender;
  if (in_user_lane(*what) && !counts_.take_place(user_max_))
    return id.is_request() ? nobody_serves(sender, id) : on_refused(*what);
  switch (inbox_.push_front(std::move(what))) {
  case caf::intrusive::inbox_result::unblocked_reader:
    intrusive_ptr_add_ref(ctrl()); // the scheduler's
    if (on)
      on->exec_later(this);
    else
      home_system().scheduler().enqueue(this);
    break;
  case caf::intrusive::inbox_result::queue_closed:
    if (id.is_request())
      nobody_serves(sender, id);
    break;
  case caf::intrusive::inbox_result::success:
    break;
  }
}

caf::resumable::resume_result small_actor::resume(caf::execution_unit* on, std::size_t most) {
  context(on);
  std::size_t handled = 0;
  const auto visit = [&](auto, auto&, caf::mailbox_element& what) {
    work_on(what);
    return ending_ || ++handled >= most ? caf::intrusive::task_result::stop_all : caf::intrusive::task_result::resume;
  };
  for (;;) {
    fetch();
    if (waiting_)
      waiting_->new_round(round_quantum, visit);
    if (ending_) {
      on_exit();
      cleanup(caf::exit_reason::normal, on);
      return done;
    }
    if (handled >= most)
      return resume_later;
    if (waiting_ && waiting_->empty())
      waiting_.reset();
    if (!waiting_ && inbox_.try_block())
      return awaiting_message; // another thread may have it already: nothing of this is touched any more
  }
}

/// From the inbox, which has the latest first, to the lanes, behind what waits there.
void small_actor::fetch() {
  auto* latest = inbox_.take_head();
  if (!latest)
    return;
  if (!waiting_)
    waiting_ = std::make_unique<lanes>(two_lanes{}, caf::unit, caf::unit);
  while (latest) {
    auto* const before = latest->next;
    waiting_->lifo_append(inbox_.promote(latest));
    latest = inbox_.promote(before);
  }
  waiting_->stop_lifo_append();
}

void small_actor::work_on(caf::mailbox_element& what) {
  const bool counted = in_user_lane(what);
  try {
    const handler_section at{*this};
    if (what.content().match_elements<caf::exit_msg>())
      quit();
    else if (what.mid.is_request())
      nobody_serves(what.sender, what.mid);
    else
      handle(what);
  } catch (const std::exception& thrown) {
    log::failure("actor_failed", {{"actor", handler_label().path}, {"reason", thrown.what()}});
    quit();
  } catch (...) {
    log::failure("actor_failed", {{"actor", handler_label().path}, {"reason", "threw something unknown"}});
    quit();
  }
  counts_.count_handled();
  if (counted)
    counts_.leave_place();
}

bool small_actor::cleanup(caf::error&& why, caf::execution_unit* on) {
  if (!inbox_.closed()) {
    caf::detail::sync_request_bouncer bounce{why};
    const auto drop = [&](caf::mailbox_element* what) {
      bounce(*what);
      caf::mailbox_element_ptr{what}.reset();
    };
    inbox_.close(drop);
    while (waiting_ && waiting_->new_round(1000, bounce).consumed_items) {
    }
    waiting_.reset();
  }
  return caf::local_actor::cleanup(std::move(why), on);
}

void small_actor::intrusive_ptr_add_ref_impl() { intrusive_ptr_add_ref(ctrl()); }
void small_actor::intrusive_ptr_release_impl() { intrusive_ptr_release(ctrl()); }

} // namespace switchboard::runtime
