// The map of this file: view, shared steps, requests (the room, its participants, recording), the calls' answers, the
// check of who is in, other entities' wishes, timers.
#include "actors/conference/conference.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::telephony {

namespace {

using result = sdk::outcome<conference>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds stop_timeout_default = std::chrono::seconds{15}; // longer than a call's own release timeout
constexpr milliseconds keep_default = std::chrono::hours{24};
constexpr milliseconds check_default = std::chrono::seconds{30};
constexpr milliseconds empty_default = std::chrono::hours{24}; // how long it waits for its first participant
constexpr std::size_t participants_max = 100;
constexpr std::size_t followers_max = 10;

json view(const conference& c) {
  json calls = json::array();
  for (const auto& one : c.participants) {
    calls.push_back({{"call_id", one.call_id}, {"status", sdk::text(one.status)}});
    if (one.held)
      calls.back()["held"] = true;
    if (!one.mute.empty())
      calls.back()["mute_direction"] = one.mute;
  }
  json shown{{"id", c.id},
             {"customer_id", c.customer_id},
             {"type", sdk::text(c.kind)},
             {"status", sdk::text(c.status)},
             {"name", c.name},
             {"detail", c.detail},
             {"calls", std::move(calls)},
             {"queue_id", c.owner.type == "queue" ? c.owner.id : ""},
             {"tm_create", sdk::shown(c.created)},
             {"tm_update", sdk::shown(c.updated)},
             {"tm_end", sdk::shown(c.ended)}};
  if (c.locked)
    shown["locked"] = true;
  if (!c.recording_id.empty())
    shown["recording_id"] = c.recording_id;
  return shown;
}

json event_data(const conference& c, const std::string& call_id) {
  auto data = view(c);
  data["call_id"] = call_id;
  return data;
}

result shows(const conference& c) {
  result out;
  out.reply(200, view(c));
  return out;
}

// -- steps that several handlers share --------------------------------------------------------------------------------

auto find(conference& c, const std::string& call_id) {
  return std::find_if(c.participants.begin(), c.participants.end(),
                      [&](const auto& p) { return p.call_id == call_id; });
}

void tell_owner(const conference& c, std::string name, const std::string& call_id, result& out) {
  if (!c.owner.empty())
    out.send(c.owner, std::move(name), {{"conference_id", c.id}, {"call_id", call_id}});
}

void stop_recorder(conference& c, std::string_view reason, result& out) {
  auto data = view(c);
  data["reason"] = reason;
  out.cancel("recording").send({"trunk_room", c.id}, "record_stop", {{"recording_id", c.recording_id}});
  out.event("conference.recording_finished", std::move(data));
  c.recording_id.clear();
}

void finish(conference& c, const context& ctx, result& out) {
  c.status = conference_status::terminated;
  c.ended = c.updated = ctx.now();
  if (!c.recording_id.empty())
    stop_recorder(c, "ended", out);
  for (const auto& one : c.participants) {
    if (one.was_in || one.status == participant_status::joined)
      out.event("conference.participant_left", event_data(c, one.call_id));
  }
  c.participants.clear();
  out.cancel("timeout").cancel("stop_timeout").cancel("check").event("conference.ended", view(c));
  tell_owner(c, "conference_ended", {}, out);
  for (const auto& one : std::exchange(c.followers, {}))
    out.send(one, "conference_ended", {{"conference_id", c.id}});
  const auto keep = ctx.setting("keep_ms", keep_default);
  if (c.delete_when_over)
    out.event("conference.deleted", view(c)).end();
  else if (keep > milliseconds{0})
    out.arm("forget", keep);
}

void hang_up(participant& one, result& out) {
  if (one.status == participant_status::leaving && !one.let_go)
    return;
  one.was_in = one.was_in || one.status == participant_status::joined;
  one.status = participant_status::leaving;
  one.let_go = false;
  out.send({"call", one.call_id}, "hang_up", {{"visit", one.visit}});
}

/// Everybody has to go; harmless if that is under way or done.
void stop(conference& c, const context& ctx, result& out) {
  if (c.status != conference_status::progressing)
    return;
  c.status = conference_status::terminating;
  c.updated = ctx.now();
  out.cancel("check");
  for (auto& one : c.participants)
    hang_up(one, out);
  if (c.participants.empty())
    finish(c, ctx, out);
  else
    out.arm("stop_timeout", ctx.setting("stop_ms", stop_timeout_default));
}

/// `goes_on`: its end is somebody else's to say.
void remove(conference& c, std::vector<participant>::iterator who, const context& ctx, result& out,
            bool goes_on = false) {
  const auto gone = *who;
  c.participants.erase(who);
  c.updated = ctx.now();
  const bool was_in = gone.was_in || gone.status == participant_status::joined;
  if (was_in) {
    out.event("conference.participant_left", event_data(c, gone.call_id));
    tell_owner(c, "participant_left", gone.call_id, out);
  }
  if (c.status == conference_status::terminating) {
    if (c.participants.empty())
      finish(c, ctx, out);
  } else if (!goes_on && ends_after(c.kind, was_in, c.used, c.participants.size())) {
    stop(c, ctx, out);
  }
}

void ask_in(const conference& c, const participant& one, result& out) {
  out.send({"call", one.call_id}, "join_conference", {{"customer_id", c.customer_id}, {"visit", one.visit}});
}

/// Asks a call to come in. It answers call_joined or call_refused.
void invite(conference& c, std::string call_id, const context& ctx, result& out) {
  c.updated = ctx.now();
  if (c.participants.empty())
    out.arm("check", ctx.setting("check_ms", check_default));
  participant made{std::move(call_id)};
  made.visit = ++c.invited;
  ask_in(c, made, out);
  c.participants.push_back(std::move(made));
}

/// Its owner waits for those it brought; who comes later, or leaves, is the conference's own matter.
bool is_owners_plan(const conference& c) { return !c.owner.empty() && !c.complete; }

/// It is in.
void take_in(conference& c, participant& one, const context& ctx, result& out) {
  one.status = participant_status::joined;
  one.misses = 0;
  c.used = true;
  c.complete = c.complete || nobody_is_coming(c);
  c.updated = ctx.now();
  out.event("conference.participant_joined", event_data(c, one.call_id));
  tell_owner(c, "participant_joined", one.call_id, out);
}

/// What another conference's or an older invitation's message says is not about this one. `visit` 0: it doesn't say.
bool is_stale(const participant& one, const message& msg) {
  const auto visit = static_cast<std::uint64_t>(body_reader{msg}.integer("visit", 0, 0, INT64_MAX));
  return visit != 0 && visit != one.visit;
}

// -- requests ---------------------------------------------------------------------------------------------------------

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  conference c;
  c.id = ctx.id();
  c.customer_id = sdk::read_customer(in, msg);
  c.name = in.text("name");
  c.detail = in.text("detail");
  const auto kind = sdk::from_text<conference_kind>(in.text("type", "conference"));
  if (!kind)
    in.complain("type must be conference, connect or queue");
  const std::chrono::seconds timeout{in.integer("timeout", 0, 0, 7 * 24 * 3600)}; // seconds, as VoIPBIN has it
  if (in.wrong())
    return sdk::refused<conference>(*in.wrong());
  c.kind = *kind;
  c.created = c.updated = ctx.now();
  result out;
  out.event("conference.created", view(c)).reply(200, view(c));
  if (timeout.count() > 0)
    out.arm("timeout", timeout);
  out.arm("check", ctx.setting("empty_ms", empty_default));
  out.next(std::move(c));
  return out;
}

result show(conference c, const message&, const context&) { return shows(c); }

result join_call(conference c, std::string call_id, const context& ctx) {
  if (!is_identity(call_id))
    return sdk::refused<conference>(400, "INVALID_ARGUMENT", "call_id must be an id");
  if (find(c, call_id) != c.participants.end())
    return shows(c);
  if (c.status != conference_status::progressing)
    return sdk::refused<conference>(409, "FAILED_PRECONDITION", "the conference is over");
  if (c.locked)
    return sdk::refused<conference>(409, "FAILED_PRECONDITION", "the conference is locked");
  if (c.participants.size() >= participants_max)
    return sdk::refused<conference>(429, "RESOURCE_EXHAUSTED", "the conference is full");
  result out;
  invite(c, std::move(call_id), ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}
result join(conference c, const message& msg, const context& ctx) {
  return join_call(std::move(c), msg.path_parameter("call_id"), ctx);
}
result join_by_service(conference c, const message& msg, const context& ctx) {
  return join_call(std::move(c), body_reader{msg}.text("reference_id"), ctx);
}

result not_in_it() { return sdk::refused<conference>(404, "NOT_FOUND", "this call is not in the conference"); }

result kick(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, msg.path_parameter("call_id"));
  if (who == c.participants.end())
    return not_in_it();
  result out;
  hang_up(*who, out);
  c.updated = ctx.now();
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

/// Out of it, but not hung up.
result leave(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, msg.path_parameter("call_id"));
  if (who == c.participants.end())
    return not_in_it();
  result out;
  if (who->status != participant_status::leaving) {
    who->was_in = who->status == participant_status::joined;
    who->status = participant_status::leaving;
    who->let_go = true;
    c.updated = ctx.now();
    out.send({"call", who->call_id}, "leave_conference");
  }
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

// -- mute, hold, lock, recording

std::string_view muted(std::string_view now, std::string_view change, bool on) noexcept {
  constexpr std::string_view words[] = {"", "in", "out", "both"};
  const auto bits = [&](std::string_view word) {
    return static_cast<unsigned>(std::find(std::begin(words), std::end(words), word) - std::begin(words));
  };
  return words[on ? bits(now) | bits(change) : bits(now) & ~bits(change)];
}

/// What its call is to do; only who is in can be muted or held.
result change_participant(conference c, const message& msg, const context& ctx,
                          void (*change)(participant& one, const message& msg, result& out)) {
  const auto who = find(c, msg.path_parameter("call_id"));
  if (who == c.participants.end())
    return not_in_it();
  if (who->status != participant_status::joined)
    return sdk::refused<conference>(409, "FAILED_PRECONDITION", "this call is not in the conference yet, or any more");
  result out;
  change(*who, msg, out);
  if (!out.effects().empty()) {
    c.updated = ctx.now();
    out.event("conference.participant_updated", event_data(c, who->call_id));
  }
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

result set_mute(conference c, const message& msg, const context& ctx, bool on) {
  body_reader in{msg};
  const auto direction = in.text("direction", "both");
  if (direction != "in" && direction != "out" && direction != "both")
    in.complain("direction must be in, out or both");
  if (in.wrong())
    return sdk::refused<conference>(*in.wrong());
  return change_participant(
      std::move(c), msg, ctx,
      on ? +[](participant& one, const message& asked, result& out) {
        const auto wanted = muted(one.mute, body_reader{asked}.text("direction", "both"), true);
        if (wanted != one.mute)
          out.send({"call", one.call_id}, "set_mute", {{"direction", wanted}, {"on", true}});
        one.mute = wanted;
      } : +[](participant& one, const message& asked, result& out) {
        const auto direction = body_reader{asked}.text("direction", "both");
        const auto wanted = muted(one.mute, direction, false);
        if (wanted != one.mute)
          out.send({"call", one.call_id}, "set_mute", {{"direction", direction}, {"on", false}});
        one.mute = wanted;
      });
}
result mute(conference c, const message& msg, const context& ctx) { return set_mute(std::move(c), msg, ctx, true); }
result unmute(conference c, const message& msg, const context& ctx) { return set_mute(std::move(c), msg, ctx, false); }

void set_hold(participant& one, bool held, result& out) {
  if (one.held != held)
    out.send({"call", one.call_id}, "set_hold", {{"held", held}});
  one.held = held;
}
result hold(conference c, const message& msg, const context& ctx) {
  return change_participant(std::move(c), msg, ctx,
                            [](participant& one, const message&, result& out) { set_hold(one, true, out); });
}
result resume(conference c, const message& msg, const context& ctx) {
  return change_participant(std::move(c), msg, ctx,
                            [](participant& one, const message&, result& out) { set_hold(one, false, out); });
}

result over_already() { return sdk::refused<conference>(409, "FAILED_PRECONDITION", "the conference is over"); }

result set_lock(conference c, bool locked, const context& ctx) {
  if (c.status != conference_status::progressing)
    return over_already();
  result out;
  if (c.locked != locked) {
    c.locked = locked;
    c.updated = ctx.now();
    out.event("conference.updated", view(c));
  }
  out.reply(200, view(c)).next(std::move(c));
  return out;
}
result lock(conference c, const message&, const context& ctx) { return set_lock(std::move(c), true, ctx); }
result unlock(conference c, const message&, const context& ctx) { return set_lock(std::move(c), false, ctx); }

result start_recording(conference c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto format = in.text("format", "wav");
  const std::chrono::seconds limit{in.integer("duration", 0, 0, 24 * 3600)}; // seconds, as VoIPBIN has it
  if (format != "wav" && format != "mp3" && format != "ogg")
    in.complain("format must be wav, mp3 or ogg");
  if (in.wrong())
    return sdk::refused<conference>(*in.wrong());
  if (c.status != conference_status::progressing)
    return over_already();
  if (!c.recording_id.empty())
    return sdk::refused<conference>(409, "FAILED_PRECONDITION", "the conference is being recorded");
  result out;
  c.recording_id = ctx.make_uuid();
  c.updated = ctx.now();
  out.send({"trunk_room", c.id}, "record_start",
           {{"customer_id", c.customer_id}, {"recording_id", c.recording_id}, {"format", format}});
  out.event("conference.recording_started", view(c));
  if (limit.count() > 0)
    out.arm("recording", limit, {{"recording_id", c.recording_id}});
  out.reply(200, view(c)).next(std::move(c));
  return out;
}
result stop_recording(conference c, const message&, const context& ctx) {
  result out;
  if (!c.recording_id.empty()) {
    c.updated = ctx.now();
    stop_recorder(c, "stopped", out);
  }
  out.reply(200, view(c)).next(std::move(c));
  return out;
}
result recorded_enough(conference c, const message& msg, const context& ctx) {
  result out;
  if (c.recording_id.empty() || body_reader{msg}.text("recording_id") != c.recording_id)
    return out;
  c.updated = ctx.now();
  stop_recorder(c, "duration", out);
  out.next(std::move(c));
  return out;
}

// -- the end by request

result stop_now(conference c, const message&, const context& ctx) {
  result out;
  stop(c, ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

/// A live conference is stopped first and goes once it is over.
result delete_it(conference c, const message&, const context& ctx) {
  result out;
  c.delete_when_over = true;
  if (c.status == conference_status::terminated)
    out.event("conference.deleted", view(c)).end();
  else
    stop(c, ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

// -- the calls answer -------------------------------------------------------------------------------------------------

std::string call_in(const message& msg) { return body_reader{msg}.text("call_id"); }

result call_joined(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, call_in(msg));
  result out;
  if (who == c.participants.end()) { // given up meanwhile: it must not sit in a room that doesn't know it
    out.send(msg.sender(), "hang_up");
    return out;
  }
  if (who->status != participant_status::joining || is_stale(*who, msg))
    return out;
  take_in(c, *who, ctx, out);
  out.next(std::move(c));
  return out;
}
result no_room(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "hang_up");
  return out;
}

/// Its owner's plan has failed, and the others are the owner's again. What they still say of this conference is old.
void give_back(conference& c, const context& ctx, result& out) {
  if (c.status != conference_status::progressing)
    return;
  for (const auto& one : c.participants)
    out.send({"call", one.call_id}, "leave_conference");
  finish(c, ctx, out);
}

/// `ends_plan`: its owner counted on it.
void lose(conference& c, std::vector<participant>::iterator who, bool ends_plan, const context& ctx, result& out) {
  if (ends_plan)
    tell_owner(c, "participant_refused", who->call_id, out);
  remove(c, who, ctx, out, ends_plan);
  if (ends_plan)
    give_back(c, ctx, out);
}

/// It could not come in.
result call_refused(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, call_in(msg));
  result out;
  if (who == c.participants.end() || is_stale(*who, msg) || who->status == participant_status::joined)
    return out;
  lose(c, who, is_owners_plan(c), ctx, out);
  out.next(std::move(c));
  return out;
}

/// Its call is over. If they were not all in yet, its owner's plan has failed.
void is_gone(conference& c, std::vector<participant>::iterator who, const context& ctx, result& out) {
  lose(c, who, is_owners_plan(c) && who->status != participant_status::leaving, ctx, out);
}

/// "not_found" says what it answers, since a call of that name may have come meanwhile.
result call_ended(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, call_in(msg));
  result out;
  if (who == c.participants.end() || is_stale(*who, msg))
    return out;
  is_gone(c, who, ctx, out);
  out.next(std::move(c));
  return out;
}

/// It went without ending: transferred to somebody else, or let go.
result call_left(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, call_in(msg));
  result out;
  if (who == c.participants.end() || is_stale(*who, msg))
    return out;
  remove(c, who, ctx, out);
  out.next(std::move(c));
  return out;
}

// -- the check of who is in -------------------------------------------------------------------------------------------

/// Asks every participant's call; one that stayed silent too often is put out.
void check_all(conference& c, const context& ctx, result& out) {
  ++c.checks;
  for (std::size_t i = 0; i < c.participants.size();) {
    auto& one = c.participants[i];
    if (++one.misses > misses_max) {
      out.send({"call", one.call_id}, "hang_up");
      is_gone(c, c.participants.begin() + static_cast<std::ptrdiff_t>(i), ctx, out);
      continue;
    }
    one.check = c.checks;
    out.send({"call", one.call_id}, "check", {{"check", one.check}, {"visit", one.visit}});
    ++i;
  }
}

result check(conference c, const message&, const context& ctx) {
  result out;
  if (c.status != conference_status::progressing)
    return out;
  const bool nobody_came = c.participants.empty() && ctx.now() - c.updated >= ctx.setting("empty_ms", empty_default);
  check_all(c, ctx, out);
  if (nobody_came)
    stop(c, ctx, out);
  if (c.status == conference_status::progressing)
    out.arm("check",
            c.participants.empty() ? ctx.setting("empty_ms", empty_default) : ctx.setting("check_ms", check_default));
  out.next(std::move(c));
  return out;
}

result call_status(conference c, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto who = find(c, call_in(msg));
  const auto number = static_cast<std::uint64_t>(in.integer("check", 0, 0, INT64_MAX));
  result out;
  if (who == c.participants.end() || number == 0 || number != who->check)
    return out;
  who->misses = 0;
  who->check = 0; // answered: the same again would be old news
  const auto status = in.text("status");
  const bool live = status != "terminating" && status != "canceling" && status != "hangup";
  switch (mend_for(who->status, in.flag("inside", false), live)) {
  case mend::nothing:
    break;
  case mend::take_in:
    take_in(c, *who, ctx, out);
    break;
  case mend::take_out:
    is_gone(c, who, ctx, out);
    break;
  case mend::hang_up:
    out.send({"call", who->call_id}, who->let_go ? "leave_conference" : "hang_up", {{"visit", who->visit}});
    break;
  case mend::invite:
    who->visit = ++c.invited; // what was said of the last invitation is old
    ask_in(c, *who, out);
    break;
  }
  out.next(std::move(c));
  return out;
}

// -- other entities' wishes -------------------------------------------------------------------------------------------

/// A queue brings its caller and its agent together.
result create_for(const message& msg, const context& ctx) {
  body_reader in{msg};
  conference c;
  c.id = ctx.id();
  c.customer_id = in.identity("customer_id");
  c.name = in.text("name");
  c.kind = conference_kind::queue;
  c.owner = msg.sender();
  c.created = c.updated = ctx.now();
  result out;
  out.event("conference.created", view(c));
  for (auto& call_id : in.texts("calls", participants_max))
    invite(c, std::move(call_id), ctx, out);
  out.next(std::move(c));
  return out;
}
result create_again(conference, const message&, const context&) { return {}; }

result refuse_call(const message& msg, const context& ctx, std::string_view why) {
  result out;
  out.send(msg.sender(), "join_refused", {{"conference_id", ctx.id()}, {"call_id", call_in(msg)}, {"reason", why}});
  return out;
}

/// A call that was told by its own route to come here, or that a flow sends.
result add_call(conference c, const message& msg, const context& ctx) {
  body_reader in{msg};
  auto call_id = in.identity("call_id");
  if (in.wrong() || in.text("customer_id") != c.customer_id)
    return refuse_call(msg, ctx, "not_found");
  if (find(c, call_id) != c.participants.end())
    return {};
  if (c.status != conference_status::progressing)
    return refuse_call(msg, ctx, "conference_is_over");
  if (c.locked)
    return refuse_call(msg, ctx, "conference_is_locked");
  if (c.participants.size() >= participants_max)
    return refuse_call(msg, ctx, "conference_is_full");
  result out;
  invite(c, std::move(call_id), ctx, out);
  out.next(std::move(c));
  return out;
}
result no_conference(const message& msg, const context& ctx) { return refuse_call(msg, ctx, "not_found"); }

/// Who could be transferred by the call that asks: everybody else who is in.
result who_else(conference c, const message& msg, const context&) {
  const auto asking = find(c, msg.from_id);
  json others = json::array();
  if (msg.from_type == "call" && asking != c.participants.end()) {
    for (const auto& one : c.participants) {
      if (one.call_id != msg.from_id && one.status == participant_status::joined)
        others.push_back(one.call_id);
    }
  }
  result out;
  out.send(msg.sender(), "others",
           {{"transfer_id", body_reader{msg}.text("transfer_id")}, {"call_ids", std::move(others)}});
  return out;
}
result nobody_else(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "others",
           {{"transfer_id", body_reader{msg}.text("transfer_id")}, {"call_ids", json::array()}});
  return out;
}

result refuse_follower(const message& msg, const context& ctx, std::string_view why) {
  result out;
  out.send(msg.sender(), "conference_refused", {{"conference_id", ctx.id()}, {"reason", why}});
  return out;
}

/// Somebody wants to know when it ends, such as whoever writes down what is said.
result follow(conference c, const message& msg, const context& ctx) {
  const auto who = msg.sender();
  const bool known = std::find(c.followers.begin(), c.followers.end(), who) != c.followers.end();
  if (body_reader{msg}.text("customer_id") != c.customer_id)
    return refuse_follower(msg, ctx, "not_found");
  if (c.status != conference_status::progressing)
    return refuse_follower(msg, ctx, "conference_is_over");
  if (!known && c.followers.size() >= followers_max)
    return refuse_follower(msg, ctx, "too_many_followers");
  if (!known)
    c.followers.push_back(who);
  result out;
  out.send(who, "conference_followed", {{"conference_id", c.id}, {"status", sdk::text(c.status)}}).next(std::move(c));
  return out;
}
result nobody_to_follow(const message& msg, const context& ctx) { return refuse_follower(msg, ctx, "not_found"); }

result unfollow(conference c, const message& msg, const context&) {
  result out;
  if (std::erase(c.followers, msg.sender()) > 0)
    out.next(std::move(c));
  return out;
}

/// Its owner takes one of the calls back; the others are hung up.
result let_go(conference c, const message& msg, const context& ctx) {
  result out;
  if (msg.sender() != c.owner || c.status != conference_status::progressing)
    return out;
  c.owner = {};
  if (const auto who = find(c, call_in(msg)); who != c.participants.end()) {
    out.send({"call", who->call_id}, "leave_conference");
    remove(c, who, ctx, out);
  }
  stop(c, ctx, out);
  out.next(std::move(c));
  return out;
}

result stop_for(conference c, const message&, const context& ctx) {
  result out;
  stop(c, ctx, out);
  out.next(std::move(c));
  return out;
}

// -- timers -----------------------------------------------------------------------------------------------------------

/// A call that never said that it ended.
result stop_timeout(conference c, const message&, const context& ctx) {
  result out;
  if (c.status == conference_status::terminating)
    finish(c, ctx, out);
  out.next(std::move(c));
  return out;
}

result forget(conference c, const message&, const context&) {
  result out;
  if (c.status == conference_status::terminated)
    out.end();
  return out;
}

} // namespace

bool nobody_is_coming(const conference& c) {
  return std::none_of(c.participants.begin(), c.participants.end(),
                      [](const auto& one) { return one.status == participant_status::joining; });
}

const sdk::entity_type<conference>& conference_type() {
  using namespace sdk;
  using c = conference;
  static const entity_type<c> made{
      "conference",
      "conference",
      2,
      view,
      {
          creates<c>("POST", "/v1/conferences", create),
          lists<c>("GET", "/v1/conferences"),
          answers<c>("GET", "/v1/conferences/{id}", show),
          answers<c>("DELETE", "/v1/conferences/{id}", delete_it),
          answers<c>("POST", "/v1/conferences/{id}/stop", stop_now),
          answers<c>("POST", "/v1/conferences/{id}/calls/{call_id}", join),
          answers<c>("DELETE", "/v1/conferences/{id}/calls/{call_id}", kick),
          answers<c>("POST", "/v1/conferences/{id}/calls/{call_id}/leave", leave),
          answers<c>("POST", "/v1/conferences/{id}/calls/{call_id}/mute", mute),
          answers<c>("DELETE", "/v1/conferences/{id}/calls/{call_id}/mute", unmute),
          answers<c>("POST", "/v1/conferences/{id}/calls/{call_id}/hold", hold),
          answers<c>("DELETE", "/v1/conferences/{id}/calls/{call_id}/hold", resume),
          answers<c>("POST", "/v1/conferences/{id}/lock", lock),
          answers<c>("DELETE", "/v1/conferences/{id}/lock", unlock),
          answers<c>("POST", "/v1/conferences/{id}/recording_start", start_recording),
          answers<c>("POST", "/v1/conferences/{id}/recording_stop", stop_recording),
          answers_by<c>("conference_id", "POST", "/v1/services/type/conferencecall", join_by_service),
          told<c>("call_joined", call_joined, no_room),
          told<c>("call_refused", call_refused),
          told<c>("call_ended", call_ended),
          told<c>("call_left", call_left),
          told<c>("call_status", call_status),
          told<c>("create", create_again, create_for),
          told<c>("add_call", add_call, no_conference),
          told<c>("who_else", who_else, nobody_else),
          told<c>("follow", follow, nobody_to_follow),
          told<c>("unfollow", unfollow),
          told<c>("let_go", let_go),
          told<c>("stop", stop_for),
          timer<c>("check", check),
          timer<c>("recording", recorded_enough),
          timer<c>("timeout", stop_for),
          timer<c>("stop_timeout", stop_timeout),
          timer<c>("forget", forget),
      }};
  return made;
}

} // namespace switchboard::telephony
