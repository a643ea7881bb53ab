#include "actors/call/call_steps.hpp"

#include <algorithm>
#include <utility>

#include "actors/call/call_bridge.hpp"
#include "actors/call/call_company.hpp"
#include "actors/call/call_media.hpp"

namespace switchboard::telephony::calls {

// -- what others see --------------------------------------------------------------------------------------------------

namespace {

void show_parts(const call_parts& p, json& shown) {
  const auto put = [&](const char* name, const std::string& value) {
    if (!value.empty())
      shown[name] = value;
  };
  if (p.peer && !p.peer->waits)
    shown["bridged_call_id"] = p.peer->call_id;
  if (p.other)
    shown["other"] = {
        {"call_id", p.other->call_id}, {"purpose", sdk::text(p.other->purpose)}, {"answered", p.other->answered}};
  if (p.moving)
    shown["transfer"] = {{"id", p.moving->id},
                         {"type", p.moving->attended ? "attended" : "blind"},
                         {"phase", sdk::text(p.moving->phase)},
                         {"transferee_call_id", p.moving->transferee}};
  if (p.parked)
    shown["tm_park"] = sdk::shown(p.parked->since);
  if (p.play)
    shown["play_id"] = p.play->play_id;
  if (p.record)
    shown["recording_id"] = p.record->id;
  put("mute_direction", p.mute);
  put("master_call_id", p.master_call_id);
  put("transferred_from", p.transferred_from);
  put("transferred_to", p.transferred_to);
  put("flow_id", p.flow_id);
  put("activeflow_id", p.activeflow_id);
  if (!p.chained.empty())
    shown["chained_call_ids"] = p.chained;
}

std::int64_t between(time_point from, time_point to) {
  return from == time_point{} || to == time_point{} ? 0 : (to - from).count();
}

} // namespace

json view(const call& c) {
  json shown{{"id", c.id},
             {"customer_id", c.customer_id},
             {"status", sdk::text(c.status)},
             {"direction", sdk::text(c.direction)},
             {"source", c.source},
             {"destination", c.destination},
             {"held", c.held},
             {"confbridge_id", c.conference_id},
             {"queue_id", c.queue_id},
             {"hangup_by", c.ending->by},
             {"hangup_reason", c.ending->reason},
             {"tm_create", sdk::shown(c.created)},
             {"tm_ringing", sdk::shown(c.ringing_since)},
             {"tm_progressing", sdk::shown(c.answered)},
             {"tm_hangup", sdk::shown(c.ended)},
             {"tm_update", sdk::shown(c.updated)}};
  if (c.simulated)
    shown["simulated"] = true;
  if (!c.parts.is_untouched())
    show_parts(*c.parts, shown);
  return shown;
}

json event_data(const call& c) {
  auto data = view(c);
  data["source"] = c.source.target;
  data["destination"] = c.destination.target;
  return data;
}

json about(const call& c, json more) {
  more["id"] = c.id;
  more["call_id"] = c.id;
  more["customer_id"] = c.customer_id;
  return more;
}

json record_of(const call& c) {
  const auto rang_until = c.answered == time_point{} ? c.ended : c.answered;
  auto conferences = c.parts->past_conferences;
  if (!c.conference_id.empty())
    conferences.push_back(c.conference_id);
  return about(c, {{"direction", sdk::text(c.direction)},
                   {"source", c.source.target},
                   {"destination", c.destination.target},
                   {"tm_create", sdk::shown(c.created)},
                   {"tm_ringing", sdk::shown(c.ringing_since)},
                   {"tm_progressing", sdk::shown(c.answered)},
                   {"tm_hangup", sdk::shown(c.ended)},
                   {"ring_ms", between(c.ringing_since, rang_until)},
                   {"duration_ms", between(c.created, c.ended)},
                   {"billable_ms", between(c.answered, c.ended)},
                   {"hangup_by", c.ending->by},
                   {"hangup_reason", c.ending->reason},
                   {"queue_id", c.queue_id.empty() ? c.parts->past_queue : c.queue_id},
                   {"conference_ids", std::move(conferences)},
                   {"transferred_from", c.parts->transferred_from},
                   {"transferred_to", c.parts->transferred_to},
                   {"simulated", c.simulated}});
}

result shows(const call& c) {
  result out;
  out.reply(200, view(c));
  return out;
}

result not_now(const call& c, std::string_view what) {
  return not_so(std::string{what}.append(" a call that is ").append(sdk::text(c.status)));
}
result not_so(std::string text) { return sdk::refused<call>(409, "FAILED_PRECONDITION", std::move(text)); }

// -- whom it talks to -------------------------------------------------------------------------------------------------

bool of_same_tenant(const call& c, const message& msg) { return body_reader{msg}.text("customer_id") == c.customer_id; }

std::vector<sdk::entity_ref> partners_of(const call& c) {
  std::vector<sdk::entity_ref> found;
  const auto add = [&](const sdk::entity_ref& one) {
    if (!one.empty() && std::find(found.begin(), found.end(), one) == found.end())
      found.push_back(one);
  };
  add(c.owner);
  add({"queue", c.queue_id});
  add({"conference", c.conference_id});
  for (const auto& one : c.parts->followers)
    add(one);
  return found;
}

void tell_partners(const call& c, const char* name, const json& body, result& out) {
  for (auto& partner : partners_of(c))
    out.send(std::move(partner), name, body);
}

void tell_followers(const call& c, const sdk::entity_ref& asked, const char* name, const json& body, result& out) {
  const auto& followers = c.parts->followers;
  for (const auto& one : followers)
    out.send(one, name, body);
  if (!asked.empty() && std::find(followers.begin(), followers.end(), asked) == followers.end())
    out.send(asked, name, body);
}

result refuse(const message& msg, const context& ctx, std::string_view why) {
  result out;
  json body{{"call_id", ctx.id()}, {"reason", why}};
  if (const auto visit = body_reader{msg}.integer("visit", 0, 0, INT64_MAX))
    body["visit"] = visit; // which invitation of a conference this is about
  out.send(msg.sender(), "call_refused", std::move(body));
  return out;
}

// -- its life ---------------------------------------------------------------------------------------------------------

bool enter(call& c, call_status next, const context& ctx) {
  if (!may_change(c.status, next))
    return false;
  c.status = next;
  c.updated = ctx.now();
  return true;
}

void start_hangup(call& c, std::string why, const context& ctx, result& out) {
  if (!enter(c, when_we_hang_up(c.status, c.direction), ctx))
    return;
  c.ending.change().pending = std::move(why);
  out.cancel("dial_timeout").cancel("max_duration");
  out.arm("release", ctx.setting("release_ms", release_timeout_default));
  out.send(trunk_of(c), "hang_up");
  tell_followers(c, {}, "call_status", {{"call_id", c.id}, {"status", sdk::text(c.status)}}, out);
}

void finish(call& c, std::string_view cause, const context& ctx, result& out) {
  const auto last = c.status;
  if (!enter(c, call_status::hangup, ctx))
    return;
  auto& ending = c.ending.change();
  ending.by = hangup_by(last);
  ending.reason = ending.pending.empty() ? std::string{hangup_reason(last, c.direction, cause)} : ending.pending;
  c.ended = ctx.now();
  c.held = false;
  out.cancel("dial_timeout").cancel("max_duration").cancel("release");
  if (!c.parts.is_untouched())
    end_media(c, out);
  out.event("call.ended", event_data(c));
  out.event("call.record", record_of(c));
  if (!c.parts.is_untouched())
    end_bridges(c, out);
  tell_partners(c, "call_ended", {{"call_id", c.id}, {"reason", c.ending->reason}, {"by", c.ending->by}}, out);
  if (!c.parts.is_untouched())
    end_chain(c, out);
  c.queue_id.clear();
  c.conference_id.clear();
  if (!c.parts.is_untouched()) { // what can still be looked at
    call_parts left;
    left.digits = c.parts->digits;
    left.transferred_from = c.parts->transferred_from;
    left.transferred_to = c.parts->transferred_to;
    left.flow_id = c.parts->flow_id;
    left.activeflow_id = c.parts->activeflow_id;
    c.parts = {};
    if (!(left == call_parts{}))
      c.parts.change() = std::move(left);
  }
  const auto keep = ctx.setting("keep_ms", keep_default);
  if (c.delete_when_over)
    out.event("call.deleted", event_data(c)).end();
  else if (keep > milliseconds{0})
    out.arm("forget", keep);
}

void begin_flow(const call& c, result& out) {
  const auto& parts = *c.parts;
  if (!parts.flow_id.empty())
    out.send({"activeflow", parts.activeflow_id}, "begin",
             {{"customer_id", c.customer_id}, {"call_id", c.id}, {"flow_id", parts.flow_id}});
}

result place(call c, milliseconds dial_timeout, const context& ctx, result out) {
  const bool incoming = c.direction == call_direction::incoming;
  c.id = ctx.id();
  c.created = c.updated = ctx.now();
  c.status = incoming ? call_status::ringing : call_status::dialing;
  out.event("call.created", event_data(c));
  if (incoming) {
    c.ringing_since = ctx.now();
    out.event("call.ringing", event_data(c));
    begin_flow(c, out);
  }
  out.arm("dial_timeout", dial_timeout);
  out.send(trunk_of(c), incoming ? "simulate_arrival" : "originate",
           {{"customer_id", c.customer_id}, {"source", c.source}, {"destination", c.destination}});
  if (!c.parts->master_call_id.empty())
    out.send(call_at(c.parts->master_call_id), "add_chained", {{"customer_id", c.customer_id}});
  out.next(std::move(c));
  return out;
}

void leave_queue_for_good(call& c) {
  if (!c.queue_id.empty())
    c.parts.change().past_queue = std::exchange(c.queue_id, {});
}

void leave_conference(call& c, std::string_view why, result& out) {
  auto& parts = c.parts.change();
  out.send({"conference", c.conference_id}, "call_left", {{"call_id", c.id}, {"visit", parts.visit}, {"reason", why}});
  if (parts.past_conferences.size() >= conferences_max)
    parts.past_conferences.erase(parts.past_conferences.begin());
  parts.past_conferences.push_back(std::exchange(c.conference_id, {}));
  parts.visit = 0;
}

} // namespace switchboard::telephony::calls
