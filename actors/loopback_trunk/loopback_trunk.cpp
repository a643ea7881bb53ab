#include "actors/loopback_trunk/loopback_trunk.hpp"

#include <algorithm>
#include <utility>

#include "actors/loopback_trunk/loopback_trunk_rules.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(trunk_room, customer_id, recording_id)

/// What is empty is not written; version 1 had nothing beyond conference_id.
void to_json(json& out, const leg& l) {
  out = {{"customer_id", l.customer_id}, {"phase", l.phase}, {"far_end", l.far_end}, {"call", l.call}};
  const auto put = [&](const char* name, const auto& value) {
    if (!(value == std::decay_t<decltype(value)>{}))
      out[name] = value;
  };
  put("arriving", l.arriving);
  put("held", l.held);
  put("conference_id", l.conference_id);
  put("bridged_call_id", l.bridged_call_id);
  put("mute", l.mute);
  put("play_id", l.play_id);
  put("recording_id", l.recording_id);
  put("digits_sent", l.digits_sent);
  put("pressed", l.pressed);
}
void from_json(const json& in, leg& l) {
  l.customer_id = in.at("customer_id").get<std::string>();
  in.at("phase").get_to(l.phase);
  in.at("far_end").get_to(l.far_end);
  in.at("call").get_to(l.call);
  l.arriving = in.value("arriving", false);
  l.held = in.value("held", false);
  l.conference_id = in.value("conference_id", "");
  l.bridged_call_id = in.value("bridged_call_id", "");
  l.mute = in.value("mute", "");
  l.play_id = in.value("play_id", "");
  l.recording_id = in.value("recording_id", "");
  l.digits_sent = in.value("digits_sent", "");
  l.pressed = in.value("pressed", std::uint64_t{0});
}

namespace {

using result = sdk::outcome<leg>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds ring_default{200};
constexpr milliseconds answer_default{1000};
constexpr milliseconds play_default{1000}; // for each file and loop
constexpr milliseconds between_keys{1000};
constexpr std::size_t digits_max = 64;

json view(const leg& l) {
  return {{"customer_id", l.customer_id},
          {"status", sdk::text(l.phase)},
          {"far_end", l.far_end},
          {"held", l.held},
          {"conference_id", l.conference_id},
          {"bridged_call_id", l.bridged_call_id},
          {"mute", l.mute},
          {"play_id", l.play_id},
          {"recording_id", l.recording_id},
          {"digits_sent", l.digits_sent},
          {"simulated", true}};
}

void report(const leg& l, std::string name, result& out, json body = json::object()) {
  body["simulated"] = true;
  out.send(l.call, std::move(name), std::move(body));
}

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
  l.call = msg.sender();
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
  const auto plays = far_end_of(l.far_end);
  if (plays.stays)
    out.arm("had_enough", *plays.stays);
  if (!plays.keys.empty())
    out.arm("press", between_keys);
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

/// It hears that conference or that call, and nobody else any more.
result bridge(leg l, const message& msg, const context&) {
  body_reader in{msg};
  l.conference_id = in.text("conference_id");
  l.bridged_call_id = in.text("call_id");
  result out;
  out.next(std::move(l));
  return out;
}
result unbridge(leg l, const message&, const context&) {
  l.conference_id.clear();
  l.bridged_call_id.clear();
  result out;
  out.next(std::move(l));
  return out;
}

result mute(leg l, const message& msg, const context&) {
  l.mute = body_reader{msg}.text("direction");
  result out;
  out.next(std::move(l));
  return out;
}

/// A file whose name ends in "missing" can't be played; all others take `play_ms` each.
result play(leg l, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto urls = in.texts("media_urls");
  const auto loops = in.integer("loops", 1, 0, 1000);
  l.play_id = in.text("play_id");
  result out;
  const bool missing = std::any_of(urls.begin(), urls.end(), [](const auto& url) { return url.ends_with("missing"); });
  if (missing)
    report(l, "play_finished", out, {{"play_id", std::exchange(l.play_id, {})}, {"reason", "failed"}});
  else if (loops > 0)
    out.arm("played", ctx.setting("play_ms", play_default) * static_cast<std::int64_t>(urls.size()) * loops,
            {{"play_id", l.play_id}});
  out.next(std::move(l));
  return out;
}
result stop_play(leg l, const message& msg, const context&) {
  result out;
  if (l.play_id != body_reader{msg}.text("play_id"))
    return out; // something else is played by now
  l.play_id.clear();
  out.cancel("played").next(std::move(l));
  return out;
}
result played(leg l, const message& msg, const context&) {
  result out;
  if (l.play_id.empty() || l.play_id != body_reader{msg}.text("play_id"))
    return out;
  report(l, "play_finished", out, {{"play_id", std::exchange(l.play_id, {})}, {"reason", "finished"}});
  out.next(std::move(l));
  return out;
}

result send_digits(leg l, const message& msg, const context&) {
  l.digits_sent += body_reader{msg}.text("digits");
  if (l.digits_sent.size() > digits_max)
    l.digits_sent.erase(0, l.digits_sent.size() - digits_max);
  result out;
  out.next(std::move(l));
  return out;
}

/// The far end presses its next key.
result press(leg l, const message&, const context&) {
  result out;
  const auto keys = far_end_of(l.far_end).keys;
  if (l.phase != leg_phase::answered || l.pressed >= keys.size())
    return out;
  const std::string key{keys[l.pressed++]};
  report(l, "digit", out, {{"digit", key}, {"sequence", l.pressed}});
  if (l.pressed < keys.size())
    out.arm("press", between_keys);
  out.next(std::move(l));
  return out;
}

result record_start(leg l, const message& msg, const context&) {
  l.recording_id = body_reader{msg}.text("recording_id");
  result out;
  out.next(std::move(l));
  return out;
}
result record_stop(leg l, const message& msg, const context&) {
  result out;
  if (l.recording_id != body_reader{msg}.text("recording_id"))
    return out;
  l.recording_id.clear();
  out.next(std::move(l));
  return out;
}

/// The call wants to know how its leg is.
result check(leg l, const message&, const context&) {
  result out;
  report(l, "leg_status", out,
         {{"status", sdk::text(l.phase)},
          {"conference_id", l.conference_id},
          {"bridged_call_id", l.bridged_call_id},
          {"held", l.held},
          {"mute", l.mute}});
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
  out.send(msg.sender(), "hung_up", {{"reason", "normal"}, {"simulated", true}});
  return out;
}

// -- the room of a conference -----------------------------------------------------------------------------------------

using room_result = sdk::outcome<trunk_room>;

json room_view(const trunk_room& r) {
  return {{"customer_id", r.customer_id}, {"recording_id", r.recording_id}, {"simulated", true}};
}

room_result open_room(const message& msg, const context&) {
  body_reader in{msg};
  room_result out;
  out.next({in.text("customer_id"), in.text("recording_id")});
  return out;
}
room_result record_on(trunk_room r, const message& msg, const context&) {
  r.recording_id = body_reader{msg}.text("recording_id");
  room_result out;
  out.next(std::move(r));
  return out;
}
room_result close_room(trunk_room, const message&, const context&) {
  room_result out;
  out.end();
  return out;
}

} // namespace

const sdk::entity_type<trunk_room>& loopback_room_type() {
  using namespace sdk;
  static const entity_type<trunk_room> made{"trunk_room",
                                            nullptr,
                                            1,
                                            room_view,
                                            {
                                                told<trunk_room>("record_start", record_on, open_room),
                                                told<trunk_room>("record_stop", close_room),
                                            }};
  return made;
}

const sdk::entity_type<leg>& loopback_trunk_type() {
  using namespace sdk;
  static const entity_type<leg> made{"trunk",
                                     nullptr,
                                     2,
                                     view,
                                     {
                                         told<leg>("originate", as_before, originate),
                                         told<leg>("simulate_arrival", as_before, simulate_arrival),
                                         told<leg>("answer", answer, no_leg),
                                         told<leg>("hold", hold),
                                         told<leg>("mute", mute),
                                         told<leg>("bridge", bridge),
                                         told<leg>("unbridge", unbridge),
                                         told<leg>("play", play),
                                         told<leg>("stop_play", stop_play),
                                         told<leg>("send_digits", send_digits),
                                         told<leg>("record_start", record_start),
                                         told<leg>("record_stop", record_stop),
                                         told<leg>("check", check, no_leg),
                                         told<leg>("hang_up", hang_up_leg, no_leg),
                                         timer<leg>("ring", ring),
                                         timer<leg>("pick_up", pick_up),
                                         timer<leg>("had_enough", had_enough),
                                         timer<leg>("played", played),
                                         timer<leg>("press", press),
                                     }};
  return made;
}

} // namespace switchboard::telephony
