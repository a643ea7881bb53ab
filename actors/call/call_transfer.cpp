// The map of this file: the transferer's steps, the transferee's steps; then requests, messages, the timer.
#include "actors/call/call_transfer.hpp"

#include <utility>

#include "actors/call/call_bridge.hpp"

namespace switchboard::telephony::calls {

namespace {

constexpr milliseconds transfer_grace = std::chrono::seconds{30}; // the transferee's own timer comes first

// -- the transferer ---------------------------------------------------------------------------------------------------

bool is_handing_over(const call& c) {
  return c.parts->moving && c.parts->moving->attended && c.parts->moving->phase == transfer_phase::going;
}

void announce_failure(const call& c, const transfer& what, const std::string& reason, result& out) {
  out.event("call.transfer_failed", about(c, {{"transfer_id", what.id},
                                              {"type", what.attended ? "attended" : "blind"},
                                              {"transferee_call_id", what.transferee},
                                              {"reason", reason}}));
}

/// It is over and everybody is where he was.
void give_up(call& c, const std::string& reason, result& out) {
  out.cancel("transfer");
  const auto over = *std::exchange(c.parts.change().moving, std::nullopt);
  announce_failure(c, over, reason, out);
}

void arm_guard(const transfer& what, result& out) {
  out.arm("transfer", what.dial_timeout + transfer_grace, {{"transfer_id", what.id}});
}

json order(const call& c, const transfer& what) {
  json body{{"customer_id", c.customer_id},
            {"transfer_id", what.id},
            {"bond", what.bond},
            {"dial_timeout_ms", what.dial_timeout}};
  if (what.target.empty())
    body["destination"] = what.destination;
  else
    body["call_id"] = what.target;
  return body;
}

/// The call we consult is the target now; the transferee takes it over from us.
json hand_over(const call& c) {
  auto body = order(c, *c.parts->moving);
  body.erase("destination");
  body["call_id"] = c.parts->other->call_id;
  body["replaces"] = c.parts->other->token;
  return body;
}

/// The transferee is known.
void proceed(call& c, const context& ctx, result& out) {
  auto& what = *c.parts.change().moving;
  if (!what.attended) {
    what.phase = transfer_phase::going;
    arm_guard(what, out);
    out.send(call_at(what.transferee), "transfer_to", order(c, what));
    return;
  }
  what.phase = transfer_phase::calling;
  out.cancel("transfer");
  const new_leg leg{what.target, what.destination, {}, what.dial_timeout};
  get_hold(c, {.purpose = reach_purpose::consult}, leg, ctx, out);
}

} // namespace

void consult_begins(call& c, result& out) {
  auto& parts = c.parts.change();
  parts.other->answered = true;
  parts.moving->phase = transfer_phase::consulting;
  out.send(trunk_of(c), "bridge", {{"call_id", parts.other->call_id}});
  out.event("call.consulting", about(c, {{"transfer_id", parts.moving->id}, {"other_call_id", parts.other->call_id}}));
}

void consult_failed(call& c, bool was_answered, const std::string& reason, result& out) {
  if (was_answered)
    bridge_again(c, out);
  if (c.parts->moving)
    give_up(c, reason, out);
}

bool is_consulting(const call& c) {
  return c.parts->moving && c.parts->other && c.parts->other->purpose == reach_purpose::consult &&
         c.parts->other->answered;
}

void consulted_is_handed_over(call& c, result& out) {
  auto& parts = c.parts.change();
  auto gone = *std::exchange(parts.other, std::nullopt);
  if (is_handing_over(c)) {
    parts.moving->target = std::move(gone.call_id); // how it ends, the transferee says
    return;
  }
  parts.moving.reset(); // it said so before, and we have announced it
  bridge_again(c, out);
}

bool transferee_lost(call& c, result& out) {
  auto& parts = c.parts.change();
  const bool consulting = is_consulting(c);
  if (consulting) {
    const auto with = *std::exchange(parts.other, std::nullopt);
    parts.peer = bond{with.call_id, with.token, with.party};
    out.event("call.bridged", about(c, {{"peer_call_id", with.call_id}}));
  } else {
    let_other_go(c, out);
  }
  give_up(c, "transferee_hung_up", out);
  return consulting;
}

void end_transferring(call& c, result& out) {
  const auto& parts = *c.parts;
  out.cancel("transfer");
  if (is_consulting(c)) {
    auto body = hand_over(c);
    body["final"] = true;
    out.send(call_at(parts.moving->transferee), "transfer_to", std::move(body));
    auto& kept = c.parts.change();
    kept.transferred_to = kept.other->call_id;
    kept.other.reset(); // it goes to the transferee
  } else if (is_handing_over(c)) {
    c.parts.change().transferred_to = parts.moving->target; // it is there
  }
  c.parts.change().moving.reset();
}

// -- the transferee ---------------------------------------------------------------------------------------------------

void leave_transferer(call& c, const reach& target, result& out) {
  out.send(call_at(target.transferer), "transfer_done",
           {{"transfer_id", target.request_id}, {"call_id", target.call_id}});
  auto& parts = c.parts.change();
  parts.peer.reset();
  parts.transferred_from = target.transferer;
  parts.transferred_to = target.call_id;
  leave_queue_for_good(c);
  if (!c.conference_id.empty())
    leave_conference(c, "transferred", out);
  if (c.owner.type == "queue")
    c.owner = {}; // it called this party back for a talk that is over now
  out.event("call.transferred", about(c, {{"transfer_id", target.request_id},
                                          {"transferer_call_id", target.transferer},
                                          {"peer_call_id", target.call_id}}));
}

void transfer_came_to_nothing(call& c, const reach& target, const std::string& reason, const context& ctx,
                              result& out) {
  out.send(call_at(target.transferer), "transfer_failed", {{"transfer_id", target.request_id}, {"reason", reason}});
  if (is_bridged(c) || !c.conference_id.empty())
    return; // together as before
  out.event("call.transfer_failed",
            about(c, {{"transfer_id", target.request_id}, {"transferee_call_id", c.id}, {"reason", reason}}));
  if (!target.replaces.empty()) // it waits for the transferer, who is gone
    out.send(call_at(target.call_id), "peer_gone", {{"token", target.replaces}, {"hang_up", true}});
  if (!end_connection(c, reason, out))
    start_hangup(c, {}, ctx, out);
}

bool stays_for_transfer(call& c, result& out) {
  if (!c.parts->other || c.parts->other->purpose != reach_purpose::transfer)
    return false;
  leave_queue_for_good(c);
  if (!c.conference_id.empty())
    leave_conference(c, "transferred", out);
  out.send(trunk_of(c), "unbridge");
  return true;
}

// -- requests ---------------------------------------------------------------------------------------------------------

result transfer_call(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto type = in.text("type", "blind");
  if (type != "blind" && type != "attended")
    in.complain("type must be blind or attended");
  auto leg = read_leg(in, ctx);
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing)
    return not_now(c, "can't transfer");
  if (c.parts->moving || c.parts->other)
    return not_so("the call is getting hold of another one already");
  if (!is_bridged(c) && c.conference_id.empty())
    return not_so("the call talks to nobody who could be transferred");
  if (leg.call_id == c.id || (is_bridged(c) && leg.call_id == c.parts->peer->call_id))
    return sdk::refused<call>(400, "INVALID_ARGUMENT", "call_id must be a third call");
  transfer what{.id = ctx.make_uuid(),
                .attended = type == "attended",
                .target = std::move(leg.call_id),
                .destination = std::move(leg.destination),
                .dial_timeout = leg.dial_timeout};
  result out;
  const bool bridged = is_bridged(c);
  if (bridged) {
    what.transferee = c.parts->peer->call_id;
    what.bond = c.parts->peer->token;
  } else {
    what.bond = c.conference_id;
    arm_guard(what, out);
    out.send({"conference", c.conference_id}, "who_else", {{"transfer_id", what.id}});
  }
  c.updated = ctx.now();
  c.parts.change().moving = std::move(what);
  if (bridged)
    proceed(c, ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

result complete_transfer(call c, const message&, const context& ctx) {
  if (!c.parts->moving || !c.parts->moving->attended)
    return not_so("there is no attended transfer to complete");
  if (c.parts->moving->phase == transfer_phase::going)
    return shows(c);
  if (c.parts->moving->phase != transfer_phase::consulting)
    return not_so("the new party has not answered yet");
  result out;
  auto& what = *c.parts.change().moving;
  what.phase = transfer_phase::going;
  c.updated = ctx.now();
  arm_guard(what, out);
  out.send(call_at(what.transferee), "transfer_to", hand_over(c));
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

/// The transferee may be quicker: then it is done.
result cancel_transfer(call c, const message&, const context& ctx) {
  if (!c.parts->moving)
    return not_so("there is no transfer to cancel");
  result out;
  c.updated = ctx.now();
  if (c.parts->moving->phase == transfer_phase::going) {
    out.send(call_at(c.parts->moving->transferee), "transfer_cancel", {{"transfer_id", c.parts->moving->id}});
  } else {
    const bool talks_to_other = c.parts->other && c.parts->other->answered;
    let_other_go(c, out);
    if (talks_to_other)
      bridge_again(c, out);
    give_up(c, "canceled", out);
  }
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

// -- messages ---------------------------------------------------------------------------------------------------------

namespace {

bool is_about_transfer(const call& c, const message& msg) {
  return c.parts->moving && body_reader{msg}.text("transfer_id") == c.parts->moving->id;
}

} // namespace

/// The conference says who else is in it: exactly one can be transferred.
result others_in_conference(call c, const message& msg, const context& ctx) {
  result out;
  if (!is_about_transfer(c, msg) || c.parts->moving->phase != transfer_phase::finding)
    return out;
  auto others = body_reader{msg}.texts("call_ids");
  if (others.size() == 1) {
    c.parts.change().moving->transferee = std::move(others.front());
    proceed(c, ctx, out);
  } else {
    give_up(c, others.empty() ? "no_transferee" : "too_many_in_conference", out);
  }
  out.next(std::move(c));
  return out;
}

namespace {

result refuse_transfer(const message& msg, const std::string& reason) {
  body_reader in{msg};
  result out;
  out.send(msg.sender(), "transfer_failed", {{"transfer_id", in.text("transfer_id")}, {"reason", reason}});
  if (in.flag("final", false)) // the transferer is over: the party it consulted has nobody left
    out.send(call_at(in.text("call_id")), "peer_gone", {{"token", in.text("replaces")}, {"hang_up", true}});
  return out;
}

} // namespace

result nobody_to_transfer(const message& msg, const context&) { return refuse_transfer(msg, "transferee_hung_up"); }

result transfer_to(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto bond = in.text("bond");
  auto transfer_id = in.identity("transfer_id");
  const auto leg = read_leg(in, ctx);
  const bool ours = !bond.empty() && (bond == c.conference_id || (is_bridged(c) && c.parts->peer->token == bond));
  if (c.parts->other && c.parts->other->request_id == transfer_id)
    return {}; // a repeat
  if (in.wrong() || !of_same_tenant(c, msg) || !ours)
    return refuse_transfer(msg, "transferee_is_elsewhere");
  if (c.status != call_status::progressing)
    return refuse_transfer(msg, "transferee_hung_up");
  if (c.parts->other || c.parts->moving)
    return refuse_transfer(msg, "transferee_is_busy");
  result out;
  get_hold(c,
           {.purpose = reach_purpose::transfer,
            .request_id = std::move(transfer_id),
            .transferer = msg.from_id,
            .replaces = in.text("replaces")},
           leg, ctx, out);
  out.next(std::move(c));
  return out;
}

result transfer_canceled(call c, const message& msg, const context& ctx) {
  result out;
  const auto& other = c.parts->other;
  if (!other || other->purpose != reach_purpose::transfer || other->request_id != body_reader{msg}.text("transfer_id"))
    return out;
  const auto target = *other;
  let_other_go(c, out);
  transfer_came_to_nothing(c, target, "canceled", ctx, out);
  out.next(std::move(c));
  return out;
}

result transfer_done(call c, const message& msg, const context& ctx) {
  result out;
  auto& parts = c.parts.change();
  const bool by_peer = parts.peer && parts.peer->call_id == msg.from_id;
  if (is_about_transfer(c, msg)) {
    parts.transferred_to = body_reader{msg}.text("call_id");
    parts.moving.reset();
    parts.other.reset(); // whom we consulted belongs to the transferee now
    if (by_peer)
      parts.peer.reset();
    out.cancel("transfer").cancel("reach");
    start_hangup(c, {}, ctx, out);
  } else if (by_peer) { // we had given up waiting
    peer_lost(c, true, "transferred", ctx, out);
  } else {
    return out;
  }
  out.next(std::move(c));
  return out;
}

result transfer_failed(call c, const message& msg, const context&) {
  result out;
  if (!is_about_transfer(c, msg))
    return out;
  const auto reason = body_reader{msg}.text("reason", "timeout");
  auto& parts = c.parts.change();
  if (parts.other && parts.other->answered) { // still with the party we consult: try again, or cancel
    parts.moving->phase = transfer_phase::consulting;
    out.cancel("transfer");
    announce_failure(c, *parts.moving, reason, out);
  } else if (parts.moving->phase == transfer_phase::going) {
    if (is_handing_over(c)) // the party we consulted has left us for nobody
      bridge_again(c, out);
    give_up(c, reason, out);
  }
  out.next(std::move(c));
  return out;
}

/// Neither the conference nor the transferee said anything.
result transfer_timeout(call c, const message& msg, const context& ctx) {
  if (!is_about_transfer(c, msg))
    return {};
  const auto phase = c.parts->moving->phase;
  if (phase != transfer_phase::finding && phase != transfer_phase::going)
    return {};
  if (phase == transfer_phase::finding) {
    result out;
    give_up(c, "timeout", out);
    out.next(std::move(c));
    return out;
  }
  const auto transferee = c.parts->moving->transferee, id = c.parts->moving->id;
  if (is_handing_over(c) && !c.parts->other) { // it has the party we consulted, so its word counts
    result out;
    arm_guard(*c.parts->moving, out);
    out.send(call_at(transferee), "transfer_cancel", {{"transfer_id", id}});
    return out;
  }
  auto out = transfer_failed(std::move(c), msg, ctx);
  out.send(call_at(transferee), "transfer_cancel", {{"transfer_id", id}});
  return out;
}

} // namespace switchboard::telephony::calls
