// The map of this file: state to JSON and view, steps that several handlers share, then the handlers in the order of
// the table at the end: requests, the trunk's reports, other entities' messages, timers.
#include "actors/call/call.hpp"

#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(call, id, customer_id, status, direction, source, destination, held, simulated,
                                   delete_when_over, owner, queue_id, conference_id, hangup_by, hangup_reason,
                                   pending_reason, max_duration, created, ringing_since, answered, ended, updated)

namespace {

using result = sdk::outcome<call>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

// Defaults of the settings; all are in milliseconds there.
constexpr milliseconds dial_timeout_default = std::chrono::seconds{60};
constexpr milliseconds max_duration_default = std::chrono::hours{1};
constexpr milliseconds release_timeout_default = std::chrono::seconds{10}; // a trunk that never confirms a hang-up
constexpr milliseconds keep_default = std::chrono::hours{24};              // how long an ended call can be looked at

// -- what others see
// ---------------------------------------------------------------------------------------------------

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
             {"hangup_by", c.hangup_by},
             {"hangup_reason", c.hangup_reason},
             {"tm_create", sdk::shown(c.created)},
             {"tm_ringing", sdk::shown(c.ringing_since)},
             {"tm_progressing", sdk::shown(c.answered)},
             {"tm_hangup", sdk::shown(c.ended)},
             {"tm_update", sdk::shown(c.updated)}};
  if (c.simulated)
    shown["simulated"] = true;
  return shown;
}

/// As the view, but with plain numbers: seed 000 prints events so.
json event_data(const call& c) {
  auto data = view(c);
  data["source"] = c.source.target;
  data["destination"] = c.destination.target;
  return data;
}

result shows(const call& c) {
  result out;
  out.reply(200, view(c));
  return out;
}

// -- steps that several handlers share
// ---------------------------------------------------------------------------------

sdk::entity_ref trunk_of(const call& c) { return {"trunk", c.id}; }

/// Everybody who has to know how this call fares: who placed it, its queue, its conference.
std::vector<sdk::entity_ref> partners_of(const call& c) {
  std::vector<sdk::entity_ref> found;
  for (const auto& one :
       {c.owner, sdk::entity_ref{"queue", c.queue_id}, sdk::entity_ref{"conference", c.conference_id}}) {
    if (!one.empty() && std::find(found.begin(), found.end(), one) == found.end())
      found.push_back(one);
  }
  return found;
}

/// The only place where the status changes. False, and nothing happens, if the table forbids it.
bool enter(call& c, call_status next, const context& ctx) {
  if (!may_change(c.status, next))
    return false;
  c.status = next;
  c.updated = ctx.now();
  return true;
}

/// Starts the end of a live call; harmless if it is already ending or over. `why` may be empty: then the table says it.
void start_hangup(call& c, std::string why, const context& ctx, result& out) {
  if (!enter(c, when_we_hang_up(c.status, c.direction), ctx))
    return;
  c.pending_reason = std::move(why);
  out.cancel("dial_timeout").cancel("max_duration");
  out.arm("release", ctx.setting("release_ms", release_timeout_default));
  out.send(trunk_of(c), "hang_up");
}

void finish(call& c, std::string_view cause, const context& ctx, result& out) {
  const auto last = c.status;
  if (!enter(c, call_status::hangup, ctx))
    return;
  c.hangup_by = hangup_by(last);
  c.hangup_reason = c.pending_reason.empty() ? std::string{hangup_reason(last, c.direction, cause)} : c.pending_reason;
  c.ended = ctx.now();
  c.held = false;
  out.cancel("dial_timeout").cancel("max_duration").cancel("release");
  out.event("call.ended", event_data(c));
  for (const auto& partner : partners_of(c))
    out.send(partner, "call_ended", {{"call_id", c.id}, {"reason", c.hangup_reason}, {"by", c.hangup_by}});
  c.queue_id.clear();
  c.conference_id.clear();
  const auto keep = ctx.setting("keep_ms", keep_default);
  if (c.delete_when_over)
    out.event("call.deleted", event_data(c)).end();
  else if (keep > milliseconds{0})
    out.arm("forget", keep);
}

/// A new call of which everything but times and timers is known: tells the world and the trunk.
result place(call c, milliseconds dial_timeout, const context& ctx, result out = {}) {
  const bool incoming = c.direction == call_direction::incoming;
  c.id = ctx.id();
  c.created = c.updated = ctx.now();
  c.status = incoming ? call_status::ringing : call_status::dialing;
  out.event("call.created", event_data(c));
  if (incoming) {
    c.ringing_since = ctx.now();
    out.event("call.ringing", event_data(c));
  }
  out.arm("dial_timeout", dial_timeout);
  out.send(trunk_of(c), incoming ? "simulate_arrival" : "originate",
           {{"customer_id", c.customer_id}, {"source", c.source}, {"destination", c.destination}});
  out.next(std::move(c));
  return out;
}

/// The trunk speaks of a call that is over or was never here: its leg must not stay up.
result not_for_us(const message& msg, const context&) {
  result out;
  out.send({msg.from_type, msg.from_id}, "hang_up");
  return out;
}

// -- requests
// ----------------------------------------------------------------------------------------------------------

sdk::address read_destination(body_reader& in) {
  if (const auto* one = in.find("destination"))
    return sdk::read_address(in, "destination", *one);
  const auto* list = in.find("destinations");
  if (list && list->is_array() && list->size() == 1)
    return sdk::read_address(in, "destinations[0]", list->front());
  in.complain(list && list->is_array() && list->size() > 1 ? "several destinations (a group call) are not supported yet"
                                                           : "destinations must be a list of one address");
  return {};
}

sdk::address read_source(body_reader& in) {
  const auto* source = in.find("source");
  return sdk::read_address(in, "source", source ? *source : json{});
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  call c;
  c.customer_id = sdk::read_customer(in, msg);
  c.source = read_source(in);
  c.destination = read_destination(in);
  const auto way = sdk::from_text<call_direction>(in.text("direction", "outgoing"));
  if (!way)
    in.complain("direction must be outgoing or incoming");
  c.direction = way.value_or(call_direction::outgoing);
  c.max_duration =
      in.duration("max_duration_ms", ctx.setting("max_duration_ms", max_duration_default), milliseconds{1});
  const auto dial_timeout =
      in.duration("dial_timeout_ms", ctx.setting("dial_timeout_ms", dial_timeout_default), milliseconds{1});
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  auto out = place(std::move(c), dial_timeout, ctx);
  out.reply(200, view(*out.next_state()));
  return out;
}

result show(call c, const message&, const context&) { return shows(c); }

result hang_up(call c, const message&, const context& ctx) {
  result out;
  start_hangup(c, {}, ctx, out);
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

/// A live call is hung up first and goes once it is over.
result remove(call c, const message&, const context& ctx) {
  result out;
  if (c.status == call_status::hangup) {
    out.event("call.deleted", event_data(c)).reply(200, view(c)).end();
    return out;
  }
  start_hangup(c, {}, ctx, out);
  c.delete_when_over = true;
  out.reply(200, view(c)).next(std::move(c));
  return out;
}

result not_now(const call& c, std::string_view what) {
  return sdk::refused<call>(409, "FAILED_PRECONDITION",
                            std::string{what}.append(" a call that is ").append(sdk::text(c.status)));
}

/// We pick up an incoming call.
result answer(call c, const message&, const context&) {
  if (c.status == call_status::progressing)
    return shows(c);
  if (c.direction != call_direction::incoming || c.status != call_status::ringing)
    return not_now(c, "can't answer");
  result out;
  out.send(trunk_of(c), "answer").reply(200, view(c));
  return out;
}

result set_hold(call c, bool held, const context& ctx) {
  if (c.status != call_status::progressing)
    return not_now(c, "can't hold or resume");
  result out;
  if (c.held != held) {
    c.held = held;
    c.updated = ctx.now();
    out.send(trunk_of(c), "hold", {{"held", held}}).event("call.updated", event_data(c));
  }
  out.reply(200, view(c)).next(std::move(c));
  return out;
}
result hold(call c, const message&, const context& ctx) { return set_hold(std::move(c), true, ctx); }
result resume(call c, const message&, const context& ctx) { return set_hold(std::move(c), false, ctx); }

/// Asks the conference to take this call in; the conference then asks back (join_conference).
result enter_conference(call c, const message& msg, const context&) {
  body_reader in{msg};
  const auto conference = in.identity("confbridge_id");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  if (c.status != call_status::progressing || (!c.conference_id.empty() && c.conference_id != conference))
    return not_now(c, "can't put into this conference");
  result out;
  out.send({"conference", conference}, "add_call", {{"call_id", c.id}, {"customer_id", c.customer_id}});
  out.reply(200, view(c));
  return out;
}

// -- the trunk reports
// -------------------------------------------------------------------------------------------------

bool is_simulated(const message& msg) { return body_reader{msg}.flag("simulated", false); }

result far_end_rings(call c, const message& msg, const context& ctx) {
  if (c.status == call_status::hangup)
    return not_for_us(msg, ctx);
  result out;
  if (!enter(c, call_status::ringing, ctx))
    return out; // late: it was answered or is being given up
  c.ringing_since = ctx.now();
  c.simulated = is_simulated(msg);
  out.event("call.ringing", event_data(c)).next(std::move(c));
  return out;
}

result far_end_answers(call c, const message& msg, const context& ctx) {
  if (c.status == call_status::hangup)
    return not_for_us(msg, ctx);
  result out;
  if (!enter(c, call_status::progressing, ctx))
    return out; // we are giving up already; the trunk has our hang_up
  c.answered = ctx.now();
  c.simulated = is_simulated(msg);
  out.cancel("dial_timeout").arm("max_duration", c.max_duration).event("call.answered", event_data(c));
  for (const auto& partner : partners_of(c))
    out.send(partner, "call_answered", {{"call_id", c.id}});
  out.next(std::move(c));
  return out;
}

result leg_is_gone(call c, const message& msg, const context& ctx) {
  result out;
  body_reader in{msg};
  c.simulated = c.simulated || in.flag("simulated", false);
  finish(c, in.text("reason"), ctx, out);
  out.next(std::move(c));
  return out;
}

// -- other entities ask
// ------------------------------------------------------------------------------------------------

sdk::entity_ref sender_of(const message& msg) { return {msg.from_type, msg.from_id}; }

/// A queue places the leg to its agent; it becomes the owner.
result create_for(const message& msg, const context& ctx) {
  body_reader in{msg};
  call c;
  c.customer_id = in.identity("customer_id");
  c.source = read_source(in);
  c.destination = read_destination(in);
  c.owner = sender_of(msg);
  c.max_duration = ctx.setting("max_duration_ms", max_duration_default);
  const auto dial_timeout =
      in.duration("dial_timeout_ms", ctx.setting("dial_timeout_ms", dial_timeout_default), milliseconds{1});
  if (!in.wrong())
    return place(std::move(c), dial_timeout, ctx);
  result out;
  out.send(c.owner, "call_ended", {{"call_id", ctx.id()}, {"reason", "failed"}, {"by", "local"}});
  return out;
}

/// Placed already: the repeat of the owner's message changes nothing, anybody else's is refused by silence.
result create_again(call, const message&, const context&) { return {}; }

result hang_up_for(call c, const message& msg, const context& ctx) {
  result out;
  start_hangup(c, body_reader{msg}.text("reason"), ctx, out);
  out.next(std::move(c));
  return out;
}
result nothing_to_hang_up(const message& msg, const context& ctx) {
  result out;
  out.send(sender_of(msg), "call_ended", {{"call_id", ctx.id()}, {"reason", "not_found"}, {"by", "local"}});
  return out;
}

result refuse(const message& msg, const context& ctx, std::string_view why) {
  result out;
  out.send(sender_of(msg), "call_refused", {{"call_id", ctx.id()}, {"reason", why}});
  return out;
}
result not_found(const message& msg, const context& ctx) { return refuse(msg, ctx, "not_found"); }

/// Another tenant's queue or conference must not learn that the call exists.
bool of_same_tenant(const call& c, const message& msg) { return body_reader{msg}.text("customer_id") == c.customer_id; }

/// A queue takes the caller in. An incoming caller who was not answered yet is answered now.
result join_queue(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg))
    return refuse(msg, ctx, "not_found");
  if (!is_live(c.status))
    return refuse(msg, ctx, "call_is_over");
  if ((!c.queue_id.empty() && c.queue_id != msg.from_id) || !c.conference_id.empty())
    return refuse(msg, ctx, "call_is_elsewhere");
  result out;
  c.queue_id = msg.from_id;
  if (c.direction == call_direction::incoming && c.status == call_status::ringing)
    out.send(trunk_of(c), "answer");
  out.send(sender_of(msg), "call_joined", {{"call_id", c.id}, {"status", sdk::text(c.status)}});
  out.next(std::move(c));
  return out;
}

result leave_queue(call c, const message& msg, const context&) {
  result out;
  if (c.queue_id == msg.from_id) {
    c.queue_id.clear();
    out.next(std::move(c));
  }
  return out;
}

result join_conference(call c, const message& msg, const context& ctx) {
  if (!of_same_tenant(c, msg))
    return refuse(msg, ctx, "not_found");
  if (c.status != call_status::progressing)
    return refuse(msg, ctx, is_live(c.status) ? "call_is_not_answered" : "call_is_over");
  if (!c.conference_id.empty() && c.conference_id != msg.from_id)
    return refuse(msg, ctx, "call_is_elsewhere");
  result out;
  c.conference_id = msg.from_id;
  c.updated = ctx.now();
  out.send(trunk_of(c), "bridge", {{"conference_id", c.conference_id}});
  out.send(sender_of(msg), "call_joined", {{"call_id", c.id}, {"status", sdk::text(c.status)}});
  out.next(std::move(c));
  return out;
}

// -- timers
// ------------------------------------------------------------------------------------------------------------

result stop_dialing(call c, const message&, const context& ctx) {
  result out;
  if (c.status == call_status::dialing || c.status == call_status::ringing)
    start_hangup(c, "noanswer", ctx, out);
  out.next(std::move(c));
  return out;
}

result limit_reached(call c, const message&, const context& ctx) {
  result out;
  if (c.status == call_status::progressing)
    start_hangup(c, "timeout", ctx, out);
  out.next(std::move(c));
  return out;
}

/// The trunk never confirmed our hang-up.
result release(call c, const message&, const context& ctx) {
  result out;
  if (!is_live(c.status))
    finish(c, "", ctx, out);
  out.next(std::move(c));
  return out;
}

result forget(call c, const message&, const context&) {
  result out;
  if (c.status == call_status::hangup)
    out.end();
  return out;
}

} // namespace

const sdk::entity_type<call>& call_type() {
  using namespace sdk;
  static const entity_type<call> made{"call",
                                      "call",
                                      1,
                                      view,
                                      {
                                          creates<call>("POST", "/v1/calls", create),
                                          lists<call>("GET", "/v1/calls"),
                                          answers<call>("GET", "/v1/calls/{id}", show),
                                          answers<call>("DELETE", "/v1/calls/{id}", remove),
                                          answers<call>("POST", "/v1/calls/{id}/hangup", hang_up),
                                          answers<call>("POST", "/v1/calls/{id}/answer", answer),
                                          answers<call>("POST", "/v1/calls/{id}/hold", hold),
                                          answers<call>("DELETE", "/v1/calls/{id}/hold", resume),
                                          answers<call>("PUT", "/v1/calls/{id}/confbridge_id", enter_conference),
                                          told<call>("ringing", far_end_rings, not_for_us),
                                          told<call>("answered", far_end_answers, not_for_us),
                                          told<call>("hung_up", leg_is_gone),
                                          told<call>("create", create_again, create_for),
                                          told<call>("hang_up", hang_up_for, nothing_to_hang_up),
                                          told<call>("join_queue", join_queue, not_found),
                                          told<call>("leave_queue", leave_queue),
                                          told<call>("join_conference", join_conference, not_found),
                                          timer<call>("dial_timeout", stop_dialing),
                                          timer<call>("max_duration", limit_reached),
                                          timer<call>("release", release),
                                          timer<call>("forget", forget),
                                      }};
  return made;
}

} // namespace switchboard::telephony
