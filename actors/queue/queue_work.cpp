// How a caller of a queue moves on, from waiting to the talk. The map: finding, offers, the talk, callbacks, the end of
// every handler.
#include "actors/queue/queue_work.hpp"

#include <algorithm>

namespace switchboard::telephony::queues {

namespace {

constexpr milliseconds ring_grace = std::chrono::seconds{10}; // the leg's own dial timeout comes first
constexpr milliseconds join_lease = std::chrono::seconds{30};
constexpr milliseconds callback_lifetime = std::chrono::hours{24};
constexpr milliseconds audit_default = std::chrono::minutes{1};

json caller_event(const queue& q, const queue_caller& c) {
  auto data = caller_view(q, c);
  data["queuecall_id"] = c.id;
  data["id"] = q.id;
  return data;
}

json offer_event(const queue_offer& one) {
  return {{"agent_id", one.agent_id}, {"offer_id", one.id}, {"epoch", one.epoch}, {"agent_call_id", one.call_id}};
}

void set_phase_by_offers(queue_caller& c) {
  if (!wants_agent(c.phase))
    return;
  const bool rings =
      std::any_of(c.offers.begin(), c.offers.end(), [](const auto& one) { return !one.call_id.empty(); });
  c.phase = c.offers.empty() ? caller_phase::waiting : rings ? caller_phase::dialing : caller_phase::offered;
}

} // namespace

void work::announce(std::string type, const queue_caller& c, json more) {
  auto data = caller_event(q, c);
  data.update(more);
  out.event(std::move(type), std::move(data));
}

void work::announce(std::string type, json data) {
  data["id"] = data["queue_id"] = q.id;
  data["customer_id"] = q.customer_id;
  out.event(std::move(type), std::move(data));
}

// -- finding ----------------------------------------------------------------------------------------------------------

queue_caller* work::by_id(const std::string& id) {
  return find([&](const auto& c) { return c.id == id; });
}

queue_caller* work::by_call(const std::string& call_id) {
  return find([&](const auto& c) {
    const bool has_call = !c.is_virtual() || c.phase >= caller_phase::calling_back;
    return has_call && c.call_id == call_id;
  });
}

queue_caller* work::by_agent_leg(const std::string& call_id) {
  return find([&](const auto& c) { return !call_id.empty() && c.agent_call_id == call_id; });
}

std::pair<queue_caller*, queue_offer*> work::by_offer(const std::string& offer_id) {
  for (auto& c : q.callers) {
    for (auto& one : c.offers) {
      if (one.id == offer_id)
        return {&c, &one};
    }
  }
  return {nullptr, nullptr};
}

std::pair<queue_caller*, queue_offer*> work::by_offered_leg(const std::string& call_id) {
  for (auto& c : q.callers) {
    for (auto& one : c.offers) {
      if (!call_id.empty() && one.call_id == call_id)
        return {&c, &one};
    }
  }
  return {nullptr, nullptr};
}

queue_agent* work::agent(const std::string& agent_id) {
  const auto found =
      std::find_if(q.agents.begin(), q.agents.end(), [&](const auto& one) { return one.agent_id == agent_id; });
  return found == q.agents.end() ? nullptr : &*found;
}

// -- offers -----------------------------------------------------------------------------------------------------------

void work::ask_to_join(const queue_caller& c) {
  out.send({"call", c.call_id}, "join_queue", {{"customer_id", q.customer_id}});
}

/// Here and answered.
void work::wait(queue_caller& c) {
  c.phase = caller_phase::waiting;
  c.tries = 0;
  announce("queue.caller_waiting", c);
  if (!c.overflow_reason.empty())
    return overflow(c, c.overflow_reason);
  if (q.announce_interval > milliseconds{0}) {
    announce_position(c);
    out.arm("position:" + c.id, q.announce_interval);
  }
}

void work::offer(queue_caller& c, queue_agent& to) {
  const queue_offer made{ctx.make_uuid(), ++q.epoch, to.agent_id, {}};
  c.offers.push_back(made);
  if (std::find(c.tried.begin(), c.tried.end(), to.agent_id) == c.tried.end())
    c.tried.push_back(to.agent_id);
  ++c.attempts;
  set_phase_by_offers(c);
  q.last_asked = to.place;
  out.send({"agent", to.agent_id}, "offer",
           {{"offer_id", made.id},
            {"epoch", made.epoch},
            {"call_id", c.call_id},
            {"customer_id", q.customer_id},
            {"channel", q.channel},
            {"ring_timeout_ms", q.ring_timeout}});
  out.arm("ring:" + made.id, q.ring_timeout + ring_grace, {{"offer_id", made.id}});
  announce("queue.offered", c, offer_event(made));
}

/// The agent's phone: a call of ours, so that its end is told to us.
void work::dial(queue_caller& c, queue_offer& to, const json& address) {
  to.call_id = ctx.make_uuid();
  set_phase_by_offers(c);
  out.send({"call", to.call_id}, "create",
           {{"customer_id", q.customer_id},
            {"source", {{"type", "line"}, {"target", q.id}, {"target_name", q.name}}},
            {"destination", address},
            {"dial_timeout_ms", q.ring_timeout}});
}

void work::release(const std::string& agent_id, const std::string& offer_id, std::uint64_t epoch, milliseconds wrap_up,
                   const std::string& reason) {
  out.send({"agent", agent_id}, "release",
           {{"offer_id", offer_id}, {"epoch", epoch}, {"wrap_up_ms", wrap_up}, {"reason", reason}});
}

void work::hang_up(const std::string& call_id, const char* reason) {
  if (!call_id.empty())
    out.send({"call", call_id}, "hang_up", *reason ? json{{"reason", reason}} : json::object());
}

void work::offer_failed(queue_caller& c, const queue_offer& one, const std::string& reason) {
  const auto over = one; // it goes from the list
  out.cancel("ring:" + over.id);
  hang_up(over.call_id);
  release(over.agent_id, over.id, over.epoch, milliseconds{0}, reason);
  auto data = offer_event(over);
  data["reason"] = reason;
  announce("queue.offer_failed", c, std::move(data));
  std::erase_if(c.offers, [&](const auto& o) { return o.id == over.id; });
  set_phase_by_offers(c);
}

void work::rescind_all(queue_caller& c, const std::string& reason, const std::string& but_offer) {
  for (const auto& one : c.offers) {
    if (one.id == but_offer)
      continue;
    out.cancel("ring:" + one.id);
    hang_up(one.call_id);
    release(one.agent_id, one.id, one.epoch, milliseconds{0}, reason);
    auto data = offer_event(one);
    data["reason"] = reason;
    announce("queue.offer_rescinded", c, std::move(data));
  }
  std::erase_if(c.offers, [&](const auto& one) { return one.id != but_offer; });
  set_phase_by_offers(c);
}

// -- the talk ---------------------------------------------------------------------------------------------------------

void work::answered(queue_caller& c, const queue_offer& by) {
  const auto won = by;
  rescind_all(c, "answered_elsewhere", won.id);
  c.offers.clear();
  c.offer_id = won.id;
  c.epoch = won.epoch;
  c.agent_id = won.agent_id;
  c.agent_call_id = won.call_id;
  out.cancel("ring:" + won.id);
  out.send({"agent", c.agent_id}, "connected",
           {{"offer_id", c.offer_id}, {"epoch", c.epoch}, {"call_id", c.call_id}, {"channel", q.channel}});
  if (c.is_virtual()) {
    announce("queue.answered", c);
    call_back(c);
  } else {
    bring_together(c);
    announce("queue.answered", c);
  }
}

void work::bring_together(queue_caller& c) {
  c.phase = caller_phase::joining;
  c.conference_id = ctx.make_uuid();
  out.send({"conference", c.conference_id}, "create",
           {{"customer_id", q.customer_id}, {"name", q.name}, {"calls", {c.call_id, c.agent_call_id}}});
  out.arm("join:" + c.id, join_lease);
}

void work::begin_service(queue_caller& c) {
  c.phase = caller_phase::service;
  c.connected = ctx.now();
  out.cancel("wait:" + c.id).cancel("join:" + c.id).cancel("position:" + c.id);
  if (q.service_timeout > milliseconds{0})
    out.arm("service:" + c.id, q.service_timeout);
  const auto waited = c.connected - c.joined;
  ++q.totals.answered;
  q.totals.answered_in_time += waited <= q.service_level ? 1 : 0;
  q.totals.answer_wait += waited;
  announce("queue.connected", c, {{"waited_ms", waited.count()}});
}

/// He may still be on his way into the conference: he is in line again once his call says that it is ours alone.
void work::agent_lost(queue_caller& c, const std::string& reason) {
  const auto room = std::exchange(c.conference_id, {});
  c.caller_in = c.agent_in = false;
  out.cancel("join:" + c.id);
  if (c.is_virtual()) {
    out.send({"conference", room}, "stop");
    return callback_failed(c, reason, false);
  }
  announce("queue.agent_lost", c, {{"reason", reason}});
  let_agent_go(c, milliseconds{0}, "agent_lost"); // who has to rest: it may be so again at once
  out.send({"conference", room}, "let_go", {{"call_id", c.call_id}});
  c.offer_id.clear();
  c.agent_id.clear();
  c.agent_call_id.clear();
  c.phase = caller_phase::initiating;
  c.tries = 0;
  ask_to_join(c);
}

void work::talk_without_reservation(queue_caller& c) {
  c.offer_id.clear();
  for (auto& other : q.callers) {
    const auto asked = std::find_if(other.offers.begin(), other.offers.end(),
                                    [&](const auto& one) { return one.agent_id == c.agent_id; });
    if (asked != other.offers.end())
      offer_failed(other, *asked, "engaged");
  }
}

void work::let_agent_go(queue_caller& c, milliseconds wrap_up, const char* reason) {
  hang_up(c.agent_call_id);
  if (!c.offer_id.empty())
    release(c.agent_id, c.offer_id, c.epoch, wrap_up, reason);
}

// -- callbacks --------------------------------------------------------------------------------------------------------

/// The caller hangs up and keeps the place.
void work::promise_callback(queue_caller& c, const sdk::address& destination) {
  rescind_all(c, "caller_left");
  c.callback = destination;
  c.phase = caller_phase::waiting;
  ++q.totals.callbacks;
  out.cancel("position:" + c.id).cancel("retry:" + c.id);
  out.arm("wait:" + c.id, callback_lifetime);
  announce("queue.callback_requested", c, {{"destination", destination}});
  tell_owner(c, "callback");
  c.owner = {};
  hang_up(c.call_id, "callback");
}

/// An agent picked up and listens to the caller's phone ringing.
void work::call_back(queue_caller& c) {
  c.phase = caller_phase::calling_back;
  c.call_id = ctx.make_uuid();
  ++c.callback_attempts;
  out.send({"call", c.call_id}, "create",
           {{"customer_id", q.customer_id},
            {"source", {{"type", "line"}, {"target", q.id}, {"target_name", q.name}}},
            {"destination", c.callback},
            {"dial_timeout_ms", q.ring_timeout}});
  out.arm("join:" + c.id, q.ring_timeout + ring_grace);
  announce("queue.callback_dialed", c, {{"callback_attempts", c.callback_attempts}});
}

void work::callback_failed(queue_caller& c, const std::string& reason, bool counts) {
  announce("queue.callback_failed", c, {{"reason", reason}, {"callback_attempts", c.callback_attempts}});
  out.cancel("join:" + c.id);
  hang_up(c.call_id);
  let_agent_go(c, milliseconds{0});
  c.offer_id.clear();
  c.agent_id.clear();
  c.agent_call_id.clear();
  c.phase = caller_phase::waiting;
  c.callback_attempts -= counts ? 0 : 1;
  if (c.callback_attempts >= q.callback_attempts)
    return abandon(c, "callback_failed", false);
  if (!counts)
    return;
  c.not_before = ctx.now() + q.callback_retry;
  out.arm("retry:" + c.id, q.callback_retry);
}

void work::announce_position(const queue_caller& c) {
  const auto position = position_of(c, q.callers, q.ageing);
  const auto working = static_cast<std::size_t>(std::count_if(q.agents.begin(), q.agents.end(), is_working));
  const auto wait = estimated_wait(position, q.totals, working);
  announce("queue.position", json{{"queuecall_id", c.id},
                                  {"call_id", c.call_id},
                                  {"position", position},
                                  {"estimated_wait_ms", wait ? json(*wait) : json()}});
}

void work::ask_agents() {
  for (auto& one : q.agents) {
    one.free = 0;
    out.send({"agent", one.agent_id}, "watch", {{"customer_id", q.customer_id}});
  }
}

// -- what ends every handler ------------------------------------------------------------------------------------------

void work::overflow_if_nobody_works() {
  if (q.when_no_agents != no_agents_rule::overflow || std::any_of(q.agents.begin(), q.agents.end(), may_be_logged_in))
    return;
  for (std::size_t i = 0; i < q.callers.size();) {
    const auto count = q.callers.size();
    if (auto& c = q.callers[i]; c.phase == caller_phase::waiting && !c.is_virtual())
      overflow(c, "no_agents");
    i += q.callers.size() == count ? 1 : 0;
  }
}

waiting_line work::line() const {
  waiting_line made{q.routing, q.ageing, q.relaxation};
  const auto engaged = engaged_agents(q.callers);
  for (std::uint32_t i = 0; i < q.agents.size(); ++i) {
    const auto& one = q.agents[i];
    if (one.free > 0 && !engaged.contains(one.agent_id) && has_tag(q.tag_ids, one.tag_ids))
      made.put_agent(i, {one.place, one.penalty, one.since, one.calls, one.talk_time, levels_of(one.skills)});
  }
  for (std::uint32_t i = 0; i < q.callers.size() && made.agents() > 0; ++i) {
    if (is_in_line(q, q.callers[i], ctx.now()))
      made.put_caller(i, standing_of(q.callers[i]), ctx.now());
  }
  return made;
}

/// Whoever can be served is, the first in line first.
void work::offer_all() {
  const bool somebody_waits =
      std::any_of(q.callers.begin(), q.callers.end(), [&](const auto& c) { return is_in_line(q, c, ctx.now()); });
  if (!somebody_waits || std::none_of(q.agents.begin(), q.agents.end(), [](const auto& a) { return a.free > 0; }))
    return;
  auto waiting = line();
  while (const auto next = waiting.next(ctx.now())) {
    auto& c = q.callers[*next];
    std::vector<std::uint32_t> tried;
    for (std::uint32_t i = 0; i < q.agents.size(); ++i) {
      if (std::find(c.tried.begin(), c.tried.end(), q.agents[i].agent_id) != c.tried.end())
        tried.push_back(i);
    }
    const auto chosen = waiting.choose(*next, offers_at_once(q) - c.offers.size(), tried, q.last_asked,
                                       [this] { return ctx.random(); });
    const bool begins_anew = std::any_of(chosen.begin(), chosen.end(), [&](auto who) {
      return std::find(tried.begin(), tried.end(), who) != tried.end();
    });
    if (begins_anew && !c.offers.empty()) { // nobody is asked again while others still ring
      waiting.erase_caller(*next);
      continue;
    }
    if (begins_anew)
      c.tried.clear();
    keep_decision(c, {chosen.begin(), chosen.end()});
    for (const auto who : chosen) {
      offer(c, q.agents[who]);
      waiting.erase_agent(who);
    }
    waiting.erase_caller(*next);
  }
  if (waiting.agents() > 0)
    wake_when_relaxed();
}

/// Time alone may let one of the free agents serve somebody.
void work::wake_when_relaxed() {
  std::optional<time_point> next;
  for (const auto& c : q.callers) {
    if (c.skills.empty() || !is_in_line(q, c, ctx.now()))
      continue;
    if (const auto at = next_relaxation(q.relaxation, c.joined, ctx.now()); at && (!next || *at < *next))
      next = at;
  }
  if (!next || *next == q.relax_at)
    return;
  q.relax_at = *next;
  out.arm("relax", *next - ctx.now());
}

void work::keep_decision(const queue_caller& c, const std::vector<std::size_t>& chosen) {
  auto made = decision(q, c, chosen, ctx.now());
  if (q.decisions_kept > 0) {
    q.decisions.push_back(made.dump());
    if (q.decisions.size() > static_cast<std::size_t>(q.decisions_kept))
      q.decisions.erase(q.decisions.begin());
  }
  announce("queue.decision", std::move(made));
}

void work::announce_stats() {
  const auto active = static_cast<std::uint64_t>(std::count_if(
      q.callers.begin(), q.callers.end(), [](const auto& c) { return c.phase == caller_phase::service; }));
  const auto waiting = static_cast<std::uint64_t>(
      std::count_if(q.callers.begin(), q.callers.end(), [](const auto& c) { return is_waiting(c.phase); }));
  if (waiting == q.shown_waiting && active == q.shown_active)
    return;
  q.shown_waiting = waiting;
  q.shown_active = active;
  announce("queue.stats", stats(q, ctx.now()));
}

result work::done() && {
  if (!q.closing) {
    overflow_if_nobody_works();
    offer_all();
  }
  announce_stats();
  if (!q.callers.empty() && !q.audit_armed) {
    q.audit_armed = true;
    out.arm("audit", ctx.setting("audit_ms", audit_default));
  }
  if (q.closing && q.callers.empty())
    out.event("queue.deleted", view(q)).end();
  out.next(std::move(q));
  return std::move(out);
}

} // namespace switchboard::telephony::queues
