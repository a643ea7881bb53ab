// What agents, calls, conferences and other queues tell a queue. What comes too late changes nothing, and whoever said
// it is told what holds now.
#include <algorithm>

#include "actors/queue/queue_work.hpp"

namespace switchboard::telephony::queues {

namespace {

constexpr int join_tries_max = 20; // a minute in all: what moves him out of there may be tried again that long
constexpr milliseconds join_pause{300};

void take_news(queue& q, queue_agent* who, body_reader& in) {
  const auto sequence = in.integer("sequence", -1, 0, INT64_MAX);
  if (!who || sequence < who->sequence)
    return; // old; the same again may be the answer to a question about another channel
  who->status = in.text("status");
  who->since = time_point{milliseconds{in.integer("since", 0, 0, INT64_MAX)}};
  who->sequence = sequence;
  who->free = who->status == "available" ? 1 : 0;
  if (const auto* free = in.find("free"); free && free->is_object()) // an agent of version 1 doesn't say
    who->free = static_cast<int>(body_reader{*free}.integer(q.channel.c_str(), 0, 0, 1000));
  who->tag_ids = in.texts("tag_ids");
  who->skills.clear();
  if (const auto* skills = in.find("skills"); skills && skills->is_object()) {
    body_reader levels{*skills};
    for (const auto& [name, level] : skills->items())
      who->skills[name] = static_cast<int>(levels.integer(name.c_str(), 1, 1, skill_level_max));
  }
}

void free_agent_of(const message& msg, body_reader& in, result& out) {
  const auto epoch = in.integer("epoch", 0, 0, INT64_MAX);
  out.send(msg.sender(), "release",
           {{"offer_id", in.text("offer_id")}, {"epoch", epoch}, {"wrap_up_ms", 0}, {"reason", "over"}});
}

} // namespace

// -- agents -----------------------------------------------------------------------------------------------------------

result agent_status_news(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  auto* who = w.agent(in.text("agent_id"));
  if (!who)
    w.out.send(msg.sender(), "unwatch"); // removed meanwhile
  take_news(w.q, who, in);
  return std::move(w).done();
}

/// There is no such agent, any more or for us.
result agent_gone(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  const auto agent_id = body_reader{msg}.text("agent_id");
  if (const auto* who = w.agent(agent_id)) {
    w.q.agents.erase(w.q.agents.begin() + (who - w.q.agents.data()));
    w.announce("queue.agent_removed", json{{"agent_id", agent_id}, {"reason", "not_found"}});
  }
  for (auto& c : w.q.callers) {
    const auto asked = std::find_if(c.offers.begin(), c.offers.end(),
                                    [&](const auto& one) { return one.agent_id == agent_id && one.call_id.empty(); });
    if (asked != c.offers.end())
      w.offer_failed(c, *asked, "no_such_agent");
  }
  return std::move(w).done();
}

result offer_accepted(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  const auto offer_id = in.text("offer_id");
  const auto [caller, asked] = w.by_offer(offer_id);
  const bool is_answered = w.find([&](const auto& c) { return !offer_id.empty() && c.offer_id == offer_id; });
  if (!caller && !is_answered)
    free_agent_of(msg, in, w.out);
  else if (const auto* address = in.find("address"); caller && address && asked->call_id.empty())
    w.dial(*caller, *asked, *address);
  return std::move(w).done();
}

/// Whoever knows of a newer offer of ours than we do has seen a queue of this id before: we go on after it.
result offer_rejected(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  take_news(w.q, w.agent(in.text("agent_id")), in);
  w.q.epoch = std::max(w.q.epoch, static_cast<std::uint64_t>(in.integer("settled_epoch", 0, 0, INT64_MAX)));
  const auto [caller, asked] = w.by_offer(in.text("offer_id"));
  if (caller && asked->call_id.empty())
    w.offer_failed(*caller, *asked, "rejected");
  return std::move(w).done();
}

/// The agent is not reserved any more. Once the phone was picked up it is too late for that: the agent hears of it by
/// `connected` and stays until it is released, unless another queue was faster; then this talk goes on without, and
/// ends without wrap-up, and nobody is asked who talks: not even if its own word was that it is free, and it was asked
/// meanwhile. An offer that is over already is let go again, for the agent keeps the place until it hears so.
result offer_withdrawn(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  const auto offer_id = in.text("offer_id");
  const auto reason = in.text("reason");
  const auto [caller, asked] = w.by_offer(offer_id);
  auto* served = w.find([&](const auto& c) { return !offer_id.empty() && c.offer_id == offer_id; });
  if (caller)
    w.offer_failed(*caller, *asked, "withdrawn");
  else if (served && reason == "not_reserved")
    w.talk_without_reservation(*served);
  else if (!served)
    free_agent_of(msg, in, w.out);
  return std::move(w).done();
}

/// The lease of a talk is over: does it go on?
result offer_check(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  const auto offer_id = in.text("offer_id");
  const auto* served = w.find([&](const auto& c) { return !offer_id.empty() && c.offer_id == offer_id; });
  if (!served) {
    free_agent_of(msg, in, w.out);
    return std::move(w.out);
  }
  w.out.send(
      msg.sender(), "connected",
      {{"offer_id", offer_id}, {"epoch", served->epoch}, {"call_id", served->call_id}, {"channel", w.q.channel}});
  return std::move(w.out);
}

// -- calls ------------------------------------------------------------------------------------------------------------

result call_joined(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_call(msg.from_id);
  if (!caller || (caller->phase == caller_phase::overflowing && caller->connect_id.empty()))
    w.out.send(msg.sender(), "leave_queue"); // kicked or sent on meanwhile
  else if (caller->phase == caller_phase::initiating && body_reader{msg}.text("status") == "progressing")
    w.wait(*caller);
  return std::move(w).done();
}

/// It does not exist, is over or is somewhere else. One who overflowed to here, or who comes back from an agent who
/// hung up, may still be on his way out of the other queue or the conference. While he waits this is the answer to an
/// audit; a talk is in its conference, so only its end is news.
result call_refused(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_call(msg.from_id);
  if (!caller)
    return {};
  const auto reason = body_reader{msg}.text("reason");
  const bool is_over = reason == "not_found" || reason == "call_is_over";
  const bool is_on_his_way = !is_over && (caller->hops > 0 || caller->attempts > 0);
  if (caller->phase == caller_phase::initiating && is_on_his_way && ++caller->tries < join_tries_max)
    w.out.arm("retry:" + caller->id, join_pause * caller->tries);
  else if (caller->phase == caller_phase::initiating)
    w.abandon(*caller, reason, !is_on_his_way); // nobody else has him, or he is not hung up
  else if (caller->phase == caller_phase::overflowing)
    w.overflow_failed(*caller, reason);
  else if (is_over)
    w.end(*caller, "caller_hung_up");
  return std::move(w).done();
}

/// First answer wins: a leg whose offer was rescinded is not found any more, it was told to hang up.
result call_answered(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_call(msg.from_id);
  const auto [served, by] = w.by_offered_leg(msg.from_id);
  if (caller && caller->phase == caller_phase::initiating)
    w.wait(*caller);
  else if (caller && caller->phase == caller_phase::calling_back)
    w.bring_together(*caller);
  else if (served)
    w.answered(*served, *by);
  return std::move(w).done();
}

result call_ended(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  const auto reason = body_reader{msg}.text("reason");
  const auto [asked, leg] = w.by_offered_leg(msg.from_id);
  if (auto* caller = w.by_call(msg.from_id); caller && caller->phase == caller_phase::calling_back)
    w.callback_failed(*caller, reason, true);
  else if (caller)
    w.end(*caller, "caller_hung_up");
  else if (asked)
    w.offer_failed(*asked, *leg, reason);
  else if (auto* served = w.by_agent_leg(msg.from_id); served && served->phase == caller_phase::calling_back)
    w.callback_failed(*served, "agent_hung_up", false);
  else if (served && served->phase == caller_phase::joining)
    w.agent_lost(*served, "agent_hung_up");
  else if (served)
    w.end(*served, "agent_hung_up");
  return std::move(w).done();
}

/// The number a caller overflowed to is through, or didn't answer: there is nothing to go on with. Also not for one who
/// was kicked meanwhile, or whose queue is gone: he talked on, and nobody else would end his call.
result connect_finished(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  const auto connect_id = in.text("connect_id");
  auto* caller = w.find([&](const auto& c) { return !connect_id.empty() && c.connect_id == connect_id; });
  if (!caller)
    return nobody_to_go_on_with(msg, ctx);
  if (in.flag("answered", false)) {
    w.out.send({"call", caller->call_id}, "hang_up");
    w.remove(*caller);
  } else {
    w.overflow_failed(*caller, in.text("reason", "failed"));
  }
  return std::move(w).done();
}

// -- conferences ------------------------------------------------------------------------------------------------------

result participant_joined(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* served = w.find([&](const auto& c) { return c.conference_id == msg.from_id; });
  if (!served || served->phase != caller_phase::joining)
    return std::move(w).done();
  const auto call_id = body_reader{msg}.text("call_id");
  served->caller_in = served->caller_in || call_id == served->call_id;
  served->agent_in = served->agent_in || call_id == served->agent_call_id;
  if (served->caller_in && served->agent_in)
    w.begin_service(*served);
  return std::move(w).done();
}

/// One of the two could not come in; the conference has let the other one go.
result participant_refused(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* served = w.find([&](const auto& c) { return c.conference_id == msg.from_id; });
  if (served && served->phase == caller_phase::joining && body_reader{msg}.text("call_id") == served->agent_call_id)
    w.agent_lost(*served, "did_not_join");
  else if (served)
    w.end(*served, "conference_ended");
  return std::move(w).done();
}

result conference_over(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  if (auto* served = w.find([&](const auto& c) { return c.conference_id == msg.from_id; }))
    w.end(*served, "conference_ended");
  return std::move(w).done();
}

// -- the queue a caller overflowed to ---------------------------------------------------------------------------------

result caller_accepted(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_call(body_reader{msg}.text("call_id"));
  if (caller && caller->phase == caller_phase::overflowing && caller->connect_id.empty())
    w.remove(*caller);
  return std::move(w).done();
}

result caller_refused(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  auto* caller = w.by_call(in.text("call_id"));
  if (caller && caller->phase == caller_phase::overflowing && caller->connect_id.empty())
    w.overflow_failed(*caller, in.text("reason"));
  return std::move(w).done();
}

// -- no queue here ----------------------------------------------------------------------------------------------------

namespace {

result say(const message& msg, std::string name) {
  result out;
  out.send(msg.sender(), std::move(name));
  return out;
}

} // namespace

result no_queue_for_agent(const message& msg, const context&) { return say(msg, "unwatch"); }
result no_queue_for_call(const message& msg, const context&) { return say(msg, "leave_queue"); }
result nobody_to_go_on_with(const message& msg, const context&) { return say(msg, "hang_up"); }
result no_queue_for_offer(const message& msg, const context&) {
  result out;
  body_reader in{msg};
  free_agent_of(msg, in, out);
  return out;
}

} // namespace switchboard::telephony::queues
