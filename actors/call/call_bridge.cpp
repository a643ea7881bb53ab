// The map of this file: getting hold of another call, talking to it, losing it; then requests, messages, the timer.
#include "actors/call/call_bridge.hpp"

#include <utility>

#include "actors/call/call_park.hpp"
#include "actors/call/call_transfer.hpp"

namespace switchboard::telephony::calls {

namespace {

constexpr milliseconds ask_timeout = std::chrono::seconds{10};
constexpr milliseconds reach_grace = std::chrono::seconds{20}; // the leg's own dial timeout and release come first

json connect_result(const call& c, const std::string& connect_id, const std::string& reason, bool answered) {
  return {{"call_id", c.id}, {"connect_id", connect_id}, {"reason", reason}, {"answered", answered}};
}

reach take_other(call& c, result& out) {
  out.cancel("reach");
  return *std::exchange(c.parts.change().other, std::nullopt);
}

} // namespace

bool is_free(const call& c, const sdk::entity_ref& for_whom) {
  const auto& parts = *c.parts;
  const bool waits = !c.queue_id.empty() && for_whom != sdk::entity_ref{"queue", c.queue_id};
  return !parts.peer && !parts.other && !parts.moving && !waits && c.conference_id.empty();
}

// -- getting hold of another call -------------------------------------------------------------------------------------

void get_hold(call& c, reach what, const new_leg& leg, const context& ctx, result& out) {
  what.token = ctx.make_uuid();
  json body{{"customer_id", c.customer_id}};
  if (!what.transferer.empty())
    body["transferred_from"] = what.transferer;
  if (leg.call_id.empty()) {
    what.dialed = true;
    what.call_id = ctx.make_uuid();
    what.party = leg.destination;
    body["source"] = leg.source.empty() ? far_end_of(c) : leg.source;
    body["destination"] = leg.destination;
    body["dial_timeout_ms"] = leg.dial_timeout;
    body["peer"] = {{"call_id", c.id}, {"token", what.token}, {"party", far_end_of(c)}};
    out.send(call_at(what.call_id), "create", std::move(body));
    out.arm("reach", leg.dial_timeout + reach_grace, {{"token", what.token}});
  } else {
    what.call_id = leg.call_id;
    body["token"] = what.token;
    body["party"] = far_end_of(c);
    if (!what.replaces.empty())
      body["replaces"] = what.replaces;
    out.send(call_at(what.call_id), "peer_ask", std::move(body));
    out.arm("reach", ask_timeout, {{"token", what.token}});
  }
  c.updated = ctx.now();
  c.parts.change().other = std::move(what);
}

void other_is_ready(call& c, const context& ctx, result& out) {
  c.updated = ctx.now();
  if (c.parts->other->purpose == reach_purpose::consult) {
    out.cancel("reach");
    return consult_begins(c, out);
  }
  const auto got = take_other(c, out);
  if (got.purpose == reach_purpose::transfer)
    leave_transferer(c, got, out);
  else if (got.purpose == reach_purpose::connect && !got.requester.empty())
    c.parts.change().connect = {got.request_id, got.requester};
  if (c.parts->parked)
    leave_parking(c, got.purpose == reach_purpose::take_back ? "returned" : "picked_up", out);
  talk_to(c, {got.call_id, got.token, got.party}, out);
}

void other_failed(call& c, const std::string& reason, const context& ctx, result& out) {
  const auto got = take_other(c, out);
  c.updated = ctx.now();
  const json data = about(c, {{"other_call_id", got.call_id}, {"reason", reason}});
  switch (got.purpose) {
  case reach_purpose::bridge:
    out.event("call.bridge_failed", data);
    break;
  case reach_purpose::connect:
    out.event("call.connect_failed", data);
    if (!got.requester.empty())
      tell_followers(c, got.requester, "connect_finished", connect_result(c, got.request_id, reason, false), out);
    break;
  case reach_purpose::transfer:
    transfer_came_to_nothing(c, got, reason, ctx, out);
    break;
  case reach_purpose::consult:
    consult_failed(c, got.answered, reason, out);
    break;
  case reach_purpose::take_back:
    start_hangup(c, "park_timeout", ctx, out);
    break;
  case reach_purpose::unpark:
    out.event("call.unpark_failed", data);
    break;
  }
  if (c.parts->parked && got.purpose != reach_purpose::take_back)
    park_on(c, ctx, out);
}

void let_other_go(call& c, result& out) {
  if (!c.parts->other)
    return;
  const auto gone = take_other(c, out);
  if (gone.dialed)
    out.send(call_at(gone.call_id), "hang_up", {{"customer_id", c.customer_id}});
  else
    // One who gave up another bridge for us has nobody else.
    out.send(call_at(gone.call_id), "peer_gone", {{"token", gone.token}, {"hang_up", !gone.replaces.empty()}});
}

// -- talking to it, losing it -----------------------------------------------------------------------------------------

void talk_to(call& c, bond with, result& out) {
  out.send(trunk_of(c), "bridge", {{"call_id", with.call_id}});
  auto data = about(c, {{"peer_call_id", with.call_id}});
  c.parts.change().peer = std::move(with);
  out.event("call.bridged", std::move(data));
}

void bridge_again(const call& c, result& out) {
  if (is_bridged(c))
    out.send(trunk_of(c), "bridge", {{"call_id", c.parts->peer->call_id}});
  else if (!c.conference_id.empty())
    out.send(trunk_of(c), "bridge", {{"conference_id", c.conference_id}});
  else
    out.send(trunk_of(c), "unbridge");
}

void peer_lost(call& c, bool hang_up, const std::string& reason, const context& ctx, result& out) {
  auto& parts = c.parts.change();
  const auto gone = *std::exchange(parts.peer, std::nullopt);
  c.updated = ctx.now();
  if (c.status == call_status::progressing)
    out.event("call.unbridged", about(c, {{"peer_call_id", gone.call_id}, {"reason", reason}}));
  if (parts.moving && transferee_lost(c, out))
    return;
  const bool is_moved = parts.other && parts.other->purpose == reach_purpose::transfer;
  if (is_moved || end_connection(c, reason, out) || !hang_up)
    out.send(trunk_of(c), "unbridge");
  else
    start_hangup(c, {}, ctx, out);
}

bool end_connection(call& c, const std::string& reason, result& out) {
  if (!c.parts->connect)
    return false;
  const auto over = *std::exchange(c.parts.change().connect, std::nullopt);
  tell_followers(c, over.requester, "connect_finished", connect_result(c, over.connect_id, reason, true), out);
  return true;
}

void end_bridges(call& c, result& out) {
  if (c.parts->moving)
    end_transferring(c, out);
  if (c.parts->other) {
    const auto other = *c.parts->other;
    let_other_go(c, out);
    if (other.purpose == reach_purpose::transfer)
      out.send(call_at(other.transferer), "transfer_failed",
               {{"transfer_id", other.request_id}, {"reason", "transferee_hung_up"}});
    if (other.purpose == reach_purpose::connect && !other.requester.empty())
      tell_followers(c, other.requester, "connect_finished", connect_result(c, other.request_id, "hangup", false), out);
  }
  auto& parts = c.parts.change();
  if (parts.peer && c.owner != call_at(parts.peer->call_id)) // the owner hears it by call_ended
    out.send(call_at(parts.peer->call_id), "peer_gone",
             {{"token", parts.peer->token}, {"hang_up", true}, {"reason", c.ending->reason}});
  end_connection(c, "hangup", out);
  if (parts.parked)
    out.cancel("park");
}

new_leg read_leg(body_reader& in, const context& ctx) {
  new_leg leg;
  if (const auto* destination = in.find("destination"))
    leg.destination = sdk::read_address(in, "destination", *destination);
  else
    leg.call_id = in.identity("call_id");
  if (const auto* source = in.find("source"))
    leg.source = sdk::read_address(in, "source", *source);
  leg.dial_timeout =
      in.duration("dial_timeout_ms", ctx.setting("dial_timeout_ms", dial_timeout_default), milliseconds{1});
  return leg;
}

// -- requests ---------------------------------------------------------------------------------------------------------

result bridge(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  new_leg leg;
  leg.call_id = in.identity("call_id");
  if (leg.call_id == c.id)
    in.complain("a call can't be bridged with itself");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing)
    return not_now(c, "can't bridge");
  if (is_bridged(c) && c.parts->peer->call_id == leg.call_id)
    return shows(c);
  if (!is_free(c))
    return not_so("the call talks to somebody, or is about to");
  result out;
  get_hold(c, {.purpose = reach_purpose::bridge}, leg, ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

/// Both go on, each alone.
result unbridge(call c, const message&, const context& ctx) {
  if (!is_bridged(c) || c.parts->moving || c.parts->other)
    return not_so("the call is not bridged, or is being transferred");
  result out;
  out.send(call_at(c.parts->peer->call_id), "peer_gone", {{"token", c.parts->peer->token}, {"hang_up", false}});
  peer_lost(c, false, "unbridged", ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

result connect(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  if (!in.find("destination"))
    in.complain("destination is missing");
  const auto leg = read_leg(in, ctx);
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing)
    return not_now(c, "can't connect");
  if (!is_free(c))
    return not_so("the call talks to somebody, or is about to");
  result out;
  get_hold(c, {.purpose = reach_purpose::connect}, leg, ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

// -- messages ---------------------------------------------------------------------------------------------------------

result nobody_to_connect(const message& msg, const context& ctx) {
  result out;
  out.send(msg.sender(), "connect_finished",
           {{"call_id", ctx.id()},
            {"connect_id", body_reader{msg}.text("connect_id")},
            {"reason", "failed"},
            {"answered", false}});
  return out;
}

/// A flow connects its caller to somebody; the caller goes on when that one has hung up.
result connect_for(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg))
    return nobody_to_connect(msg, ctx);
  result out;
  body_reader in{msg};
  auto connect_id = in.identity("connect_id");
  const auto leg = read_leg(in, ctx);
  const bool repeated = (c.parts->connect && c.parts->connect->connect_id == connect_id) ||
                        (c.parts->other && c.parts->other->request_id == connect_id);
  if (repeated)
    return out;
  const bool can = c.status == call_status::progressing && is_free(c, msg.sender());
  if (in.wrong() || leg.destination.empty() || !can) {
    out.send(msg.sender(), "connect_finished", connect_result(c, connect_id, "failed", false));
    return out;
  }
  get_hold(c, {.purpose = reach_purpose::connect, .requester = msg.sender(), .request_id = std::move(connect_id)}, leg,
           ctx, out);
  out.next(std::move(c));
  return out;
}

namespace {

result refuse_peer(const message& msg, const char* why) {
  result out;
  out.send(msg.sender(), "peer_refused", {{"token", body_reader{msg}.text("token")}, {"reason", why}});
  return out;
}
result say_gone(const message& msg, bool hang_up) {
  result out;
  out.send(msg.sender(), "peer_gone", {{"token", body_reader{msg}.text("token")}, {"hang_up", hang_up}});
  return out;
}

constexpr const char* handed_over = "transferred"; ///< why a party that was consulted is gone

sdk::address read_party(body_reader& in) {
  const auto* party = in.find("party");
  return party ? sdk::read_address(in, "party", *party) : sdk::address{};
}

} // namespace

result nobody_to_bridge(const message& msg, const context&) { return refuse_peer(msg, "not_found"); }

/// Another call wants to talk to us; `replaces` names the bridge that we are to give up for it.
result peer_ask(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg) || msg.from_type != "call")
    return refuse_peer(msg, "not_found");
  if (c.status != call_status::progressing)
    return refuse_peer(msg, is_live(c.status) ? "call_is_not_answered" : "call_is_over");
  body_reader in{msg};
  const auto token = in.identity("token"), replaces = in.text("replaces");
  const bool repeated = c.parts->peer && c.parts->peer->token == token;
  const bool may = replaces.empty()
                       ? is_free(c)
                       : is_bridged(c) && c.parts->peer->token == replaces && !c.parts->other && !c.parts->moving;
  if (in.wrong() || (!repeated && !may))
    return refuse_peer(msg, "call_is_elsewhere");
  result out;
  if (!repeated) {
    c.updated = ctx.now();
    if (auto from = in.text("transferred_from"); !from.empty())
      c.parts.change().transferred_from = std::move(from);
    if (c.parts->parked)
      leave_parking(c, "picked_up", out);
    if (!replaces.empty()) // whatever becomes of the transfer, we are with the transferer no more
      out.send(call_at(c.parts->peer->call_id), "peer_gone",
               {{"token", replaces}, {"hang_up", true}, {"reason", handed_over}});
    talk_to(c, {msg.from_id, token, read_party(in)}, out);
  }
  out.send(msg.sender(), "peer_taken", {{"token", token}, {"party", far_end_of(c)}});
  out.next(std::move(c));
  return out;
}

namespace {

bool is_about_other(const call& c, const std::string& token) {
  return c.parts->other && !token.empty() && c.parts->other->token == token;
}

} // namespace

result peer_taken(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto token = in.text("token");
  if (c.parts->peer && c.parts->peer->token == token)
    return {}; // a repeat
  if (c.status != call_status::progressing || !is_about_other(c, token) || c.parts->other->dialed)
    return say_gone(msg, !is_live(c.status));
  if (c.parts->other->answered)
    return {};
  result out;
  c.parts.change().other->party = read_party(in);
  other_is_ready(c, ctx, out);
  out.next(std::move(c));
  return out;
}
result peer_taken_too_late(const message& msg, const context&) { return say_gone(msg, true); }

result peer_refused(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  result out;
  if (!is_about_other(c, in.text("token")) || c.parts->other->dialed || c.parts->other->answered)
    return out;
  other_failed(c, in.text("reason", "failed"), ctx, out);
  out.next(std::move(c));
  return out;
}

result peer_gone(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto token = in.text("token"), reason = in.text("reason", "hangup");
  result out;
  if (is_about_other(c, token) && reason == handed_over && is_consulting(c))
    consulted_is_handed_over(c, out);
  else if (is_about_other(c, token))
    other_failed(c, reason, ctx, out); // whom we consult, or who was just about to come
  else if (c.parts->peer && !token.empty() && c.parts->peer->token == token)
    peer_lost(c, in.flag("hang_up", true), in.text("reason", "normal"), ctx, out);
  else
    return out;
  out.next(std::move(c));
  return out;
}

/// The leg we placed was answered.
result other_answered(call c, const message& msg, const context& ctx) {
  const auto& parts = *c.parts;
  if (parts.peer && parts.peer->call_id == msg.from_id)
    return {};
  result out;
  const bool awaited = parts.other && parts.other->dialed && parts.other->call_id == msg.from_id;
  if (!awaited || c.status != call_status::progressing) {
    out.send(msg.sender(), "hang_up", {{"customer_id", c.customer_id}});
    return out;
  }
  if (parts.other->answered)
    return out;
  other_is_ready(c, ctx, out);
  out.next(std::move(c));
  return out;
}
/// Somebody speaks to a call that is over or was never here, of one that must not stay up alone.
result nobody_wants_it(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "hang_up");
  return out;
}

result other_ended(call c, const message& msg, const context& ctx) {
  const auto reason = body_reader{msg}.text("reason", "failed");
  result out;
  if (c.parts->other && c.parts->other->dialed && c.parts->other->call_id == msg.from_id)
    other_failed(c, reason, ctx, out);
  else if (c.parts->peer && c.parts->peer->call_id == msg.from_id)
    peer_lost(c, true, reason, ctx, out);
  else
    return out;
  out.next(std::move(c));
  return out;
}

// -- the timer --------------------------------------------------------------------------------------------------------

/// The other call never said what became of it.
result reach_timeout(call c, const message& msg, const context& ctx) {
  result out;
  if (!is_about_other(c, body_reader{msg}.text("token")) || c.parts->other->answered)
    return out;
  const auto other = *c.parts->other;
  let_other_go(c, out);
  c.parts.change().other = other; // for what it was wanted
  other_failed(c, "noanswer", ctx, out);
  out.next(std::move(c));
  return out;
}

} // namespace switchboard::telephony::calls
