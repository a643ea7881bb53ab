// The map of this file: views, the run itself (beginning an action, going on, ending), requests, what others report,
// the timer.
#include "actors/flow/activeflow.hpp"

#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(activeflow, id, customer_id, flow_id, call_id, status, reason, actions,
                                                at, step, owns_call, answered, accepted, is_over, went_well, digits,
                                                collected, jumps, created, updated)

namespace runs {
namespace {

using result = sdk::outcome<activeflow>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds answer_most = std::chrono::seconds{10};   // of a flow, a call or a queue to our first question
constexpr milliseconds call_end_most = std::chrono::seconds{10}; // from "the caller has gone" to "the call is over"
/// A call that ends ends what it does first: nothing new is begun before its end could be heard of.
constexpr milliseconds call_end_wait{200};
constexpr milliseconds keep_default = std::chrono::hours{1};
constexpr std::int64_t steps_max = 1000; // of one run: loops end
constexpr std::size_t digits_kept_max = 64;

const action* current(const activeflow& a) {
  return a.status == activeflow_status::running && a.at < a.actions->size() ? &(*a.actions)[a.at] : nullptr;
}
/// It runs, and its report has not come.
bool is_at(const activeflow& a, action_type type) { return current(a) && current(a)->type == type && !a.is_over; }

json brief(const activeflow& a) {
  const auto* now = current(a);
  return {{"id", a.id},
          {"customer_id", a.customer_id},
          {"flow_id", a.flow_id},
          {"call_id", a.call_id},
          {"status", sdk::text(a.status)},
          {"reason", a.reason},
          {"action", now ? json(sdk::text(now->type)) : json{}},
          {"action_id", now ? json(now->id) : json{}},
          {"step", a.step},
          {"digits", a.collected},
          {"tm_create", sdk::shown(a.created)},
          {"tm_update", sdk::shown(a.updated)}};
}

json view(const activeflow& a) {
  auto shown = brief(a);
  shown["actions"] = a.actions;
  return shown;
}

// -- the run ----------------------------------------------------------------------------------------------------------

sdk::entity_ref call_of(const activeflow& a) { return {"call", a.call_id}; }

/// Names what the call does for one action: unique over all runs.
std::string task_id(const activeflow& a) { return a.id + "-" + std::to_string(a.step); }

/// The only timer: whatever is waited for, it is not waited for longer.
void wait_at_most(const activeflow& a, milliseconds most, result& out) { out.arm("limit", most, {{"step", a.step}}); }

/// Nobody else would end that call: its flow was all it was for. Somebody may have stopped the run for a better one,
/// and a queue, a conference or a connected call may still have the caller.
bool takes_call_along(const activeflow& a) {
  return a.owns_call && a.reason != "stopped" && a.reason != "limit" && a.reason != "overflowed";
}

/// The queue may keep the caller, and must not wait for us to take him back.
void leave_to_queue(const activeflow& a, result& out) {
  if (is_at(a, action_type::queue_join))
    out.send({"queue", current(a)->option.at("queue_id")}, "disown_caller", {{"call_id", a.call_id}});
}

void finish(activeflow& a, std::string reason, const context& ctx, result& out) {
  a.status = activeflow_status::ended;
  a.reason = std::move(reason);
  a.updated = ctx.now();
  if (takes_call_along(a))
    out.send(call_of(a), "hang_up", {{"customer_id", a.customer_id}});
  out.cancel("limit").send(call_of(a), "unfollow").event("activeflow.updated", brief(a));
  out.arm("forget", ctx.setting("keep_ms", keep_default));
}

/// Asks for what the action wants. True if it is done at once.
bool ask(activeflow& a, const action& what, result& out) {
  const auto& option = what.option;
  switch (what.type) {
  case action_type::answer:
    if (a.answered)
      return true;
    out.send(call_of(a), "answer", {{"customer_id", a.customer_id}});
    break;
  case action_type::play:
    out.send(call_of(a), "play",
             {{"customer_id", a.customer_id},
              {"play_id", task_id(a)},
              {"media_urls", option.at("media_urls")},
              {"loops", option.at("loops")}});
    break;
  case action_type::queue_join:
    out.send({"queue", option.at("queue_id")}, "add_caller",
             {{"customer_id", a.customer_id},
              {"call_id", a.call_id},
              {"priority", option.at("priority")},
              {"skills", option.at("skills")}});
    break;
  case action_type::conference_join:
    out.send({"conference", option.at("conference_id")}, "add_call",
             {{"call_id", a.call_id}, {"customer_id", a.customer_id}});
    break;
  case action_type::connect:
    out.send(call_of(a), "connect",
             {{"customer_id", a.customer_id},
              {"connect_id", task_id(a)},
              {"destination", option.at("destination")},
              {"dial_timeout_ms", option.at("dial_timeout_ms")}});
    break;
  case action_type::hangup:
    out.send(call_of(a), "hang_up", {{"customer_id", a.customer_id}, {"reason", option.at("reason")}});
    break;
  case action_type::digits_collect:
  case action_type::goto_action:
  case action_type::sleep:
    break;
  }
  return false;
}

milliseconds first_wait(const action& what) {
  if (what.type == action_type::sleep)
    return milliseconds{what.option.at("duration_ms").get<std::int64_t>()};
  return what.type == action_type::queue_join ? answer_most : what.limit;
}

/// What was pressed during a prompt counts for the menu behind it, and for nothing later.
bool keeps_digits(action_type type) {
  return type == action_type::play || type == action_type::digits_collect || type == action_type::goto_action ||
         type == action_type::sleep;
}

std::size_t after_failure(const activeflow& a, const action& failed) {
  return find_action(*a.actions, failed.on_failure).value_or(a.at + 1);
}

/// Takes what was asked for off what was pressed; the action that follows.
std::size_t take_digits(activeflow& a, const action& collect, digits_outcome pressed) {
  a.collected = std::move(pressed.typed);
  a.digits = std::move(pressed.left);
  return find_action(*a.actions, pressed.action_id).value_or(after_failure(a, collect));
}

/// The action that follows at once; empty: this one has to be waited for.
std::optional<std::size_t> done_at_once(activeflow& a, const action& what, result& out) {
  if (what.type == action_type::goto_action) {
    const bool jumps = ++a.jumps[std::to_string(a.at)] <= what.option.at("times").get<int>();
    return jumps ? find_action(*a.actions, what.option.at("action_id").get<std::string>()) : a.at + 1;
  }
  if (what.type == action_type::digits_collect) {
    auto pressed = judge_digits(what, a.digits, false);
    return pressed.complete ? std::optional{take_digits(a, what, std::move(pressed))} : std::nullopt;
  }
  return ask(a, what, out) ? std::optional{a.at + 1} : std::nullopt;
}

/// Runs from that action on until one has to be waited for. The only place where actions begin.
void run_from(activeflow& a, std::size_t next, const context& ctx, result& out) {
  for (;;) {
    if (next >= a.actions->size())
      return finish(a, "finished", ctx, out);
    if (++a.step > steps_max)
      return finish(a, "too_many_steps", ctx, out);
    a.at = next;
    a.accepted = a.is_over = false;
    const auto& what = (*a.actions)[next];
    if (!keeps_digits(what.type))
      a.digits.clear();
    const auto follows = done_at_once(a, what, out);
    if (!follows) {
      a.updated = ctx.now();
      out.event("activeflow.updated", brief(a));
      return wait_at_most(a, first_wait(what), out);
    }
    next = *follows;
  }
}

/// The action that runs is over.
result go_on(activeflow a, bool well, const context& ctx) {
  result out;
  run_from(a, well ? a.at + 1 : after_failure(a, *current(a)), ctx, out);
  out.next(std::move(a));
  return out;
}

/// The same for an action that may be over because the call is.
result go_on_soon(activeflow a, bool well) {
  a.is_over = true;
  a.went_well = well;
  result out;
  wait_at_most(a, call_end_wait, out);
  out.next(std::move(a));
  return out;
}

result over(activeflow a, std::string reason, const context& ctx) {
  result out;
  finish(a, std::move(reason), ctx, out);
  out.next(std::move(a));
  return out;
}

void follow(activeflow& a, result& out) {
  a.status = activeflow_status::following;
  out.send(call_of(a), "follow", {{"customer_id", a.customer_id}});
  wait_at_most(a, answer_most, out);
}

result begin(activeflow a, const context& ctx) {
  a.id = ctx.id();
  a.created = a.updated = ctx.now();
  result out;
  if (!a.flow_id.empty()) {
    out.send({"flow", a.flow_id}, "fetch_flow", {{"customer_id", a.customer_id}});
    wait_at_most(a, answer_most, out);
  } else {
    follow(a, out);
  }
  out.event("activeflow.created", brief(a)).next(std::move(a));
  return out;
}

// -- requests ---------------------------------------------------------------------------------------------------------

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  activeflow a;
  a.customer_id = sdk::read_customer(in, msg);
  a.call_id = in.identity("call_id");
  const bool named = in.find("flow_id") != nullptr;
  if (named == (in.find("actions") != nullptr))
    in.complain("either flow_id or actions must be given");
  else if (named)
    a.flow_id = in.identity("flow_id");
  else
    a.actions = read_actions(in, "actions");
  if (in.wrong())
    return sdk::refused<activeflow>(*in.wrong());
  auto out = begin(std::move(a), ctx);
  out.reply(200, view(*out.next_state()));
  return out;
}

result show(activeflow a, const message&, const context&) {
  result out;
  out.reply(200, view(a));
  return out;
}

/// The call stays as it is; what plays for the run stops.
result stop(activeflow a, const message&, const context& ctx) {
  result out;
  if (is_at(a, action_type::play))
    out.send(call_of(a), "stop_play", {{"customer_id", a.customer_id}, {"play_id", task_id(a)}});
  if (a.status != activeflow_status::ended) {
    leave_to_queue(a, out);
    a.status = activeflow_status::ended;
    a.reason = "stopped";
    a.updated = ctx.now();
    out.send(call_of(a), "unfollow");
  }
  out.event("activeflow.deleted", brief(a)).reply(200, view(a)).end();
  return out;
}

/// A call, or the group call it was one of, was placed with a flow.
result begin_for(const message& msg, const context& ctx) {
  body_reader in{msg};
  activeflow a;
  a.customer_id = in.identity("customer_id");
  a.call_id = in.identity("call_id");
  a.flow_id = in.identity("flow_id");
  a.owns_call = true;
  return in.wrong() ? result{} : begin(std::move(a), ctx);
}
result begin_again(activeflow, const message&, const context&) { return {}; }

// -- what others report -----------------------------------------------------------------------------------------------

bool is_from_call(const activeflow& a, const message& msg) {
  return msg.from_type == "call" && msg.from_id == a.call_id && a.status != activeflow_status::ended;
}
bool is_named(const activeflow& a, const message& msg, const char* key, std::string_view id) {
  return current(a) && body_reader{msg}.text(key) == id;
}

result flow_actions(activeflow a, const message& msg, const context& ctx) {
  if (a.status != activeflow_status::starting || msg.from_type != "flow" || msg.from_id != a.flow_id)
    return {};
  body_reader in{msg};
  a.actions = read_actions(in, "actions");
  if (in.wrong())
    return over(std::move(a), "flow_refused", ctx);
  result out;
  follow(a, out);
  out.next(std::move(a));
  return out;
}

result flow_refused(activeflow a, const message&, const context& ctx) {
  return a.status == activeflow_status::starting ? over(std::move(a), "flow_refused", ctx) : result{};
}

result call_followed(activeflow a, const message& msg, const context& ctx) {
  if (!is_from_call(a, msg) || a.status != activeflow_status::following)
    return {};
  a.answered = body_reader{msg}.text("status") == "progressing";
  a.status = activeflow_status::running;
  result out;
  run_from(a, 0, ctx, out);
  out.next(std::move(a));
  return out;
}

result call_refused(activeflow a, const message& msg, const context& ctx) {
  if (!is_from_call(a, msg) || a.status != activeflow_status::following)
    return {};
  return over(std::move(a), "call_refused", ctx);
}

result call_answered(activeflow a, const message& msg, const context& ctx) {
  if (!is_from_call(a, msg))
    return {};
  a.answered = true;
  if (is_at(a, action_type::answer))
    return go_on(std::move(a), true, ctx);
  result out;
  out.next(std::move(a));
  return out;
}

result call_ended(activeflow a, const message& msg, const context& ctx) {
  if (!is_from_call(a, msg))
    return {};
  const bool by_us = is_at(a, action_type::hangup);
  return over(std::move(a), by_us ? "finished" : "call_ended", ctx);
}

result call_digit(activeflow a, const message& msg, const context& ctx) {
  const auto digit = body_reader{msg}.text("digit");
  if (!is_from_call(a, msg) || !current(a) || digit.size() != 1 || !keeps_digits(current(a)->type) ||
      a.digits.size() >= digits_kept_max)
    return {};
  a.digits += digit;
  result out;
  if (is_at(a, action_type::digits_collect)) {
    auto pressed = judge_digits(*current(a), a.digits, false);
    if (pressed.complete)
      run_from(a, take_digits(a, *current(a), std::move(pressed)), ctx, out);
  }
  out.next(std::move(a));
  return out;
}

result play_finished(activeflow a, const message& msg, const context& ctx) {
  if (!is_at(a, action_type::play) || !is_from_call(a, msg) || !is_named(a, msg, "play_id", task_id(a)))
    return {};
  const auto reason = body_reader{msg}.text("reason");
  return reason == "stopped" ? go_on_soon(std::move(a), true) : go_on(std::move(a), reason != "failed", ctx);
}

result connect_finished(activeflow a, const message& msg, const context&) {
  if (!is_at(a, action_type::connect) || !is_from_call(a, msg) || !is_named(a, msg, "connect_id", task_id(a)))
    return {};
  return go_on_soon(std::move(a), body_reader{msg}.flag("answered", false));
}

bool is_from_queue(const activeflow& a, const message& msg) {
  return is_at(a, action_type::queue_join) && msg.from_type == "queue" &&
         msg.from_id == current(a)->option.at("queue_id") && is_named(a, msg, "call_id", a.call_id);
}

/// From now on the queue's own limits count; ours is for a queue that forgets us. So late that we have gone on, the
/// caller is wanted back; if we are over, the queue has him.
result caller_accepted(activeflow a, const message& msg, const context&) {
  if (!is_from_queue(a, msg)) {
    result out;
    out.send(msg.sender(), a.status == activeflow_status::ended ? "disown_caller" : "remove_caller",
             {{"call_id", a.call_id}});
    return out;
  }
  if (a.accepted)
    return {};
  a.accepted = true;
  result out;
  wait_at_most(a, current(a)->limit, out);
  out.next(std::move(a));
  return out;
}

result nobody_to_wait(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "disown_caller", {{"call_id", body_reader{msg}.text("call_id")}});
  return out;
}

result caller_refused(activeflow a, const message& msg, const context& ctx) {
  return is_from_queue(a, msg) ? go_on(std::move(a), false, ctx) : result{};
}

/// An abandoned caller's call is over too: he is not waited for long, but nothing new is begun for him. One who was
/// sent on to another queue or a number is theirs.
result caller_left(activeflow a, const message& msg, const context& ctx) {
  if (!is_from_queue(a, msg))
    return {};
  body_reader in{msg};
  const auto outcome = in.text("outcome");
  if (outcome == "overflowed" && in.text("target", "owner") != "owner")
    return over(std::move(a), "overflowed", ctx);
  if (outcome != "abandoned")
    return go_on_soon(std::move(a), outcome == "serviced");
  a.is_over = true;
  a.went_well = false;
  result out;
  wait_at_most(a, call_end_most, out);
  out.next(std::move(a));
  return out;
}

result join_refused(activeflow a, const message& msg, const context& ctx) {
  if (!is_at(a, action_type::conference_join) || msg.from_type != "conference" ||
      msg.from_id != current(a)->option.at("conference_id"))
    return {};
  return go_on(std::move(a), false, ctx);
}

// -- timers -----------------------------------------------------------------------------------------------------------

result limit_over(activeflow a, const message& msg, const context& ctx) {
  if (a.status == activeflow_status::ended || body_reader{msg}.integer("step", -1, 0, INT64_MAX) != a.step)
    return {};
  const auto* now = current(a);
  if (!now)
    return over(std::move(a), "no_answer", ctx); // of the flow or the call
  if (a.is_over)
    return go_on(std::move(a), a.went_well, ctx);
  switch (now->type) {
  case action_type::sleep:
    return go_on(std::move(a), true, ctx);
  case action_type::digits_collect: {
    result out;
    run_from(a, take_digits(a, *now, judge_digits(*now, a.digits, true)), ctx, out);
    out.next(std::move(a));
    return out;
  }
  case action_type::play: {
    const auto playing = task_id(a);
    const auto call = call_of(a);
    const auto customer = a.customer_id;
    auto out = go_on(std::move(a), false, ctx);
    out.send(call, "stop_play", {{"customer_id", customer}, {"play_id", playing}});
    return out;
  }
  case action_type::conference_join:
  case action_type::connect:
    return over(std::move(a), "limit", ctx); // others have the call, and it stays with them
  case action_type::queue_join: {
    if (!a.accepted)
      return go_on(std::move(a), false, ctx);
    result out;
    leave_to_queue(a, out);
    finish(a, "limit", ctx, out);
    out.next(std::move(a));
    return out;
  }
  case action_type::answer:
  case action_type::goto_action:
  case action_type::hangup:
    break;
  }
  return go_on(std::move(a), false, ctx);
}

result forget(activeflow a, const message&, const context&) {
  if (a.status != activeflow_status::ended)
    return {};
  result out;
  out.event("activeflow.deleted", brief(a)).end();
  return out;
}

} // namespace
} // namespace runs

const sdk::entity_type<activeflow>& activeflow_type() {
  using namespace sdk;
  using namespace runs;
  using a = activeflow;
  static const entity_type<a> made{"activeflow",
                                   "flow",
                                   1,
                                   view,
                                   {
                                       creates<a>("POST", "/v1/activeflows", create),
                                       lists<a>("GET", "/v1/activeflows"),
                                       answers<a>("GET", "/v1/activeflows/{id}", show),
                                       answers<a>("DELETE", "/v1/activeflows/{id}", stop),
                                       told<a>("begin", begin_again, begin_for),
                                       told<a>("flow_actions", flow_actions),
                                       told<a>("flow_refused", flow_refused),
                                       told<a>("call_followed", call_followed),
                                       told<a>("call_refused", call_refused),
                                       told<a>("call_answered", call_answered),
                                       told<a>("call_ended", call_ended),
                                       told<a>("call_digit", call_digit),
                                       told<a>("play_finished", play_finished),
                                       told<a>("connect_finished", connect_finished),
                                       told<a>("caller_accepted", caller_accepted, nobody_to_wait),
                                       told<a>("caller_refused", caller_refused),
                                       told<a>("caller_left", caller_left),
                                       told<a>("join_refused", join_refused),
                                       timer<a>("limit", limit_over),
                                       timer<a>("forget", forget),
                                   }};
  return made;
}

} // namespace switchboard::telephony
