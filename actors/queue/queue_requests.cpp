// What people and programs ask of a queue, and how other entities put callers in.
#include <algorithm>

#include "actors/queue/queue_work.hpp"

namespace switchboard::telephony::queues {

namespace {

constexpr milliseconds ring_timeout_default = std::chrono::seconds{20};
constexpr milliseconds wrap_up_default = std::chrono::seconds{5};
constexpr milliseconds ageing_default = std::chrono::minutes{1};
constexpr milliseconds service_level_default = std::chrono::seconds{20};
constexpr milliseconds callback_retry_default = std::chrono::minutes{5};
constexpr int decisions_default = 20;
constexpr int decisions_max = 100;
constexpr std::size_t relaxation_max = 20;
constexpr std::size_t skills_max = 20;
constexpr int priority_max = 100;

/// [{"after_ms": …, "lower_by": …}], each later and lower than the one before.
std::vector<relaxation_step> read_relaxation(body_reader& in, const json& list) {
  std::vector<relaxation_step> steps;
  if (!list.is_array() || list.size() > relaxation_max) {
    in.complain_of("skill_relaxation", "must be a list of at most 20 steps");
    return steps;
  }
  for (const auto& one : list) {
    if (!one.is_object()) {
      in.complain_of("skill_relaxation", "must be a list of objects");
      return {};
    }
    body_reader fields{one};
    const relaxation_step step{fields.duration("after_ms", milliseconds{-1}, milliseconds{0}),
                               static_cast<int>(fields.integer("lower_by", 0, 1, skill_level_max))};
    const bool rises = steps.empty() || (steps.back().after < step.after && steps.back().lower_by <= step.lower_by);
    if (fields.wrong() || step.after < milliseconds{0} || step.lower_by < 1 || !rises)
      in.complain_of("skill_relaxation", "must have after_ms and lower_by, both rising");
    steps.push_back(step);
  }
  return steps;
}

overflow_target read_overflow(body_reader& in, const json& given) {
  overflow_target target;
  if (!given.is_object()) {
    in.complain_of("overflow", "must be an object");
    return target;
  }
  body_reader fields{given};
  const auto kind = sdk::from_text<overflow_kind>(fields.text("type"));
  target.kind = kind.value_or(overflow_kind::hang_up);
  if (!kind)
    in.complain("overflow.type must be hang_up, queue or connect");
  else if (*kind == overflow_kind::queue)
    target.queue_id = fields.identity("queue_id");
  else if (*kind == overflow_kind::connect)
    target.destination = sdk::read_address(in, "overflow.destination",
                                           fields.find("destination") ? *fields.find("destination") : json{});
  if (fields.wrong())
    in.complain_of("overflow", fields.wrong()->what);
  return target;
}

/// Members that are not there stay as they are.
void read_profile(body_reader& in, queue& q) {
  q.name = in.text("name", q.name);
  q.detail = in.text("detail", q.detail);
  const auto routing = sdk::from_text<routing_method>(in.text("routing_method", std::string{sdk::text(q.routing)}));
  if (!routing)
    in.complain("routing_method must be longest_idle, random, ring_all, fewest_calls, least_talk_time, round_robin, "
                "linear or weighted_random");
  q.routing = routing.value_or(q.routing);
  q.channel = in.text("channel", q.channel);
  if (in.find("tag_ids"))
    q.tag_ids = in.texts("tag_ids");
  if (const auto* steps = in.find("skill_relaxation"))
    q.relaxation = read_relaxation(in, *steps);
  if (const auto* target = in.find("overflow"))
    q.overflow = read_overflow(in, *target);
  const auto nobody =
      sdk::from_text<no_agents_rule>(in.text("when_no_agents", std::string{sdk::text(q.when_no_agents)}));
  if (!nobody)
    in.complain("when_no_agents must be wait or overflow");
  q.when_no_agents = nobody.value_or(q.when_no_agents);
  q.wait_timeout = in.duration("wait_timeout", q.wait_timeout); // milliseconds under VoIPBIN's names
  q.service_timeout = in.duration("service_timeout", q.service_timeout);
  q.ring_timeout = in.duration("ring_timeout_ms", q.ring_timeout, milliseconds{1});
  q.wrap_up = in.duration("wrap_up_ms", q.wrap_up);
  q.ageing = in.duration("priority_ageing_ms", q.ageing);
  constexpr milliseconds second{1000};
  q.announce_interval = in.duration("announce_interval_ms", q.announce_interval);
  if (q.announce_interval > milliseconds{0} && q.announce_interval < second)
    in.complain_of("announce_interval_ms", "must be 0 or at least 1000");
  q.service_level = in.duration("service_level_ms", q.service_level);
  q.callback_retry = in.duration("callback_retry_ms", q.callback_retry);
  q.parallel_offers = static_cast<int>(in.integer("parallel_offers", q.parallel_offers, 0, offers_max));
  q.max_length = static_cast<int>(in.integer("max_length", q.max_length, 0, callers_max));
  q.callback_attempts = static_cast<int>(in.integer("callback_attempts", q.callback_attempts, 1, 10));
  q.decisions_kept = static_cast<int>(in.integer("decisions_kept", q.decisions_kept, 0, decisions_max));
  while (q.decisions.size() > static_cast<std::size_t>(q.decisions_kept))
    q.decisions.erase(q.decisions.begin());
}

result answer_with(int status, json body) {
  result out;
  out.reply(status, std::move(body));
  return out;
}

std::map<std::string, int> read_skills(body_reader& in) {
  std::map<std::string, int> skills;
  const auto* given = in.find("skills");
  if (!given)
    return skills;
  if (!given->is_object() || given->size() > skills_max) {
    in.complain_of("skills", "must be an object of at most 20 levels");
    return skills;
  }
  body_reader levels{*given};
  for (const auto& [name, level] : given->items())
    skills[name] = static_cast<int>(levels.integer(name.c_str(), 1, 1, skill_level_max));
  if (levels.wrong())
    in.complain_of("skills", levels.wrong()->what);
  return skills;
}

/// A caller as the body describes him; errors are in `in`.
queue_caller read_caller(body_reader& in, const char* call_member) {
  queue_caller c;
  c.call_id = in.text(call_member);
  if (!is_identity(c.call_id))
    in.complain("the call to put in must be named by its id");
  c.priority = static_cast<int>(in.integer("priority", 0, -priority_max, priority_max));
  c.skills = read_skills(in);
  return c;
}

std::size_t count_waiting(const queue& q) {
  return static_cast<std::size_t>(
      std::count_if(q.callers.begin(), q.callers.end(), [](const auto& c) { return is_waiting(c.phase); }));
}

bool leads_somewhere(const overflow_target& target) noexcept { return target.kind != overflow_kind::hang_up; }

/// Puts him in; nullptr if the queue is full.
queue_caller* take_in(work& w, queue_caller c) {
  const bool is_long = w.q.max_length > 0 && count_waiting(w.q) >= static_cast<std::size_t>(w.q.max_length);
  if (w.q.callers.size() >= callers_max || (is_long && !leads_somewhere(w.q.overflow) && c.owner.empty()))
    return nullptr;
  if (is_long)
    c.overflow_reason = "max_length";
  c.id = w.ctx.make_uuid();
  c.number = ++w.q.numbers;
  c.joined = w.ctx.now();
  ++w.q.totals.incoming;
  w.ask_to_join(c);
  if (w.q.wait_timeout > milliseconds{0})
    w.out.arm("wait:" + c.id, w.q.wait_timeout);
  w.announce("queue.caller_joined", c);
  w.q.callers.push_back(std::move(c));
  return &w.q.callers.back();
}

result add(queue q, const message& msg, const char* call_member, const context& ctx) {
  body_reader in{msg};
  auto c = read_caller(in, call_member);
  if (in.wrong())
    return sdk::refused<queue>(*in.wrong());
  if (q.closing)
    return sdk::refused<queue>(409, "FAILED_PRECONDITION", "the queue is being deleted");
  work w{std::move(q), ctx};
  if (w.by_call(c.call_id) || w.by_agent_leg(c.call_id) || w.by_offered_leg(c.call_id).first)
    return sdk::refused<queue>(409, "ALREADY_EXISTS", "this call is in the queue");
  const auto* taken = take_in(w, std::move(c));
  if (!taken)
    return sdk::refused<queue>(429, "RESOURCE_EXHAUSTED", "the queue is full");
  w.out.reply(200, caller_view(w.q, *taken));
  return std::move(w).done();
}

} // namespace

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  queue q;
  q.id = ctx.id();
  q.customer_id = sdk::read_customer(in, msg);
  q.ring_timeout = ctx.setting("ring_timeout_ms", ring_timeout_default);
  q.wrap_up = ctx.setting("wrap_up_ms", wrap_up_default);
  q.ageing = ageing_default;
  q.service_level = service_level_default;
  q.callback_retry = callback_retry_default;
  q.decisions_kept = decisions_default;
  read_profile(in, q);
  if (in.wrong())
    return sdk::refused<queue>(*in.wrong());
  q.created = q.updated = ctx.now();
  result out;
  out.event("queue.created", view(q)).reply(200, view(q)).next(std::move(q));
  return out;
}

result show(queue q, const message&, const context&) { return answer_with(200, view(q)); }

result show_stats(queue q, const message&, const context& ctx) {
  auto shown = stats(q, ctx.now());
  shown["id"] = shown["queue_id"] = q.id;
  return answer_with(200, std::move(shown));
}

/// Newest first.
result list_decisions(queue q, const message&, const context&) {
  json shown = json::array();
  for (auto one = q.decisions.rbegin(); one != q.decisions.rend(); ++one)
    shown.push_back(json::parse(*one));
  return answer_with(200, {{"result", std::move(shown)}});
}

result update(queue q, const message& msg, const context& ctx) {
  body_reader in{msg};
  work w{std::move(q), ctx};
  const auto channel = w.q.channel;
  read_profile(in, w.q);
  if (in.wrong())
    return sdk::refused<queue>(*in.wrong());
  if (w.q.channel != channel)
    w.ask_agents();
  w.q.updated = ctx.now();
  w.out.event("queue.updated", view(w.q)).reply(200, view(w.q));
  return std::move(w).done(); // the new rules may let somebody be served
}

/// Callers who still wait are sent away; talks that are on go on, and the queue goes with the last of them.
result remove(queue q, const message&, const context& ctx) {
  work w{std::move(q), ctx};
  w.q.closing = true;
  for (std::size_t i = 0; i < w.q.callers.size();) {
    if (w.q.callers[i].phase == caller_phase::service)
      ++i;
    else
      w.end(w.q.callers[i], "queue_deleted");
  }
  for (const auto& one : w.q.agents)
    w.out.send({"agent", one.agent_id}, "unwatch");
  w.q.agents.clear();
  w.out.reply(200, view(w.q));
  return std::move(w).done();
}

/// The agent answers with its status; one that does not exist goes from the list again. One who is there already gets
/// the new order and penalty.
result add_agent(queue q, const message& msg, const context& ctx) {
  body_reader in{msg};
  auto agent_id = in.identity("agent_id");
  const auto order = in.integer("order", 0, -1000000, 1000000);
  const auto penalty = static_cast<int>(in.integer("penalty", 0, 0, 1000));
  if (in.wrong())
    return sdk::refused<queue>(*in.wrong());
  if (q.closing)
    return sdk::refused<queue>(409, "FAILED_PRECONDITION", "the queue is being deleted");
  work w{std::move(q), ctx};
  auto* who = w.agent(agent_id);
  if (!who) {
    if (w.q.agents.size() >= agents_max)
      return sdk::refused<queue>(429, "RESOURCE_EXHAUSTED", "the queue has as many agents as it may");
    w.out.send({"agent", agent_id}, "watch", {{"customer_id", w.q.customer_id}});
    queue_agent made;
    made.agent_id = agent_id;
    made.place = {order, ++w.q.numbers};
    made.penalty = penalty;
    w.q.agents.push_back(std::move(made));
    w.announce("queue.agent_added", json{{"agent_id", agent_id}});
  } else {
    who->place.order = in.find("order") ? order : who->place.order;
    who->penalty = in.find("penalty") ? penalty : who->penalty;
  }
  w.out.reply(200, view(w.q));
  return std::move(w).done();
}

/// A call that is offered to or talked by this agent goes on.
result remove_agent(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  const auto* who = w.agent(msg.path_parameter("agent_id"));
  if (!who)
    return sdk::refused<queue>(404, "NOT_FOUND", "this agent is not in the queue");
  w.out.send({"agent", who->agent_id}, "unwatch");
  w.announce("queue.agent_removed", json{{"agent_id", who->agent_id}});
  w.q.agents.erase(w.q.agents.begin() + (who - w.q.agents.data()));
  w.out.reply(200, view(w.q));
  return std::move(w).done();
}

result list_agents(queue q, const message&, const context&) {
  return answer_with(200, {{"result", view(q)["agents"]}});
}

result list_callers(queue q, const message&, const context&) {
  json shown = json::array();
  for (const auto& one : q.callers)
    shown.push_back(caller_view(q, one));
  return answer_with(200, {{"result", std::move(shown)}});
}

result add_caller(queue q, const message& msg, const context& ctx) { return add(std::move(q), msg, "call_id", ctx); }
result add_caller_by_service(queue q, const message& msg, const context& ctx) {
  return add(std::move(q), msg, "reference_id", ctx);
}

namespace {

/// By the id of the call, or of the queuecall: one who is to be called back has no call any more.
queue_caller* named_in_path(work& w, const message& msg) {
  const auto name = msg.path_parameter("call_id");
  return w.find([&](const auto& c) { return c.call_id == name || c.id == name; });
}

result not_here() { return sdk::refused<queue>(404, "NOT_FOUND", "this call is not in the queue"); }

} // namespace

result kick(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = named_in_path(w, msg);
  if (!caller)
    return not_here();
  w.out.reply(200, caller_view(w.q, *caller));
  w.end(*caller, "kicked", true);
  return std::move(w).done();
}

/// The caller hangs up and is called back at `destination` when it is his turn.
result ask_callback(queue q, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto destination =
      sdk::read_address(in, "destination", in.find("destination") ? *in.find("destination") : json{});
  if (in.wrong())
    return sdk::refused<queue>(*in.wrong());
  work w{std::move(q), ctx};
  auto* caller = named_in_path(w, msg);
  if (!caller)
    return not_here();
  if (!wants_agent(caller->phase) || caller->is_virtual())
    return sdk::refused<queue>(409, "FAILED_PRECONDITION", "only a caller who waits can be called back");
  w.promise_callback(*caller, destination);
  w.out.reply(200, caller_view(w.q, *caller));
  return std::move(w).done();
}

// -- from other entities ----------------------------------------------------------------------------------------------

namespace {

result refuse_caller(const message& msg, const context& ctx, const std::string& call_id, const char* why) {
  result out;
  out.send(msg.sender(), "caller_refused", {{"queue_id", ctx.id()}, {"call_id", call_id}, {"reason", why}});
  return out;
}

} // namespace

/// The sender becomes the caller's owner and is told how he leaves. Its repeat is answered as the first one was. A
/// queue that callers overflow from only wants to know that he is here.
result take_caller(queue q, const message& msg, const context& ctx) {
  body_reader in{msg};
  auto c = read_caller(in, "call_id");
  c.hops = static_cast<int>(in.integer("hops", 0, 0, 100));
  const auto call_id = c.call_id;
  if (in.wrong())
    return refuse_caller(msg, ctx, call_id, "bad_request");
  if (in.text("customer_id") != q.customer_id)
    return refuse_caller(msg, ctx, call_id, "not_found"); // another tenant must not learn that there is one
  if (q.closing)
    return refuse_caller(msg, ctx, call_id, "queue_deleted");
  const auto from = msg.sender();
  if (from.type != "queue")
    c.owner = from;
  work w{std::move(q), ctx};
  const auto* here = w.by_call(call_id);
  if (here && here->owner != c.owner)
    return refuse_caller(msg, ctx, call_id, "already_here");
  if (!here)
    here = take_in(w, std::move(c));
  if (!here)
    return refuse_caller(msg, ctx, call_id, "queue_full");
  w.out.send(from, "caller_accepted", {{"queue_id", w.q.id}, {"queuecall_id", here->id}, {"call_id", call_id}});
  return std::move(w).done();
}

result no_queue_for_new_caller(const message& msg, const context& ctx) {
  return refuse_caller(msg, ctx, body_reader{msg}.text("call_id"), "not_found");
}

/// Whoever put the caller in cares no more: from now on he is treated as one who came by himself.
result disown_caller(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  if (auto* caller = w.by_call(body_reader{msg}.text("call_id")); caller && caller->owner == msg.sender())
    caller->owner = {};
  return std::move(w).done();
}

/// Whoever put the caller in wants him back.
result remove_caller(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_call(body_reader{msg}.text("call_id"));
  if (caller && caller->owner == msg.sender())
    w.end(*caller, "kicked", true);
  return std::move(w).done();
}

/// The same as the request, from whoever put the caller in; harmless if it can't be.
result callback_wanted(queue q, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto destination =
      sdk::read_address(in, "destination", in.find("destination") ? *in.find("destination") : json{});
  work w{std::move(q), ctx};
  auto* caller = w.by_call(in.text("call_id"));
  if (in.wrong() || !caller || caller->owner != msg.sender() || !wants_agent(caller->phase))
    return {};
  w.promise_callback(*caller, destination);
  return std::move(w).done();
}

} // namespace switchboard::telephony::queues
