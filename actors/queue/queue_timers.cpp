// What a queue does when time is over. Timers are named "<what>:<id of the queuecall or offer>".
#include <algorithm>

#include "actors/queue/queue_work.hpp"

namespace switchboard::telephony::queues {

namespace {

std::string id_in(const message& msg) { return msg.name.substr(msg.name.find(':') + 1); }

} // namespace

result rang_out(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  const auto [caller, asked] = w.by_offer(body_reader{msg}.text("offer_id"));
  if (caller)
    w.offer_failed(*caller, *asked, "noanswer");
  return std::move(w).done();
}

/// Also the end of the time in which somebody is called back.
result waited_too_long(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_id(id_in(msg));
  if (caller && caller->phase < caller_phase::calling_back)
    w.overflow(*caller, caller->is_virtual() ? "callback_expired" : "wait_timeout");
  else if (caller && caller->phase == caller_phase::joining)
    caller->overflow_reason = "wait_timeout"; // if nothing comes of it
  return std::move(w).done();
}

result talked_too_long(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_id(id_in(msg));
  if (caller && caller->phase == caller_phase::service)
    w.finish_service(*caller, "service_timeout");
  return std::move(w).done();
}

/// The conference never said that both are in, or the call back never ended.
result did_not_join(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_id(id_in(msg));
  if (caller && caller->phase == caller_phase::calling_back)
    w.callback_failed(*caller, "noanswer", true);
  else if (caller && caller->phase == caller_phase::joining)
    w.agent_lost(*caller, "join_timeout");
  return std::move(w).done();
}

/// Joining once more, or back in the line after a callback that failed: then done() offers him.
result try_again(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  if (const auto* caller = w.by_id(id_in(msg)); caller && caller->phase == caller_phase::initiating)
    w.ask_to_join(*caller);
  return std::move(w).done();
}

result overflow_overdue(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_id(id_in(msg));
  if (caller && caller->phase == caller_phase::overflowing) {
    if (caller->connect_id.empty())
      w.send_to_queue(*caller);
    else
      w.overflow_failed(*caller, "lease_over");
  }
  return std::move(w).done();
}

/// Nothing changes by saying where one stands.
result position_due(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  const auto* caller = w.by_id(id_in(msg));
  if (!caller || !wants_agent(caller->phase) || caller->is_virtual() || w.q.announce_interval == milliseconds{0})
    return {};
  w.announce_position(*caller);
  w.out.arm(msg.name, w.q.announce_interval);
  return std::move(w.out);
}

result relaxed_now(queue q, const message&, const context& ctx) {
  work w{std::move(q), ctx};
  return std::move(w).done();
}

/// Whatever was not heard is asked for again while anybody is here: a caller's call that is over says so, an agent that
/// seems to have no place tells how it fares.
result audit(queue q, const message&, const context& ctx) {
  work w{std::move(q), ctx};
  w.q.audit_armed = false;
  bool somebody_waits = false;
  for (const auto& c : w.q.callers) {
    somebody_waits = somebody_waits || wants_agent(c.phase);
    const bool has_call = !c.is_virtual() || c.phase == caller_phase::service;
    if (has_call && c.phase != caller_phase::joining && c.phase != caller_phase::overflowing)
      w.ask_to_join(c);
  }
  for (const auto& one : w.q.agents) {
    if (somebody_waits && one.free == 0)
      w.out.send({"agent", one.agent_id}, "watch", {{"customer_id", w.q.customer_id}});
  }
  return std::move(w).done();
}

} // namespace switchboard::telephony::queues
