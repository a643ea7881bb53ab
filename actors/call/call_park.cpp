#include "actors/call/call_park.hpp"

#include <algorithm>
#include <utility>

#include "actors/call/call_bridge.hpp"

namespace switchboard::telephony::calls {

namespace {

constexpr milliseconds park_least = std::chrono::seconds{5}; // after somebody tried to take it

/// Until the time is over; the payload tells this stay from an earlier one.
void arm_park(const parking& stay, milliseconds left, result& out) { out.arm("park", left, {{"since", stay.since}}); }

} // namespace

void leave_parking(call& c, std::string_view why, result& out) {
  c.parts.change().parked.reset();
  out.cancel("park").event("call.unparked", about(c, {{"reason", why}}));
}

/// Whom it talks to is the parker: that leg is let go, and its far end is rung when the time is over.
result park(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto timeout = in.duration("timeout_ms", ctx.setting("park_ms", park_default), milliseconds{1});
  sdk::address return_to;
  if (const auto* address = in.find("return_to"))
    return_to = sdk::read_address(in, "return_to", *address);
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing)
    return not_now(c, "can't park");
  if (c.parts->parked)
    return shows(c);
  if (c.parts->other || c.parts->moving || !c.queue_id.empty() || !c.conference_id.empty())
    return not_so("the call is in a queue or a conference, or is getting hold of another one");
  result out;
  auto& parts = c.parts.change();
  c.updated = ctx.now();
  if (parts.peer) {
    const auto parker = *std::exchange(parts.peer, std::nullopt);
    if (return_to.empty())
      return_to = parker.party;
    out.send(call_at(parker.call_id), "peer_gone", {{"token", parker.token}, {"hang_up", true}, {"reason", "parked"}});
    out.send(trunk_of(c), "unbridge");
    end_connection(c, "parked", out);
  }
  parts.parked = parking{ctx.now(), ctx.now() + timeout, return_to};
  arm_park(*parts.parked, timeout, out);
  out.event("call.parked", about(c, {{"timeout_ms", timeout}, {"return_to", return_to.target}}));
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

/// `call_id`: an answered call takes it; `destination`: that number is rung; neither: it is only let out.
result unpark(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const bool by_somebody = in.find("call_id") || in.find("destination");
  new_leg leg;
  if (by_somebody)
    leg = read_leg(in, ctx);
  if (leg.call_id == c.id)
    in.complain("call_id must be another call");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (!c.parts->parked || c.status != call_status::progressing)
    return not_so("the call is not parked");
  result out;
  c.updated = ctx.now();
  let_other_go(c, out); // the parker's phone may be ringing
  if (by_somebody)
    get_hold(c, {.purpose = reach_purpose::unpark}, leg, ctx, out);
  else
    leave_parking(c, "unparked", out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

void park_on(const call& c, const context& ctx, result& out) {
  arm_park(*c.parts->parked, std::max<milliseconds>(c.parts->parked->until - ctx.now(), park_least), out);
}

result parked_too_long(call c, const message& msg, const context& ctx) {
  result out;
  const auto& stay = c.parts->parked;
  if (!stay || c.status != call_status::progressing ||
      body_reader{msg}.integer("since", 0, 0, INT64_MAX) != stay->since.time_since_epoch().count())
    return out;
  if (c.parts->other) // somebody is just about to take it
    return out;
  if (c.parts->parked->return_to.empty()) {
    start_hangup(c, "park_timeout", ctx, out);
  } else {
    new_leg leg;
    leg.destination = c.parts->parked->return_to;
    leg.dial_timeout = ctx.setting("dial_timeout_ms", dial_timeout_default);
    get_hold(c, {.purpose = reach_purpose::take_back}, leg, ctx, out);
  }
  out.next(std::move(c));
  return out;
}

} // namespace switchboard::telephony::calls
