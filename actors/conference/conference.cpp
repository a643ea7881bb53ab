// The map of this file: state and view, shared steps, requests, the calls' answers, other entities' wishes, timers.
#include "actors/conference/conference.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(participant, call_id, status, was_in)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(conference, id, customer_id, kind, status, name, detail, owner, participants, used,
                                   delete_when_over, created, updated, ended)

namespace {

using result = sdk::outcome<conference>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds stop_timeout_default = std::chrono::seconds{15}; // longer than a call's own release timeout
constexpr milliseconds keep_default = std::chrono::hours{24};
constexpr std::size_t participants_max = 100;

json view(const conference& c) {
  json calls = json::array();
  for (const auto& one : c.participants)
    calls.push_back({{"call_id", one.call_id}, {"status", sdk::text(one.status)}});
  return {{"id", c.id},
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

// -- steps that several handlers share
// ---------------------------------------------------------------------------------

auto find(conference& c, const std::string& call_id) {
  return std::find_if(c.participants.begin(), c.participants.end(),
                      [&](const auto& p) { return p.call_id == call_id; });
}

void tell_owner(const conference& c, std::string name, const std::string& call_id, result& out) {
  if (!c.owner.empty())
    out.send(c.owner, std::move(name), {{"conference_id", c.id}, {"call_id", call_id}});
}

void finish(conference& c, const context& ctx, result& out) {
  c.status = conference_status::terminated;
  c.ended = c.updated = ctx.now();
  c.participants.clear();
  out.cancel("timeout").cancel("stop_timeout").event("conference.ended", view(c));
  tell_owner(c, "conference_ended", {}, out);
  const auto keep = ctx.setting("keep_ms", keep_default);
  if (c.delete_when_over)
    out.event("conference.deleted", view(c)).end();
  else if (keep > milliseconds{0})
    out.arm("forget", keep);
}

void hang_up(participant& one, result& out) {
  if (one.status == participant_status::leaving)
    return;
  one.was_in = one.status == participant_status::joined;
  one.status = participant_status::leaving;
  out.send({"call", one.call_id}, "hang_up");
}

/// Everybody has to go; harmless if that is under way or done.
void stop(conference& c, const context& ctx, result& out) {
  if (c.status != conference_status::progressing)
    return;
  c.status = conference_status::terminating;
  c.updated = ctx.now();
  for (auto& one : c.participants)
    hang_up(one, out);
  if (c.participants.empty())
    finish(c, ctx, out);
  else
    out.arm("stop_timeout", ctx.setting("stop_ms", stop_timeout_default));
}

void remove(conference& c, std::vector<participant>::iterator who, const context& ctx, result& out) {
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
  } else if (ends_after(c.kind, was_in, c.used, c.participants.size())) {
    stop(c, ctx, out);
  }
}

/// Asks a call to come in. It answers call_joined or call_refused.
void invite(conference& c, std::string call_id, const context& ctx, result& out) {
  c.updated = ctx.now();
  out.send({"call", call_id}, "join_conference", {{"customer_id", c.customer_id}});
  c.participants.push_back({std::move(call_id)});
}

// -- requests
// ----------------------------------------------------------------------------------------------------------

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

result leave(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, msg.path_parameter("call_id"));
  if (who == c.participants.end())
    return sdk::refused<conference>(404, "NOT_FOUND", "this call is not in the conference");
  result out;
  hang_up(*who, out);
  c.updated = ctx.now();
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

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

// -- the calls answer
// --------------------------------------------------------------------------------------------------

std::string call_in(const message& msg) { return body_reader{msg}.text("call_id"); }

result call_joined(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, call_in(msg));
  result out;
  if (who == c.participants.end()) { // given up meanwhile: it must not sit in a room that doesn't know it
    out.send({msg.from_type, msg.from_id}, "hang_up");
    return out;
  }
  if (who->status != participant_status::joining)
    return out;
  who->status = participant_status::joined;
  c.used = true;
  c.updated = ctx.now();
  out.event("conference.participant_joined", event_data(c, who->call_id));
  tell_owner(c, "participant_joined", who->call_id, out);
  out.next(std::move(c));
  return out;
}
result no_room(const message& msg, const context&) {
  result out;
  out.send({msg.from_type, msg.from_id}, "hang_up");
  return out;
}

/// It could not come in: its owner's plan has failed, everybody else goes on.
result call_refused(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, call_in(msg));
  result out;
  if (who == c.participants.end())
    return out;
  tell_owner(c, "participant_refused", who->call_id, out);
  remove(c, who, ctx, out);
  if (!c.owner.empty())
    stop(c, ctx, out);
  out.next(std::move(c));
  return out;
}

result call_ended(conference c, const message& msg, const context& ctx) {
  const auto who = find(c, call_in(msg));
  result out;
  if (who == c.participants.end())
    return out;
  const bool never_came = who->status == participant_status::joining;
  remove(c, who, ctx, out);
  if (never_came && !c.owner.empty())
    stop(c, ctx, out);
  out.next(std::move(c));
  return out;
}

// -- other entities' wishes
// --------------------------------------------------------------------------------------------

/// A queue brings its caller and its agent together.
result create_for(const message& msg, const context& ctx) {
  body_reader in{msg};
  conference c;
  c.id = ctx.id();
  c.customer_id = in.identity("customer_id");
  c.name = in.text("name");
  c.kind = conference_kind::queue;
  c.owner = {msg.from_type, msg.from_id};
  c.created = c.updated = ctx.now();
  result out;
  out.event("conference.created", view(c));
  for (auto& call_id : in.texts("calls", participants_max))
    invite(c, std::move(call_id), ctx, out);
  out.next(std::move(c));
  return out;
}
result create_again(conference, const message&, const context&) { return {}; }

/// A call that was told by its own route to come here.
result add_call(conference c, const message& msg, const context& ctx) {
  body_reader in{msg};
  auto call_id = in.identity("call_id");
  const bool known = find(c, call_id) != c.participants.end();
  result out;
  if (in.wrong() || known || in.text("customer_id") != c.customer_id || c.status != conference_status::progressing ||
      c.participants.size() >= participants_max)
    return out;
  invite(c, std::move(call_id), ctx, out);
  out.next(std::move(c));
  return out;
}

result stop_for(conference c, const message&, const context& ctx) {
  result out;
  stop(c, ctx, out);
  out.next(std::move(c));
  return out;
}

// -- timers
// ------------------------------------------------------------------------------------------------------------

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

const sdk::entity_type<conference>& conference_type() {
  using namespace sdk;
  using c = conference;
  static const entity_type<c> made{
      "conference",
      "conference",
      1,
      view,
      {
          creates<c>("POST", "/v1/conferences", create),
          lists<c>("GET", "/v1/conferences"),
          answers<c>("GET", "/v1/conferences/{id}", show),
          answers<c>("DELETE", "/v1/conferences/{id}", delete_it),
          answers<c>("POST", "/v1/conferences/{id}/stop", stop_now),
          answers<c>("POST", "/v1/conferences/{id}/calls/{call_id}", join),
          answers<c>("DELETE", "/v1/conferences/{id}/calls/{call_id}", leave),
          answers_by<c>("conference_id", "POST", "/v1/services/type/conferencecall", join_by_service),
          told<c>("call_joined", call_joined, no_room),
          told<c>("call_refused", call_refused),
          told<c>("call_ended", call_ended),
          told<c>("create", create_again, create_for),
          told<c>("add_call", add_call),
          told<c>("stop", stop_for),
          timer<c>("timeout", stop_for),
          timer<c>("stop_timeout", stop_timeout),
          timer<c>("forget", forget),
      }};
  return made;
}

} // namespace switchboard::telephony
