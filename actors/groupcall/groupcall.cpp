// The map of this file: state and view, shared steps, requests, messages of its calls and its master, timers.
#include "actors/groupcall/groupcall.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(groupcall_member, call_id, destination, status, reason)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(groupcall, id, customer_id, status, method, source, members,
                                                answer_call_id, master_call_id, flow_id, activeflow_id, dial_timeout,
                                                max_duration, delete_when_over, created, answered, updated, ended)

namespace {

using result = sdk::outcome<groupcall>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds dial_timeout_default = std::chrono::seconds{60};
constexpr milliseconds max_duration_default = std::chrono::hours{1};
constexpr milliseconds keep_default = std::chrono::hours{24};
constexpr milliseconds guard_grace = std::chrono::seconds{30}; // its calls' own timers come first
constexpr milliseconds release_default = std::chrono::seconds{15};
constexpr std::size_t destinations_max = 50;

// -- what others see --------------------------------------------------------------------------------------------------

std::size_t count(const groupcall& g, member_status what) {
  return static_cast<std::size_t>(
      std::count_if(g.members.begin(), g.members.end(), [&](const auto& m) { return m.status == what; }));
}
std::size_t live(const groupcall& g) {
  return count(g, member_status::calling) + count(g, member_status::winner) + count(g, member_status::leaving);
}

json view(const groupcall& g) {
  json calls = json::array(), destinations = json::array(), ids = json::array();
  for (const auto& one : g.members) {
    destinations.push_back(one.destination);
    calls.push_back({{"call_id", one.call_id},
                     {"destination", one.destination.target},
                     {"status", sdk::text(one.status)},
                     {"reason", one.reason}});
    if (one.status != member_status::waiting)
      ids.push_back(one.call_id);
  }
  json shown{{"id", g.id},
             {"customer_id", g.customer_id},
             {"status", sdk::text(g.status)},
             {"ring_method", sdk::text(g.method)},
             {"answer_method", "hangup_others"},
             {"source", g.source},
             {"destinations", std::move(destinations)},
             {"calls", std::move(calls)},
             {"call_ids", std::move(ids)},
             {"call_count", live(g)},
             {"answer_call_id", g.answer_call_id},
             {"master_call_id", g.master_call_id},
             {"tm_create", sdk::shown(g.created)},
             {"tm_progressing", sdk::shown(g.answered)},
             {"tm_update", sdk::shown(g.updated)},
             {"tm_hangup", sdk::shown(g.ended)}};
  if (!g.flow_id.empty()) {
    shown["flow_id"] = g.flow_id;
    shown["activeflow_id"] = g.activeflow_id;
  }
  return shown;
}

result shows(const groupcall& g) {
  result out;
  out.reply(200, view(g));
  return out;
}

// -- shared steps -----------------------------------------------------------------------------------------------------

/// If the calls stay silent beyond their own limits, they are taken for gone.
void arm_guard(milliseconds limit, result& out) { out.arm("guard", limit + guard_grace); }

void place(const groupcall& g, groupcall_member& one, result& out) {
  one.status = member_status::calling;
  out.send({"call", one.call_id}, "create",
           {{"customer_id", g.customer_id},
            {"source", g.source},
            {"destination", one.destination},
            {"dial_timeout_ms", g.dial_timeout},
            {"max_duration_ms", g.max_duration}});
}

/// All at once, or the next one. False: nobody is left to be called.
bool place_next(groupcall& g, result& out) {
  bool placed = false;
  for (auto& one : g.members) {
    if (one.status != member_status::waiting || (placed && g.method == ring_method::linear))
      continue;
    place(g, one, out);
    placed = true;
  }
  if (placed)
    arm_guard(g.dial_timeout, out);
  return placed;
}

void hang_up(groupcall_member& one, result& out) {
  if (one.status == member_status::calling || one.status == member_status::winner) {
    one.status = member_status::leaving;
    out.send({"call", one.call_id}, "hang_up");
  }
}

void finish(groupcall& g, const context& ctx, result& out) {
  g.status = groupcall_status::hangup;
  g.ended = g.updated = ctx.now();
  for (auto& one : g.members)
    one.status = member_status::gone;
  out.cancel("guard").cancel("release").event("groupcall.hangup", view(g));
  if (!g.master_call_id.empty())
    out.send({"call", g.master_call_id}, "unfollow");
  const auto keep = ctx.setting("keep_ms", keep_default);
  if (g.delete_when_over)
    out.event("groupcall.deleted", view(g)).end();
  else if (keep > milliseconds{0})
    out.arm("forget", keep);
}

void hang_up_all(groupcall& g, const context& ctx, result& out) {
  if (g.status != groupcall_status::progressing)
    return;
  g.status = groupcall_status::hangingup;
  g.updated = ctx.now();
  for (auto& one : g.members) {
    if (one.status == member_status::waiting)
      one.status = member_status::gone;
    hang_up(one, out);
  }
  if (live(g) == 0)
    return finish(g, ctx, out);
  out.cancel("guard").arm("release", ctx.setting("release_ms", release_default));
}

groupcall_member* find(groupcall& g, const std::string& call_id) {
  const auto found =
      std::find_if(g.members.begin(), g.members.end(), [&](const auto& m) { return m.call_id == call_id; });
  return found == g.members.end() ? nullptr : &*found;
}

void member_is_gone(groupcall& g, groupcall_member& one, const std::string& reason, const context& ctx, result& out) {
  const bool was_winner = one.status == member_status::winner;
  one.status = member_status::gone;
  one.reason = reason;
  g.updated = ctx.now();
  switch (after_end_of(g.status, was_winner, !g.answer_call_id.empty(), live(g), count(g, member_status::waiting))) {
  case after_end::go_on:
    break;
  case after_end::call_next:
    place_next(g, out);
    break;
  case after_end::hang_up_all:
    hang_up_all(g, ctx, out);
    break;
  case after_end::over:
    finish(g, ctx, out);
    break;
  }
}

/// A new one of which everything but id, times and calls is known.
result begin(groupcall g, const context& ctx, result out = {}) {
  g.id = ctx.id();
  g.created = g.updated = ctx.now();
  for (auto& one : g.members)
    one.call_id = ctx.make_uuid();
  out.event("groupcall.created", view(g));
  if (!g.master_call_id.empty())
    out.send({"call", g.master_call_id}, "follow", {{"customer_id", g.customer_id}});
  place_next(g, out);
  out.next(std::move(g));
  return out;
}

// -- requests ---------------------------------------------------------------------------------------------------------

groupcall read(body_reader& in, const context& ctx) {
  groupcall g;
  const auto* source = in.find("source");
  g.source = sdk::read_address(in, "source", source ? *source : json{});
  const auto* list = in.find("destinations");
  if (!list || !list->is_array() || list->empty() || list->size() > destinations_max)
    in.complain("destinations must be a list of 1 to 50 addresses");
  else
    for (const auto& one : *list)
      g.members.push_back({{}, sdk::read_address(in, "destinations", one)});
  const auto method = sdk::from_text<ring_method>(in.text("ring_method", "ring_all"));
  if (!method)
    in.complain("ring_method must be ring_all or linear");
  g.method = method.value_or(ring_method::ring_all);
  if (in.text("answer_method", "hangup_others") != "hangup_others")
    in.complain("answer_method must be hangup_others");
  if (in.find("master_groupcall_id"))
    in.complain("a group call inside a group call is not supported: name all destinations in one");
  g.master_call_id = in.text("master_call_id");
  if (!g.master_call_id.empty() && !is_identity(g.master_call_id))
    in.complain("master_call_id must be an id");
  g.flow_id = in.text("flow_id");
  if (!g.flow_id.empty() && !is_identity(g.flow_id))
    in.complain("flow_id must be an id");
  g.dial_timeout =
      in.duration("dial_timeout_ms", ctx.setting("dial_timeout_ms", dial_timeout_default), milliseconds{1});
  g.max_duration =
      in.duration("max_duration_ms", ctx.setting("max_duration_ms", max_duration_default), milliseconds{1});
  return g;
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  auto customer_id = sdk::read_customer(in, msg);
  auto g = read(in, ctx);
  g.customer_id = std::move(customer_id);
  if (in.wrong())
    return sdk::refused<groupcall>(*in.wrong());
  auto out = begin(std::move(g), ctx);
  out.reply(200, view(*out.next_state()));
  return out;
}

result show(groupcall g, const message&, const context&) { return shows(g); }

result hang_up_now(groupcall g, const message&, const context& ctx) {
  result out;
  hang_up_all(g, ctx, out);
  out.reply(200, view(g)).next(std::move(g));
  return out;
}

/// A live one is hung up first and goes once it is over.
result delete_it(groupcall g, const message&, const context& ctx) {
  result out;
  g.delete_when_over = true;
  if (g.status == groupcall_status::hangup)
    out.event("groupcall.deleted", view(g)).end();
  else
    hang_up_all(g, ctx, out);
  out.reply(200, view(g)).next(std::move(g));
  return out;
}

// -- messages ---------------------------------------------------------------------------------------------------------

/// POST /v1/calls with several destinations.
result create_for(const message& msg, const context& ctx) {
  body_reader in{msg};
  auto g = read(in, ctx);
  g.customer_id = in.identity("customer_id");
  return in.wrong() ? result{} : begin(std::move(g), ctx);
}
result create_again(groupcall, const message&, const context&) { return {}; }

result hang_up_call(const message& msg) {
  result out;
  out.send(msg.sender(), "hang_up");
  return out;
}
result nobody_wants_it(const message& msg, const context&) { return hang_up_call(msg); }

/// The one place where somebody wins. The others are hung up, also those who answer in this very moment.
result call_answered(groupcall g, const message& msg, const context& ctx) {
  auto* one = find(g, msg.from_id);
  if (!one)
    return msg.from_id == g.master_call_id ? result{} : hang_up_call(msg);
  if (one->status == member_status::winner)
    return {}; // a repeat
  if (answer_of(g.status, one->status, !g.answer_call_id.empty()) == on_answer::too_late)
    return hang_up_call(msg);
  result out;
  one->status = member_status::winner;
  g.answer_call_id = one->call_id;
  g.answered = g.updated = ctx.now();
  for (auto& other : g.members) {
    if (other.status == member_status::waiting)
      other.status = member_status::gone;
    if (&other != one)
      hang_up(other, out);
  }
  arm_guard(g.max_duration, out);
  if (!g.flow_id.empty()) {
    g.activeflow_id = ctx.make_uuid();
    out.send({"activeflow", g.activeflow_id}, "begin",
             {{"customer_id", g.customer_id}, {"call_id", g.answer_call_id}, {"flow_id", g.flow_id}});
  }
  out.event("groupcall.progressing", view(g)).next(std::move(g));
  return out;
}

result call_ended(groupcall g, const message& msg, const context& ctx) {
  result out;
  auto* one = find(g, msg.from_id);
  if (one && one->status != member_status::gone && one->status != member_status::waiting)
    member_is_gone(g, *one, body_reader{msg}.text("reason"), ctx, out);
  else if (!one && msg.from_id == g.master_call_id)
    hang_up_all(g, ctx, out);
  else
    return out;
  out.next(std::move(g));
  return out;
}

/// Its master is over, or there is none of this tenant.
result no_master(groupcall g, const message& msg, const context& ctx) {
  result out;
  if (msg.from_id != g.master_call_id || find(g, msg.from_id))
    return out;
  hang_up_all(g, ctx, out);
  out.next(std::move(g));
  return out;
}

// -- timers -----------------------------------------------------------------------------------------------------------

/// Its calls never said what became of them: whoever was still calling or talking is let go.
result guard_over(groupcall g, const message&, const context& ctx) {
  result out;
  if (g.status != groupcall_status::progressing)
    return out;
  const bool goes_on = g.answer_call_id.empty() && count(g, member_status::waiting) > 0;
  if (!goes_on) {
    hang_up_all(g, ctx, out);
  } else {
    for (auto& one : g.members)
      hang_up(one, out);
    place_next(g, out); // linear: the next one's turn; the silent one may still report its end
  }
  out.next(std::move(g));
  return out;
}

result release(groupcall g, const message&, const context& ctx) {
  result out;
  if (g.status == groupcall_status::hangingup)
    finish(g, ctx, out);
  out.next(std::move(g));
  return out;
}

result forget(groupcall g, const message&, const context&) {
  result out;
  if (g.status == groupcall_status::hangup)
    out.end();
  return out;
}

} // namespace

const sdk::entity_type<groupcall>& groupcall_type() {
  using namespace sdk;
  using g = groupcall;
  static const entity_type<g> made{"groupcall",
                                   "call", // VoIPBIN's call-manager serves /v1/groupcalls
                                   1,
                                   view,
                                   {
                                       creates<g>("POST", "/v1/groupcalls", create),
                                       lists<g>("GET", "/v1/groupcalls"),
                                       answers<g>("GET", "/v1/groupcalls/{id}", show),
                                       answers<g>("DELETE", "/v1/groupcalls/{id}", delete_it),
                                       answers<g>("POST", "/v1/groupcalls/{id}/hangup", hang_up_now),
                                       told<g>("create", create_again, create_for),
                                       told<g>("call_answered", call_answered, nobody_wants_it),
                                       told<g>("call_ended", call_ended),
                                       told<g>("call_refused", no_master),
                                       timer<g>("guard", guard_over),
                                       timer<g>("release", release),
                                       timer<g>("forget", forget),
                                   }};
  return made;
}

} // namespace switchboard::telephony
