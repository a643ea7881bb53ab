// The map of this file: queue and conference; followers and what others may ask for; chained calls.
#include "actors/call/call_company.hpp"

#include <algorithm>
#include <utility>

#include "actors/call/call_bridge.hpp"
#include "actors/call/call_transfer.hpp"

namespace switchboard::telephony::calls {

// -- queue and conference ---------------------------------------------------------------------------------------------

namespace {

bool talks_elsewhere(const call& c) { return c.parts->peer || c.parts->other || c.parts->parked; }

json joined(const call& c, const message& msg) {
  json body{{"call_id", c.id}, {"status", sdk::text(c.status)}};
  if (const auto visit = body_reader{msg}.integer("visit", 0, 0, INT64_MAX))
    body["visit"] = visit;
  return body;
}

} // namespace

/// Asks the conference to take this call in; the conference then asks back (join_conference).
result enter_conference(call c, const message& msg, const context&) {
  body_reader in{msg};
  const auto conference = in.identity("confbridge_id");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  const bool elsewhere = talks_elsewhere(c) || (!c.conference_id.empty() && c.conference_id != conference);
  if (c.status != call_status::progressing || elsewhere)
    return not_now(c, "can't put into this conference");
  result out;
  out.send({"conference", conference}, "add_call", {{"call_id", c.id}, {"customer_id", c.customer_id}});
  out.reply(200, view(c));
  return out;
}

/// The conference does not take it in.
result join_refused(call c, const message& msg, const context&) {
  body_reader in{msg};
  result out;
  if (is_live(c.status))
    out.event("call.join_failed",
              about(c, {{"conference_id", in.text("conference_id")}, {"reason", in.text("reason")}}));
  return out;
}

result not_found(const message& msg, const context& ctx) { return refuse(msg, ctx, "not_found"); }

/// A queue takes the caller in. An incoming caller who was not answered yet is answered now.
result join_queue(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg))
    return refuse(msg, ctx, "not_found");
  if (!is_live(c.status))
    return refuse(msg, ctx, "call_is_over");
  if ((!c.queue_id.empty() && c.queue_id != msg.from_id) || !c.conference_id.empty() || talks_elsewhere(c))
    return refuse(msg, ctx, "call_is_elsewhere");
  result out;
  c.queue_id = msg.from_id;
  if (c.direction == call_direction::incoming && c.status == call_status::ringing)
    out.send(trunk_of(c), "answer");
  out.send(msg.sender(), "call_joined", joined(c, msg));
  out.next(std::move(c));
  return out;
}

result leave_queue(call c, const message& msg, const context&) {
  result out;
  if (c.queue_id == msg.from_id) {
    leave_queue_for_good(c);
    out.next(std::move(c));
  }
  return out;
}

result join_conference(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg))
    return refuse(msg, ctx, "not_found");
  if (c.status != call_status::progressing)
    return refuse(msg, ctx, is_live(c.status) ? "call_is_not_answered" : "call_is_over");
  if ((!c.conference_id.empty() && c.conference_id != msg.from_id) || talks_elsewhere(c))
    return refuse(msg, ctx, "call_is_elsewhere");
  result out;
  c.conference_id = msg.from_id;
  const auto visit = static_cast<std::uint64_t>(body_reader{msg}.integer("visit", 0, 0, INT64_MAX));
  if (visit != c.parts->visit)
    c.parts.change().visit = visit;
  c.updated = ctx.now();
  out.send(trunk_of(c), "bridge", {{"conference_id", c.conference_id}});
  out.send(msg.sender(), "call_joined", joined(c, msg));
  out.next(std::move(c));
  return out;
}

/// Out of it, but not hung up.
result leave_conference_for(call c, const message& msg, const context& ctx) {
  result out;
  if (c.conference_id != msg.from_id || msg.from_id.empty())
    return out;
  leave_conference(c, "left", out);
  c.updated = ctx.now();
  if (c.status == call_status::progressing)
    out.send(trunk_of(c), "unbridge");
  out.next(std::move(c));
  return out;
}

/// A conference wants to know whether this call is still there; so do we, of the trunk.
result check(call c, const message& msg, const context&) {
  result out;
  json body{{"call_id", c.id}, {"status", sdk::text(c.status)}};
  body["check"] = body_reader{msg}.integer("check", 0, 0, INT64_MAX);
  body["visit"] = c.parts->visit;
  body["inside"] = msg.from_type == "conference" && msg.from_id == c.conference_id;
  out.send(msg.sender(), "call_status", std::move(body));
  if (is_live(c.status))
    out.send(trunk_of(c), "check");
  return out;
}
result nobody_to_check(const message& msg, const context& ctx) { return nothing_to_hang_up(msg, ctx); }

result leg_status(call c, const message& msg, const context&) {
  result out;
  if (c.status == call_status::hangup) {
    out.send(msg.sender(), "hang_up");
    return out;
  }
  if (c.status != call_status::progressing)
    return out;
  body_reader in{msg};
  const bool consults = c.parts->other && c.parts->other->purpose == reach_purpose::consult && c.parts->other->answered;
  const auto with = consults ? c.parts->other->call_id : is_bridged(c) ? c.parts->peer->call_id : std::string{};
  if (in.text("conference_id") != (with.empty() ? c.conference_id : std::string{}) ||
      in.text("bridged_call_id") != with) {
    if (consults)
      out.send(trunk_of(c), "bridge", {{"call_id", with}});
    else
      bridge_again(c, out);
  }
  if (in.flag("held", false) != c.held)
    out.send(trunk_of(c), "hold", {{"held", c.held}});
  if (in.text("mute") != c.parts->mute)
    out.send(trunk_of(c), "mute", {{"direction", c.parts->mute}});
  return out;
}

// -- followers, and what others may ask for ---------------------------------------------------------------------------

result follow(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg))
    return refuse(msg, ctx, "not_found");
  if (!is_live(c.status))
    return refuse(msg, ctx, "call_is_over");
  const auto& followers = c.parts->followers;
  const auto who = msg.sender();
  const bool known = std::find(followers.begin(), followers.end(), who) != followers.end();
  if (!known && followers.size() >= followers_max)
    return refuse(msg, ctx, "too_many_followers");
  result out;
  if (!known)
    c.parts.change().followers.push_back(who);
  out.send(who, "call_followed",
           {{"call_id", c.id},
            {"status", sdk::text(c.status)},
            {"direction", sdk::text(c.direction)},
            {"source", c.source},
            {"destination", c.destination}});
  out.next(std::move(c));
  return out;
}

result unfollow(call c, const message& msg, const context&) {
  result out;
  if (std::erase(c.parts.change().followers, msg.sender()))
    out.next(std::move(c));
  return out;
}

/// Whoever asks for it twice, or late, hears that it is answered.
result answer_for(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg))
    return refuse(msg, ctx, "not_found");
  if (!is_live(c.status))
    return refuse(msg, ctx, "call_is_over");
  result out;
  if (c.status == call_status::progressing)
    out.send(msg.sender(), "call_answered", {{"call_id", c.id}});
  else if (c.direction == call_direction::incoming)
    out.send(trunk_of(c), "answer");
  return out;
}

/// No other tenant's entity ends it, whatever id that one was given. A conference that this call has left does not end
/// it any more, nor does a queue it was transferred out of or that isn't where it is now; while it is being transferred
/// its own doesn't either.
result hang_up_for(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  result out;
  const auto sender = msg.sender();
  const bool is_room = sender.type == "queue" || sender.type == "conference";
  const bool is_its_room = sender.id == (sender.type == "queue" ? c.queue_id : c.conference_id);
  const bool is_elsewhere = !c.queue_id.empty() || !c.conference_id.empty() || talks_elsewhere(c) || c.parts->moving;
  const bool has_left = sender.type == "conference" || is_elsewhere || !c.parts->transferred_from.empty();
  if (is_room && !is_its_room && has_left && sender != c.owner)
    return out;
  // A flow that put it into the queue it was transferred out of has no say in the new talk; its end ends the call.
  if (sender.type == "activeflow" && !c.parts->transferred_from.empty() && talks_elsewhere(c))
    return out;
  const bool is_of_another = !msg.customer_id.empty() && msg.customer_id != c.customer_id;
  if (is_of_another || (in.find("customer_id") && !of_same_tenant(c, msg)))
    return out;
  if (!is_room || !is_its_room || !stays_for_transfer(c, out))
    start_hangup(c, in.text("reason"), ctx, out);
  out.next(std::move(c));
  return out;
}
result nothing_to_hang_up(const message& msg, const context& ctx) {
  result out;
  json body{{"call_id", ctx.id()}, {"reason", "not_found"}, {"by", "local"}};
  if (const auto visit = body_reader{msg}.integer("visit", 0, 0, INT64_MAX))
    body["visit"] = visit; // which invitation of a conference this is about
  out.send(msg.sender(), "call_ended", std::move(body));
  return out;
}

// -- chained calls: hung up together with their master ----------------------------------------------------------------

void end_chain(call& c, result& out) {
  for (const auto& one : c.parts->chained)
    out.send(call_at(one), "master_ended");
  if (!c.parts->master_call_id.empty())
    out.send(call_at(c.parts->master_call_id), "chained_ended");
}

result chain(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto other = in.identity("chained_call_id");
  if (other == c.id)
    in.complain("a call can't be chained to itself");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (!is_live(c.status))
    return not_now(c, "can't chain anything to");
  const auto& chained = c.parts->chained;
  if (std::find(chained.begin(), chained.end(), other) != chained.end())
    return shows(c);
  if (chained.size() >= chained_max)
    return sdk::refused<call>(429, "RESOURCE_EXHAUSTED", "as many calls as may be are chained to this one");
  result out;
  c.parts.change().chained.push_back(other);
  c.updated = ctx.now();
  out.send(call_at(other), "chain_to", {{"customer_id", c.customer_id}});
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

result unchain(call c, const message& msg, const context& ctx) {
  const auto other = msg.path_parameter("chained_id");
  if (!std::erase(c.parts.change().chained, other))
    return sdk::refused<call>(404, "NOT_FOUND", "this call is not chained to it");
  result out;
  c.updated = ctx.now();
  out.send(call_at(other), "unchain").reply(200, view(c)).next(std::move(c));
  return out;
}

result no_master(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "master_ended");
  return out;
}

/// A call that was created with us as its master.
result add_chained(call c, const message& msg, const context& ctx) {
  const auto& chained = c.parts->chained;
  const bool known = std::find(chained.begin(), chained.end(), msg.from_id) != chained.end();
  if (msg.from_type != "call" || !of_same_tenant(c, msg) || !is_live(c.status) ||
      (!known && chained.size() >= chained_max))
    return no_master(msg, ctx);
  result out;
  if (!known)
    c.parts.change().chained.push_back(msg.from_id);
  out.next(std::move(c));
  return out;
}

result nobody_to_chain(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "chain_refused");
  return out;
}

result chain_to(call c, const message& msg, const context& ctx) {
  const auto& master = c.parts->master_call_id;
  if (msg.from_type != "call" || !of_same_tenant(c, msg) || !is_live(c.status) ||
      (!master.empty() && master != msg.from_id))
    return nobody_to_chain(msg, ctx);
  result out;
  c.parts.change().master_call_id = msg.from_id;
  out.next(std::move(c));
  return out;
}

result chain_refused(call c, const message& msg, const context&) {
  result out;
  if (std::erase(c.parts.change().chained, msg.from_id))
    out.event("call.chain_failed", about(c, {{"chained_call_id", msg.from_id}})).next(std::move(c));
  return out;
}

result let_off_chain(call c, const message& msg, const context&) {
  result out;
  if (c.parts->master_call_id != msg.from_id)
    return out;
  c.parts.change().master_call_id.clear();
  out.next(std::move(c));
  return out;
}

result chained_ended(call c, const message& msg, const context&) {
  result out;
  if (std::erase(c.parts.change().chained, msg.from_id))
    out.next(std::move(c));
  return out;
}

result master_ended(call c, const message& msg, const context& ctx) {
  result out;
  if (c.parts->master_call_id != msg.from_id || msg.from_type != "call")
    return out;
  start_hangup(c, {}, ctx, out);
  out.next(std::move(c));
  return out;
}

} // namespace switchboard::telephony::calls
