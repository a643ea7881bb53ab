// The map of this file: hold and mute; play; digits; recording; each with its requests, messages and reports.
#include "actors/call/call_media.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::telephony::calls {

// -- hold and mute ----------------------------------------------------------------------------------------------------

namespace {

void set_hold(call& c, bool held, const context& ctx, result& out) {
  if (c.held == held)
    return;
  c.held = held;
  c.updated = ctx.now();
  out.send(trunk_of(c), "hold", {{"held", held}}).event("call.updated", event_data(c));
}

result hold_or_resume(call c, bool held, const context& ctx) {
  if (c.status != call_status::progressing)
    return not_now(c, "can't hold or resume");
  result out;
  set_hold(c, held, ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

constexpr unsigned mute_bits(std::string_view direction) noexcept {
  return direction == "both" ? 3U : direction == "in" ? 1U : direction == "out" ? 2U : 0U;
}

void set_mute(call& c, std::string_view direction, bool on, const context& ctx, result& out) {
  const auto wanted = muted(c.parts->mute, direction, on);
  if (wanted == c.parts->mute)
    return;
  c.parts.change().mute = wanted;
  c.updated = ctx.now();
  out.send(trunk_of(c), "mute", {{"direction", wanted}}).event("call.updated", event_data(c));
}

result mute_or_unmute(call c, const message& msg, bool on, const context& ctx) {
  body_reader in{msg};
  const auto direction = in.text("direction", "both");
  if (!mute_bits(direction))
    in.complain("direction must be in, out or both");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing)
    return not_now(c, "can't mute or unmute");
  result out;
  set_mute(c, direction, on, ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

/// Only the conference it is in may do this.
bool is_from_its_conference(const call& c, const message& msg) {
  return c.status == call_status::progressing && msg.from_type == "conference" && msg.from_id == c.conference_id;
}

} // namespace

std::string_view muted(std::string_view now, std::string_view change, bool on) noexcept {
  constexpr std::string_view words[] = {"", "in", "out", "both"};
  const auto before = mute_bits(now), bits = mute_bits(change);
  return words[on ? before | bits : before & ~bits];
}

result hold(call c, const message&, const context& ctx) { return hold_or_resume(std::move(c), true, ctx); }
result resume(call c, const message&, const context& ctx) { return hold_or_resume(std::move(c), false, ctx); }
result mute(call c, const message& msg, const context& ctx) { return mute_or_unmute(std::move(c), msg, true, ctx); }
result unmute(call c, const message& msg, const context& ctx) { return mute_or_unmute(std::move(c), msg, false, ctx); }

result mute_for(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  result out;
  if (is_from_its_conference(c, msg))
    set_mute(c, in.text("direction", "both"), in.flag("on", true), ctx, out);
  out.next(std::move(c));
  return out;
}
result hold_for(call c, const message& msg, const context& ctx) {
  result out;
  if (is_from_its_conference(c, msg))
    set_hold(c, body_reader{msg}.flag("held", true), ctx, out);
  out.next(std::move(c));
  return out;
}

// -- play -------------------------------------------------------------------------------------------------------------

namespace {

constexpr std::size_t media_urls_max = 20;
constexpr std::int64_t loops_max = 1000;

struct play_order {
  std::string play_id;
  std::vector<std::string> media_urls;
  std::int64_t loops = 1; ///< 0: until it is stopped
};

play_order read_play(body_reader& in, std::string fresh_id) {
  play_order order;
  order.play_id = in.text("play_id", std::move(fresh_id));
  order.media_urls = in.texts("media_urls", media_urls_max);
  order.loops = in.integer("loops", 1, 0, loops_max);
  if (!is_identity(order.play_id))
    in.complain("play_id must be an id");
  if (order.media_urls.empty())
    in.complain("media_urls must be a list of at least one address");
  return order;
}

json play_result(const call& c, const std::string& play_id, std::string_view reason) {
  return {{"call_id", c.id}, {"play_id", play_id}, {"reason", reason}};
}

void play_ends(call& c, std::string_view reason, result& out) {
  const auto over = *std::exchange(c.parts.change().play, std::nullopt);
  out.event("call.play_finished", about(c, {{"play_id", over.play_id}, {"reason", reason}}));
  tell_followers(c, over.requester, "play_finished", play_result(c, over.play_id, reason), out);
}

/// One thing at a time: what was played before is stopped.
void start_play(call& c, const play_order& order, sdk::entity_ref requester, result& out) {
  if (c.parts->play)
    play_ends(c, "stopped", out);
  c.parts.change().play = playing{order.play_id, std::move(requester)};
  out.send(trunk_of(c), "play", {{"play_id", order.play_id}, {"media_urls", order.media_urls}, {"loops", order.loops}});
  out.event("call.play_started", about(c, {{"play_id", order.play_id}}));
}

void stop_playing(call& c, result& out) {
  out.send(trunk_of(c), "stop_play", {{"play_id", c.parts->play->play_id}});
  play_ends(c, "stopped", out);
}

} // namespace

result play(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto order = read_play(in, ctx.make_uuid());
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing)
    return not_now(c, "can't play to");
  result out;
  start_play(c, order, {}, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

result stop_play(call c, const message&, const context&) {
  result out;
  if (c.parts->play)
    stop_playing(c, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

result nobody_to_play_to(const message& msg, const context& ctx) {
  result out;
  out.send(msg.sender(), "play_finished",
           {{"call_id", ctx.id()}, {"play_id", body_reader{msg}.text("play_id")}, {"reason", "failed"}});
  return out;
}

result play_for(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg))
    return nobody_to_play_to(msg, ctx);
  result out;
  body_reader in{msg};
  const auto order = read_play(in, {});
  if (c.parts->play && c.parts->play->play_id == order.play_id)
    return out; // a repeat
  if (in.wrong() || c.status != call_status::progressing) {
    out.send(msg.sender(), "play_finished", play_result(c, order.play_id, "failed"));
    return out;
  }
  start_play(c, order, msg.sender(), out);
  out.next(std::move(c));
  return out;
}

result stop_play_for(call c, const message& msg, const context&) {
  result out;
  if (!of_same_tenant(c, msg) || !c.parts->play || c.parts->play->play_id != body_reader{msg}.text("play_id"))
    return out;
  stop_playing(c, out);
  out.next(std::move(c));
  return out;
}

result play_is_over(call c, const message& msg, const context&) {
  body_reader in{msg};
  result out;
  if (!c.parts->play || c.parts->play->play_id != in.text("play_id"))
    return out; // stopped meanwhile
  play_ends(c, in.text("reason", "finished") == "failed" ? "failed" : "finished", out);
  out.next(std::move(c));
  return out;
}

// -- digits -----------------------------------------------------------------------------------------------------------

namespace {

bool are_keys(std::string_view digits) {
  return !digits.empty() && digits.size() <= digits_max &&
         digits.find_first_not_of("0123456789*#ABCD") == std::string_view::npos;
}

} // namespace

result send_digits(call c, const message& msg, const context&) {
  body_reader in{msg};
  const auto digits = in.text("digits");
  if (!are_keys(digits))
    in.complain("digits must be 1 to 64 of 0-9 * # A-D");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing)
    return not_now(c, "can't send digits to");
  result out;
  out.send(trunk_of(c), "send_digits", {{"digits", digits}}).reply(200, view(c));
  return out;
}

result show_digits(call c, const message&, const context&) {
  result out;
  out.reply(200, {{"digits", c.parts->digits}});
  return out;
}

/// `sequence` counts the keys of one leg, so that a report that comes twice is one key.
result digit_pressed(call c, const message& msg, const context&) {
  body_reader in{msg};
  const auto digit = in.text("digit");
  const auto sequence = static_cast<std::uint64_t>(in.integer("sequence", 0, 0, INT64_MAX));
  result out;
  if (c.status != call_status::progressing || digit.size() != 1 || !are_keys(digit) ||
      (sequence && sequence <= c.parts->digit_sequence))
    return out;
  auto& parts = c.parts.change();
  parts.digit_sequence = sequence ? sequence : parts.digit_sequence;
  if (parts.digits.size() >= digits_max)
    parts.digits.erase(0, 1);
  parts.digits += digit;
  out.event("call.digit", about(c, {{"digit", digit}}));
  tell_followers(c, {}, "call_digit", {{"call_id", c.id}, {"digit", digit}}, out);
  out.next(std::move(c));
  return out;
}

// -- recording --------------------------------------------------------------------------------------------------------

namespace {

void recording_ends(call& c, std::string_view reason, result& out) {
  const auto over = *std::exchange(c.parts.change().record, std::nullopt);
  out.cancel("recording");
  out.event("call.recording_finished", about(c, {{"recording_id", over.id}, {"reason", reason}}));
}

void stop_recorder(call& c, std::string_view reason, result& out) {
  out.send(trunk_of(c), "record_stop", {{"recording_id", c.parts->record->id}});
  recording_ends(c, reason, out);
}

} // namespace

result start_recording(call c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto format = in.text("format", "wav");
  const std::chrono::seconds limit{in.integer("duration", 0, 0, 24 * 3600)}; // seconds, as VoIPBIN has it
  if (format != "wav" && format != "mp3" && format != "ogg")
    in.complain("format must be wav, mp3 or ogg");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing)
    return not_now(c, "can't record");
  if (c.parts->record)
    return not_so("the call is being recorded");
  result out;
  const recording made{ctx.make_uuid(), ctx.now()};
  out.send(trunk_of(c), "record_start", {{"recording_id", made.id}, {"format", format}});
  out.event("call.recording_started", about(c, {{"recording_id", made.id}, {"format", format}}));
  if (limit.count() > 0)
    out.arm("recording", limit, {{"recording_id", made.id}});
  c.parts.change().record = made;
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

result stop_recording(call c, const message&, const context&) {
  result out;
  if (c.parts->record)
    stop_recorder(c, "stopped", out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

namespace {

bool is_about_recording(const call& c, const message& msg) {
  return c.parts->record && c.parts->record->id == body_reader{msg}.text("recording_id");
}

} // namespace

/// The trunk gave it up by itself: a full disk.
result recording_is_over(call c, const message& msg, const context&) {
  result out;
  if (!is_about_recording(c, msg))
    return out;
  recording_ends(c, "failed", out);
  out.next(std::move(c));
  return out;
}

result recorded_enough(call c, const message& msg, const context&) {
  result out;
  if (!is_about_recording(c, msg))
    return out;
  stop_recorder(c, "duration", out);
  out.next(std::move(c));
  return out;
}

// -- the end of the call ----------------------------------------------------------------------------------------------

void end_media(call& c, result& out) {
  if (c.parts->play)
    play_ends(c, "stopped", out);
  if (c.parts->record)
    recording_ends(c, "hangup", out);
}

} // namespace switchboard::telephony::calls
