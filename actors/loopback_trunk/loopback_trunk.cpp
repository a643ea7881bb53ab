#include "actors/loopback_trunk/loopback_trunk.hpp"

#include <algorithm>
#include <utility>

#include "actors/loopback_trunk/loopback_trunk_rules.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(leg, customer_id, phase, arriving, held, far_end, call, conference_id)

namespace {

using result = sdk::outcome<leg>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds ring_default{200};
constexpr milliseconds answer_default{1000};

json view(const leg& l) {
  return {{"customer_id", l.customer_id},
          {"status", sdk::text(l.phase)},
          {"far_end", l.far_end},
          {"held", l.held},
          {"conference_id", l.conference_id},
          {"simulated", true}};
}

void report(const leg& l, std::string name, result& out) { out.send(l.call, std::move(name), {{"simulated", true}}); }

/// The last word of a leg; it is forgotten at once.
void hang_up(const sdk::entity_ref& call, std::string_view reason, result& out) {
  out.send(call, "hung_up", {{"reason", reason}, {"simulated", true}}).end();
}

leg read_leg(const message& msg, const char* far_end) {
  body_reader in{msg};
  leg l;
  l.customer_id = in.text("customer_id");
  const auto* address = in.find(far_end);
  l.far_end = sdk::read_address(in, far_end, address ? *address : json{});
  l.call = {msg.from_type, msg.from_id};
  return l;
}

result originate(const message& msg, const context& ctx) {
  result out;
  out.arm("ring", ctx.setting("ring_ms", ring_default)).next(read_leg(msg, "destination"));
  return out;
}

result simulate_arrival(const message& msg, const context&) {
  auto l = read_leg(msg, "source");
  l.arriving = true;
  l.phase = leg_phase::ringing;
  result out;
  out.next(std::move(l));
  return out;
}

result as_before(leg, const message&, const context&) { return {}; } // a repeat

/// Until it rings nobody knows what the far end will do; then it does it at once or after a while of ringing.
result ring(leg l, const message&, const context& ctx) {
  result out;
  if (l.phase != leg_phase::dialing)
    return out;
  const auto plays = far_end_of(l.far_end).answer;
  if (plays == far_end_answer::busy || plays == far_end_answer::unreachable) {
    hang_up(l.call, plays == far_end_answer::busy ? "busy" : "unreachable", out);
    return out;
  }
  l.phase = leg_phase::ringing;
  report(l, "ringing", out);
  if (plays != far_end_answer::rings) {
    const auto rung = ctx.setting("ring_ms", ring_default);
    out.arm("pick_up", std::max(ctx.setting("answer_ms", answer_default) - rung, milliseconds{0}));
  }
  out.next(std::move(l));
  return out;
}

void both_talk(leg& l, result& out) {
  l.phase = leg_phase::answered;
  report(l, "answered", out);
  if (const auto stays = far_end_of(l.far_end).stays)
    out.arm("had_enough", *stays);
}

result pick_up(leg l, const message&, const context&) {
  result out;
  if (l.phase != leg_phase::ringing || l.arriving)
    return out;
  if (far_end_of(l.far_end).answer == far_end_answer::rejects) {
    hang_up(l.call, "rejected", out);
    return out;
  }
  both_talk(l, out);
  out.next(std::move(l));
  return out;
}

/// We pick up for an arriving caller.
result answer(leg l, const message&, const context&) {
  result out;
  if (l.phase == leg_phase::ringing && l.arriving) {
    both_talk(l, out);
    out.next(std::move(l));
  }
  return out;
}

result had_enough(leg l, const message&, const context&) {
  result out;
  hang_up(l.call, "normal", out);
  return out;
}

result hold(leg l, const message& msg, const context&) {
  l.held = body_reader{msg}.flag("held", l.held);
  result out;
  out.next(std::move(l));
  return out;
}

result bridge(leg l, const message& msg, const context&) {
  l.conference_id = body_reader{msg}.text("conference_id");
  result out;
  out.next(std::move(l));
  return out;
}

result hang_up_leg(leg l, const message&, const context&) {
  result out;
  hang_up(l.call, "normal", out);
  return out;
}

/// Gone already, or never there: either way there is no leg any more, which is what the call wants to hear.
result no_leg(const message& msg, const context&) {
  result out;
  out.send({msg.from_type, msg.from_id}, "hung_up", {{"reason", "normal"}, {"simulated", true}});
  return out;
}

} // namespace

const sdk::entity_type<leg>& loopback_trunk_type() {
  using namespace sdk;
  static const entity_type<leg> made{"trunk",
                                     nullptr,
                                     1,
                                     view,
                                     {
                                         told<leg>("originate", as_before, originate),
                                         told<leg>("simulate_arrival", as_before, simulate_arrival),
                                         told<leg>("answer", answer, no_leg),
                                         told<leg>("hold", hold),
                                         told<leg>("bridge", bridge),
                                         told<leg>("hang_up", hang_up_leg, no_leg),
                                         timer<leg>("ring", ring),
                                         timer<leg>("pick_up", pick_up),
                                         timer<leg>("had_enough", had_enough),
                                     }};
  return made;
}

} // namespace switchboard::telephony
