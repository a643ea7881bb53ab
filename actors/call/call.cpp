// The map of this file: the requests and reports of a call's plain life – created, ringing, answered, hung up – and its
// timers; then the table of everything. What goes beyond stands in call_bridge, call_transfer, call_park, call_media
// and call_company; what all share in call_steps.
#include "actors/call/call.hpp"

#include <utility>

#include "actors/call/call_bridge.hpp"
#include "actors/call/call_company.hpp"
#include "actors/call/call_media.hpp"
#include "actors/call/call_park.hpp"
#include "actors/call/call_steps.hpp"
#include "actors/call/call_transfer.hpp"

namespace switchboard::telephony {

namespace calls {

namespace {

constexpr std::size_t destinations_max = 50;

// -- requests ---------------------------------------------------------------------------------------------------------

std::vector<sdk::address> read_destinations(body_reader& in) {
  if (const auto* one = in.find("destination"))
    return {sdk::read_address(in, "destination", *one)};
  std::vector<sdk::address> read;
  const auto* list = in.find("destinations");
  if (!list || !list->is_array() || list->empty() || list->size() > destinations_max)
    return in.complain("destinations must be a list of 1 to 50 addresses"), read;
  for (const auto& one : *list)
    read.push_back(sdk::read_address(in, "destinations[" + std::to_string(read.size()) + "]", one));
  return read;
}

sdk::address read_source(body_reader& in) {
  const auto* source = in.find("source");
  return sdk::read_address(in, "source", source ? *source : json{});
}

/// Several destinations are a group call under this id; the calls are its own.
result create_groupcall(body_reader& in, const call& c, const std::vector<sdk::address>& to, milliseconds dial_timeout,
                        const context& ctx) {
  const auto ring_method = in.text("ring_method", "ring_all");
  if (ring_method != "ring_all" && ring_method != "linear")
    in.complain("ring_method must be ring_all or linear");
  if (c.direction != call_direction::outgoing)
    in.complain("a caller arrives at one destination");
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  result out;
  out.send({"groupcall", ctx.id()}, "create",
           {{"customer_id", c.customer_id},
            {"source", c.source},
            {"destinations", to},
            {"ring_method", ring_method},
            {"dial_timeout_ms", dial_timeout},
            {"max_duration_ms", c.max_duration},
            {"master_call_id", c.parts->master_call_id},
            {"flow_id", c.parts->flow_id}});
  out.reply(200, {{"id", ctx.id()},
                  {"customer_id", c.customer_id},
                  {"calls", json::array()},
                  {"groupcalls", {{{"id", ctx.id()}, {"status", "progressing"}, {"ring_method", ring_method}}}}});
  return out;
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  call c;
  c.customer_id = sdk::read_customer(in, msg);
  c.source = read_source(in);
  const auto to = read_destinations(in);
  const auto way = sdk::from_text<call_direction>(in.text("direction", "outgoing"));
  if (!way)
    in.complain("direction must be outgoing or incoming");
  c.direction = way.value_or(call_direction::outgoing);
  c.max_duration =
      in.duration("max_duration_ms", ctx.setting("max_duration_ms", max_duration_default), milliseconds{1});
  const auto dial_timeout =
      in.duration("dial_timeout_ms", ctx.setting("dial_timeout_ms", dial_timeout_default), milliseconds{1});
  if (in.find("master_call_id"))
    c.parts.change().master_call_id = in.identity("master_call_id");
  if (in.find("flow_id")) {
    c.parts.change().flow_id = in.identity("flow_id");
    c.parts.change().activeflow_id = ctx.make_uuid();
  }
  if (to.size() > 1)
    return create_groupcall(in, c, to, dial_timeout, ctx);
  if (in.wrong())
    return sdk::refused<call>(*in.wrong());
  c.destination = to.front();
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

// -- the trunk reports ------------------------------------------------------------------------------------------------

bool is_simulated(const message& msg) { return body_reader{msg}.flag("simulated", false); }

result far_end_rings(call c, const message& msg, const context& ctx) {
  if (c.status == call_status::hangup)
    return nobody_wants_it(msg, ctx);
  result out;
  if (!enter(c, call_status::ringing, ctx))
    return out; // late: it was answered or is being given up
  c.ringing_since = ctx.now();
  c.simulated = is_simulated(msg);
  out.event("call.ringing", event_data(c));
  tell_followers(c, {}, "call_status", {{"call_id", c.id}, {"status", sdk::text(c.status)}}, out);
  out.next(std::move(c));
  return out;
}

result far_end_answers(call c, const message& msg, const context& ctx) {
  if (c.status == call_status::hangup)
    return nobody_wants_it(msg, ctx);
  result out;
  if (!enter(c, call_status::progressing, ctx))
    return out; // we are giving up already; the trunk has our hang_up
  c.answered = ctx.now();
  c.simulated = is_simulated(msg);
  out.cancel("dial_timeout").arm("max_duration", c.max_duration).event("call.answered", event_data(c));
  if (c.direction == call_direction::outgoing)
    begin_flow(c, out);
  tell_partners(c, "call_answered", {{"call_id", c.id}}, out);
  if (c.parts->peer && c.parts->peer->waits) { // the call that dialled us is told by that, and talks to us
    auto with = *c.parts->peer;
    with.waits = false;
    talk_to(c, std::move(with), out);
  }
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

/// Another entity places a call – a queue the leg to its agent, a call the party it wants to talk to – and owns it.
result create_for(const message& msg, const context& ctx) {
  body_reader in{msg};
  call c;
  c.customer_id = in.identity("customer_id");
  c.source = read_source(in);
  const auto* destination = in.find("destination");
  c.destination = sdk::read_address(in, "destination", destination ? *destination : json{});
  c.owner = msg.sender();
  c.max_duration =
      in.duration("max_duration_ms", ctx.setting("max_duration_ms", max_duration_default), milliseconds{1});
  const auto dial_timeout =
      in.duration("dial_timeout_ms", ctx.setting("dial_timeout_ms", dial_timeout_default), milliseconds{1});
  if (const auto* peer = in.find("peer"); peer && peer->is_object()) {
    body_reader with{*peer};
    const auto* party = with.find("party");
    c.parts.change().peer = bond{with.identity("call_id"), with.identity("token"),
                                 party ? sdk::read_address(with, "party", *party) : sdk::address{}, true};
    if (with.wrong())
      in.complain(with.wrong()->what);
  }
  if (auto from = in.text("transferred_from"); !from.empty())
    c.parts.change().transferred_from = std::move(from);
  if (!in.wrong())
    return place(std::move(c), dial_timeout, ctx);
  result out;
  out.send(c.owner, "call_ended", {{"call_id", ctx.id()}, {"reason", "failed"}, {"by", "local"}});
  return out;
}

/// Placed already: the repeat of the owner's message changes nothing, anybody else's is refused by silence.
result create_again(call, const message&, const context&) { return {}; }

// -- timers -----------------------------------------------------------------------------------------------------------

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

} // namespace calls

const sdk::entity_type<call>& call_type() {
  using namespace sdk;
  namespace k = calls;
  using c = call;
  // Version 2 (v1 wrote every member; what beyond them is `parts`).
  static const entity_type<call> made{
      "call",
      "call",
      2,
      k::view,
      {
          creates<c>("POST", "/v1/calls", k::create),
          lists<c>("GET", "/v1/calls"),
          answers<c>("GET", "/v1/calls/{id}", k::show),
          answers<c>("DELETE", "/v1/calls/{id}", k::remove),
          answers<c>("POST", "/v1/calls/{id}/hangup", k::hang_up),
          answers<c>("POST", "/v1/calls/{id}/answer", k::answer),
          answers<c>("POST", "/v1/calls/{id}/hold", k::hold),
          answers<c>("DELETE", "/v1/calls/{id}/hold", k::resume),
          answers<c>("POST", "/v1/calls/{id}/mute", k::mute),
          answers<c>("DELETE", "/v1/calls/{id}/mute", k::unmute),
          answers<c>("POST", "/v1/calls/{id}/bridge", k::bridge),
          answers<c>("DELETE", "/v1/calls/{id}/bridge", k::unbridge),
          answers<c>("POST", "/v1/calls/{id}/connect", k::connect),
          answers<c>("POST", "/v1/calls/{id}/transfer", k::transfer_call),
          answers<c>("DELETE", "/v1/calls/{id}/transfer", k::cancel_transfer),
          answers<c>("POST", "/v1/calls/{id}/transfer/complete", k::complete_transfer),
          answers<c>("POST", "/v1/calls/{id}/transfer/cancel", k::cancel_transfer),
          answers<c>("POST", "/v1/calls/{id}/park", k::park),
          answers<c>("DELETE", "/v1/calls/{id}/park", k::unpark),
          answers<c>("POST", "/v1/calls/{id}/play", k::play),
          answers<c>("POST", "/v1/calls/{id}/media_stop", k::stop_play),
          answers<c>("GET", "/v1/calls/{id}/digits", k::show_digits),
          answers<c>("POST", "/v1/calls/{id}/digits", k::send_digits),
          answers<c>("POST", "/v1/calls/{id}/recording_start", k::start_recording),
          answers<c>("POST", "/v1/calls/{id}/recording_stop", k::stop_recording),
          answers<c>("POST", "/v1/calls/{id}/chained-call-ids", k::chain),
          answers<c>("DELETE", "/v1/calls/{id}/chained-call-ids/{chained_id}", k::unchain),
          answers<c>("PUT", "/v1/calls/{id}/confbridge_id", k::enter_conference),
          // the trunk
          told<c>("ringing", k::far_end_rings, k::nobody_wants_it),
          told<c>("answered", k::far_end_answers, k::nobody_wants_it),
          told<c>("hung_up", k::leg_is_gone),
          told<c>("digit", k::digit_pressed),
          told<c>("play_finished", k::play_is_over),
          told<c>("recording_finished", k::recording_is_over),
          told<c>("leg_status", k::leg_status, k::nobody_wants_it),
          // anybody of the same tenant
          told<c>("create", k::create_again, k::create_for),
          told<c>("follow", k::follow, k::not_found),
          told<c>("unfollow", k::unfollow),
          told<c>("answer", k::answer_for, k::not_found),
          told<c>("play", k::play_for, k::nobody_to_play_to),
          told<c>("stop_play", k::stop_play_for),
          told<c>("connect", k::connect_for, k::nobody_to_connect),
          told<c>("hang_up", k::hang_up_for, k::nothing_to_hang_up),
          // queue and conference
          told<c>("join_queue", k::join_queue, k::not_found),
          told<c>("leave_queue", k::leave_queue),
          told<c>("join_conference", k::join_conference, k::not_found),
          told<c>("join_refused", k::join_refused),
          told<c>("leave_conference", k::leave_conference_for),
          told<c>("set_mute", k::mute_for),
          told<c>("set_hold", k::hold_for),
          told<c>("check", k::check, k::nobody_to_check),
          // other calls
          told<c>("peer_ask", k::peer_ask, k::nobody_to_bridge),
          told<c>("peer_taken", k::peer_taken, k::peer_taken_too_late),
          told<c>("peer_refused", k::peer_refused),
          told<c>("peer_gone", k::peer_gone),
          told<c>("call_answered", k::other_answered, k::nobody_wants_it),
          told<c>("call_ended", k::other_ended),
          told<c>("others", k::others_in_conference),
          told<c>("transfer_to", k::transfer_to, k::nobody_to_transfer),
          told<c>("transfer_cancel", k::transfer_canceled),
          told<c>("transfer_done", k::transfer_done),
          told<c>("transfer_failed", k::transfer_failed),
          told<c>("add_chained", k::add_chained, k::no_master),
          told<c>("chain_to", k::chain_to, k::nobody_to_chain),
          told<c>("chain_refused", k::chain_refused),
          told<c>("unchain", k::let_off_chain),
          told<c>("chained_ended", k::chained_ended),
          told<c>("master_ended", k::master_ended),
          timer<c>("dial_timeout", k::stop_dialing),
          timer<c>("max_duration", k::limit_reached),
          timer<c>("release", k::release),
          timer<c>("forget", k::forget),
          timer<c>("reach", k::reach_timeout),
          timer<c>("transfer", k::transfer_timeout),
          timer<c>("park", k::parked_too_long),
          timer<c>("recording", k::recorded_enough),
      }};
  return made;
}

} // namespace switchboard::telephony
