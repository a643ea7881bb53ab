// How a caller of a queue ends: served, abandoned, sent on. Whoever has to do with him is told what that means for it.
#include <algorithm>

#include "actors/queue/queue_work.hpp"

namespace switchboard::telephony::queues {

namespace {

constexpr milliseconds overflow_patience = std::chrono::seconds{10};
constexpr milliseconds connect_lease_default = std::chrono::hours{4};
constexpr int overflow_tries_max = 3;
constexpr int hops_max = 5; // queues that send callers round in a circle

} // namespace

void work::tell_owner(const queue_caller& c, const char* outcome, std::string_view target) {
  if (c.owner.empty())
    return;
  json body{{"queue_id", q.id}, {"queuecall_id", c.id}, {"call_id", c.call_id}, {"outcome", outcome}};
  if (!target.empty())
    body["target"] = target;
  out.send(c.owner, "caller_left", std::move(body));
}

void work::remove(queue_caller& c) {
  for (const auto* timer : {"wait:", "service:", "position:", "join:", "retry:", "overflow:"})
    out.cancel(timer + c.id);
  q.callers.erase(q.callers.begin() + (&c - q.callers.data()));
}

/// Gone before anybody talked to him.
void work::abandon(queue_caller& c, const std::string& reason, bool caller_goes_on) {
  rescind_all(c, "caller_left");
  if (!c.agent_id.empty())
    let_agent_go(c, milliseconds{0});
  const bool has_call = !c.is_virtual() || c.phase >= caller_phase::calling_back;
  if (has_call)
    out.send({"call", c.call_id}, caller_goes_on ? "leave_queue" : "hang_up");
  if (!c.conference_id.empty())
    out.send({"conference", c.conference_id}, "stop");
  ++q.totals.abandoned;
  announce("queue.abandoned", c, {{"reason", reason}, {"waited_ms", (ctx.now() - c.joined).count()}});
  tell_owner(c, reason == "kicked" ? "kicked" : "abandoned");
  remove(c);
}

/// The end of a talk, whoever ended it: everybody goes, the agent has time for wrap-up.
void work::finish_service(queue_caller& c, const std::string& reason) {
  const auto talk = ctx.now() - c.connected;
  ++q.totals.serviced;
  q.totals.talk += talk;
  if (auto* who = agent(c.agent_id)) {
    ++who->calls;
    who->talk_time += talk;
  }
  announce("queue.serviced", c, {{"reason", reason}, {"service_ms", talk.count()}});
  if (!c.offer_id.empty() && q.wrap_up > milliseconds{0})
    announce("queue.wrap_up", c, {{"wrap_up_ms", q.wrap_up}});
  let_agent_go(c, q.wrap_up);
  out.send({"call", c.call_id}, "hang_up");
  out.send({"conference", c.conference_id}, "stop");
  tell_owner(c, "serviced");
  remove(c);
}

void work::end(queue_caller& c, const std::string& reason, bool caller_goes_on) {
  if (c.phase == caller_phase::service)
    finish_service(c, reason);
  else if (c.phase == caller_phase::overflowing)
    remove(c); // was counted and told when he was sent on
  else
    abandon(c, reason, caller_goes_on && c.phase != caller_phase::joining && !c.is_virtual());
}

/// He can't be served here in time.
void work::overflow(queue_caller& c, const std::string& reason) {
  const auto kind = q.overflow.kind;
  const bool is_circle = kind == overflow_kind::queue && (c.hops >= hops_max || q.overflow.queue_id == q.id);
  const bool back_to_owner = kind == overflow_kind::hang_up && !c.owner.empty();
  if (c.is_virtual() || is_circle || (kind == overflow_kind::hang_up && !back_to_owner))
    return abandon(c, reason, false);
  rescind_all(c, "caller_left");
  c.phase = caller_phase::overflowing;
  c.tries = 0;
  ++q.totals.overflowed;
  out.cancel("wait:" + c.id).cancel("position:" + c.id);
  const auto target = back_to_owner ? std::string_view{"owner"} : sdk::text(kind);
  announce("queue.overflowed", c,
           {{"reason", reason},
            {"target", target},
            {"target_queue_id", q.overflow.queue_id},
            {"destination", q.overflow.destination},
            {"waited_ms", (ctx.now() - c.joined).count()}});
  tell_owner(c, "overflowed", target);
  c.owner = {};
  if (back_to_owner) {
    out.send({"call", c.call_id}, "leave_queue");
    return remove(c);
  }
  if (kind == overflow_kind::queue) {
    out.send({"call", c.call_id}, "leave_queue");
    return send_to_queue(c);
  }
  c.connect_id = ctx.make_uuid(); // the call stays ours until the connection is over
  out.send({"call", c.call_id}, "connect",
           {{"customer_id", q.customer_id},
            {"connect_id", c.connect_id},
            {"destination", q.overflow.destination},
            {"dial_timeout_ms", q.ring_timeout}});
  out.arm("overflow:" + c.id, ctx.setting("overflow_lease_ms", connect_lease_default));
}

/// Again if it doesn't answer; the other queue knows a repeat by its sender and call.
void work::send_to_queue(queue_caller& c) {
  if (++c.tries > overflow_tries_max)
    return overflow_failed(c, "no_answer");
  out.send({"queue", q.overflow.queue_id}, "add_caller",
           {{"customer_id", q.customer_id},
            {"call_id", c.call_id},
            {"priority", c.priority},
            {"skills", c.skills},
            {"hops", c.hops + 1}});
  out.arm("overflow:" + c.id, overflow_patience);
}

/// There is nowhere left for him.
void work::overflow_failed(queue_caller& c, const std::string& reason) {
  announce("queue.overflow_failed", c, {{"reason", reason}});
  out.send({"call", c.call_id}, "hang_up");
  remove(c);
}

} // namespace switchboard::telephony::queues
