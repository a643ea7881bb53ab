// The map of this file: state and view; how a caller moves on (offer, back, connect, end); what ends every handler;
// requests; answers of agents, calls and conferences; timers.
#include "actors/queue/queue.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(queue_agent, agent_id, status, since, sequence)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(queue_caller, id, call_id, phase, offer_id, agent_id, agent_call_id, conference_id,
                                   caller_in, agent_in, attempts, joined, connected)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(queue, id, customer_id, name, detail, routing, tag_ids, wait_timeout,
                                   service_timeout, ring_timeout, wrap_up, agents, callers, total_incoming,
                                   total_serviced, total_abandoned, shown_waiting, shown_active, closing, created,
                                   updated)

namespace {

using result = sdk::outcome<queue>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds ring_timeout_default = std::chrono::seconds{20};
constexpr milliseconds wrap_up_default = std::chrono::seconds{5};
constexpr milliseconds ring_grace = std::chrono::seconds{10}; // the leg's own dial timeout comes first
constexpr std::size_t agents_max = 500;
constexpr std::size_t callers_max = 200; // the state is written whole on each change

// -- what others see
// ---------------------------------------------------------------------------------------------------

json view(const queue& q) {
  json agents = json::array(), waiting = json::array(), service = json::array();
  for (const auto& one : q.agents)
    agents.push_back({{"agent_id", one.agent_id}, {"status", one.status}});
  for (const auto& one : q.callers)
    (one.phase == caller_phase::service ? service : waiting).push_back(one.id);
  return {{"id", q.id},
          {"customer_id", q.customer_id},
          {"name", q.name},
          {"detail", q.detail},
          {"routing_method", sdk::text(q.routing)},
          {"tag_ids", q.tag_ids},
          {"wait_timeout", q.wait_timeout},
          {"service_timeout", q.service_timeout},
          {"ring_timeout_ms", q.ring_timeout},
          {"wrap_up_ms", q.wrap_up},
          {"agents", std::move(agents)},
          {"waiting", waiting.size()},
          {"active", service.size()},
          {"wait_queuecall_ids", std::move(waiting)},
          {"service_queuecall_ids", std::move(service)},
          {"total_incoming_count", q.total_incoming},
          {"total_serviced_count", q.total_serviced},
          {"total_abandoned_count", q.total_abandoned},
          {"tm_create", sdk::shown(q.created)},
          {"tm_update", sdk::shown(q.updated)}};
}

json caller_view(const queue& q, const queue_caller& c) {
  return {{"id", c.id},
          {"customer_id", q.customer_id},
          {"queue_id", q.id},
          {"call_id", c.call_id},
          {"status", queuecall_status(c.phase)},
          {"phase", sdk::text(c.phase)},
          {"agent_id", c.agent_id},
          {"agent_call_id", c.agent_call_id},
          {"conference_id", c.conference_id},
          {"attempts", c.attempts},
          {"tm_create", sdk::shown(c.joined)},
          {"tm_service", sdk::shown(c.connected)}};
}

json event_data(const queue& q, const queue_caller& c) {
  auto data = caller_view(q, c);
  data["queuecall_id"] = c.id;
  data["id"] = q.id;
  return data;
}

// -- how a caller moves on
// ---------------------------------------------------------------------------------------------

/// One handler's work on the queue: state, outcome and context travel together.
struct work {
  queue q;
  const context& ctx;
  result out{};

  void announce(std::string type, const queue_caller& c, json more = json::object()) {
    auto data = event_data(q, c);
    data.update(more);
    out.event(std::move(type), std::move(data));
  }

  template <class Test>
  queue_caller* find(Test test) {
    const auto found = std::find_if(q.callers.begin(), q.callers.end(), test);
    return found == q.callers.end() ? nullptr : &*found;
  }
  queue_caller* by_call(const std::string& call_id) {
    return find([&](const auto& c) { return c.call_id == call_id; });
  }
  queue_caller* by_leg(const std::string& call_id) {
    return find([&](const auto& c) { return !call_id.empty() && c.agent_call_id == call_id; });
  }
  queue_caller* by_offer(const std::string& offer_id) {
    return find([&](const auto& c) { return !offer_id.empty() && c.offer_id == offer_id; });
  }
  queue_caller* by_id(const std::string& id) {
    return find([&](const auto& c) { return c.id == id; });
  }

  void wait(queue_caller& c) {
    c.phase = caller_phase::waiting;
    announce("queue.caller_waiting", c);
  }

  void offer(queue_caller& c, const queue_agent& to) {
    c.phase = caller_phase::offered;
    c.agent_id = to.agent_id;
    c.offer_id = ctx.make_uuid();
    ++c.attempts;
    out.send({"agent", c.agent_id}, "offer",
             {{"offer_id", c.offer_id},
              {"call_id", c.call_id},
              {"customer_id", q.customer_id},
              {"ring_timeout_ms", q.ring_timeout}});
    out.arm("ring:" + c.id, q.ring_timeout + ring_grace, {{"offer_id", c.offer_id}});
    announce("queue.offered", c);
  }

  /// The agent's phone: a call of ours, so that its end is told to us.
  void dial(queue_caller& c, const json& address) {
    c.phase = caller_phase::dialing;
    c.agent_call_id = ctx.make_uuid();
    out.send({"call", c.agent_call_id}, "create",
             {{"customer_id", q.customer_id},
              {"source", {{"type", "line"}, {"target", q.id}, {"target_name", q.name}}},
              {"destination", address},
              {"dial_timeout_ms", q.ring_timeout}});
  }

  void bring_together(queue_caller& c) {
    c.phase = caller_phase::joining;
    c.conference_id = ctx.make_uuid();
    out.cancel("ring:" + c.id);
    out.send({"agent", c.agent_id}, "connected", {{"offer_id", c.offer_id}, {"call_id", c.call_id}});
    out.send({"conference", c.conference_id}, "create",
             {{"customer_id", q.customer_id}, {"name", q.name}, {"calls", {c.call_id, c.agent_call_id}}});
    announce("queue.answered", c);
  }

  void begin_service(queue_caller& c) {
    c.phase = caller_phase::service;
    c.connected = ctx.now();
    out.cancel("wait:" + c.id);
    if (q.service_timeout > milliseconds{0})
      out.arm("service:" + c.id, q.service_timeout);
    announce("queue.connected", c, {{"waited_ms", (c.connected - c.joined).count()}});
  }

  void let_agent_go(queue_caller& c, milliseconds wrap_up) {
    out.cancel("ring:" + c.id);
    if (!c.agent_call_id.empty())
      out.send({"call", c.agent_call_id}, "hang_up");
    if (!c.offer_id.empty())
      out.send({"agent", c.agent_id}, "release", {{"offer_id", c.offer_id}, {"wrap_up_ms", wrap_up}});
  }

  /// This agent did not work out: the caller waits on, at the old place.
  void back_to_waiting(queue_caller& c, const std::string& reason) {
    let_agent_go(c, milliseconds{0});
    announce("queue.offer_failed", c, {{"reason", reason}});
    c.offer_id.clear();
    c.agent_id.clear();
    c.agent_call_id.clear();
    c.phase = caller_phase::waiting;
  }

  void remove(queue_caller& c) {
    out.cancel("wait:" + c.id).cancel("ring:" + c.id).cancel("service:" + c.id);
    q.callers.erase(q.callers.begin() + (&c - q.callers.data()));
  }

  /// Gone before anybody talked to him. `caller_goes_on`: his call is only let go, not hung up.
  void abandon(queue_caller& c, const std::string& reason, bool caller_goes_on) {
    let_agent_go(c, milliseconds{0});
    out.send({"call", c.call_id}, caller_goes_on ? "leave_queue" : "hang_up");
    if (!c.conference_id.empty())
      out.send({"conference", c.conference_id}, "stop");
    ++q.total_abandoned;
    announce("queue.abandoned", c, {{"reason", reason}, {"waited_ms", (ctx.now() - c.joined).count()}});
    remove(c);
  }

  /// The end of a talk, whoever ended it: everybody goes, the agent has time for wrap-up.
  void finish_service(queue_caller& c, const std::string& reason) {
    ++q.total_serviced;
    announce("queue.serviced", c, {{"reason", reason}, {"service_ms", (ctx.now() - c.connected).count()}});
    if (!c.offer_id.empty() && q.wrap_up > milliseconds{0})
      announce("queue.wrap_up", c, {{"wrap_up_ms", q.wrap_up}});
    let_agent_go(c, q.wrap_up);
    out.send({"call", c.call_id}, "hang_up");
    out.send({"conference", c.conference_id}, "stop");
    remove(c);
  }

  /// Ends it as its phase demands.
  void end(queue_caller& c, const std::string& reason, bool caller_goes_on = false) {
    if (c.phase == caller_phase::service)
      finish_service(c, reason);
    else
      abandon(c, reason, caller_goes_on && c.phase != caller_phase::joining);
  }

  // -- what ends every handler
  // -----------------------------------------------------------------------------------------

  /// As many callers as there are agents for are offered, the first come first.
  void offer_all() {
    while (auto* caller = next_caller(q.callers)) {
      const auto* agent = next_agent(q.routing, q.agents, q.callers, ctx.random());
      if (!agent)
        return;
      offer(*caller, *agent);
    }
  }

  void announce_stats() {
    const auto active = static_cast<std::uint64_t>(std::count_if(
        q.callers.begin(), q.callers.end(), [](const auto& c) { return c.phase == caller_phase::service; }));
    const auto waiting = q.callers.size() - active;
    if (waiting == q.shown_waiting && active == q.shown_active)
      return;
    q.shown_waiting = waiting;
    q.shown_active = active;
    out.event("queue.stats", {{"queue_id", q.id}, {"waiting", waiting}, {"active", active}});
  }

  result done() && {
    if (!q.closing)
      offer_all();
    announce_stats();
    if (q.closing && q.callers.empty())
      out.event("queue.deleted", view(q)).end();
    out.next(std::move(q));
    return std::move(out);
  }
};

// -- requests
// ----------------------------------------------------------------------------------------------------------

/// Members that are not there stay as they are.
void read_profile(body_reader& in, queue& q) {
  q.name = in.text("name", q.name);
  q.detail = in.text("detail", q.detail);
  const auto routing = sdk::from_text<routing_method>(in.text("routing_method", std::string{sdk::text(q.routing)}));
  if (!routing)
    in.complain("routing_method must be longest_idle or random");
  q.routing = routing.value_or(q.routing);
  if (in.find("tag_ids"))
    q.tag_ids = in.texts("tag_ids");
  q.wait_timeout = in.duration("wait_timeout", q.wait_timeout); // milliseconds under VoIPBIN's names
  q.service_timeout = in.duration("service_timeout", q.service_timeout);
  q.ring_timeout = in.duration("ring_timeout_ms", q.ring_timeout, milliseconds{1});
  q.wrap_up = in.duration("wrap_up_ms", q.wrap_up);
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  queue q;
  q.id = ctx.id();
  q.customer_id = sdk::read_customer(in, msg);
  q.ring_timeout = ctx.setting("ring_timeout_ms", ring_timeout_default);
  q.wrap_up = ctx.setting("wrap_up_ms", wrap_up_default);
  read_profile(in, q);
  if (in.wrong())
    return sdk::refused<queue>(*in.wrong());
  q.created = q.updated = ctx.now();
  result out;
  out.event("queue.created", view(q)).reply(200, view(q)).next(std::move(q));
  return out;
}

result show(queue q, const message&, const context&) {
  result out;
  out.reply(200, view(q));
  return out;
}

result update(queue q, const message& msg, const context& ctx) {
  body_reader in{msg};
  read_profile(in, q);
  if (in.wrong())
    return sdk::refused<queue>(*in.wrong());
  q.updated = ctx.now();
  result out;
  out.event("queue.updated", view(q)).reply(200, view(q)).next(std::move(q));
  return out;
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

auto find_agent(queue& q, const std::string& agent_id) {
  return std::find_if(q.agents.begin(), q.agents.end(), [&](const auto& a) { return a.agent_id == agent_id; });
}

/// The agent answers with its status; one that does not exist goes from the list again.
result add_agent(queue q, const message& msg, const context& ctx) {
  body_reader in{msg};
  auto agent_id = in.identity("agent_id");
  if (in.wrong())
    return sdk::refused<queue>(*in.wrong());
  if (q.closing)
    return sdk::refused<queue>(409, "FAILED_PRECONDITION", "the queue is being deleted");
  work w{std::move(q), ctx};
  if (find_agent(w.q, agent_id) == w.q.agents.end()) {
    if (w.q.agents.size() >= agents_max)
      return sdk::refused<queue>(429, "RESOURCE_EXHAUSTED", "the queue has as many agents as it may");
    w.out.send({"agent", agent_id}, "watch", {{"customer_id", w.q.customer_id}});
    w.q.agents.push_back({agent_id});
    w.out.event("queue.agent_added", {{"queue_id", w.q.id}, {"agent_id", agent_id}});
  }
  w.out.reply(200, view(w.q));
  return std::move(w).done();
}

/// A call that is offered to or talked by this agent goes on.
result remove_agent(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  const auto who = find_agent(w.q, msg.path_parameter("agent_id"));
  if (who == w.q.agents.end())
    return sdk::refused<queue>(404, "NOT_FOUND", "this agent is not in the queue");
  w.out.send({"agent", who->agent_id}, "unwatch");
  w.out.event("queue.agent_removed", {{"queue_id", w.q.id}, {"agent_id", who->agent_id}});
  w.q.agents.erase(who);
  w.out.reply(200, view(w.q));
  return std::move(w).done();
}

result list_agents(queue q, const message&, const context&) {
  result out;
  out.reply(200, {{"result", view(q)["agents"]}});
  return out;
}

result list_callers(queue q, const message&, const context&) {
  json shown = json::array();
  for (const auto& one : q.callers)
    shown.push_back(caller_view(q, one));
  result out;
  out.reply(200, {{"result", std::move(shown)}});
  return out;
}

result take_in(queue q, std::string call_id, const context& ctx) {
  if (!is_identity(call_id))
    return sdk::refused<queue>(400, "INVALID_ARGUMENT", "the call to put in must be named by its id");
  if (q.closing)
    return sdk::refused<queue>(409, "FAILED_PRECONDITION", "the queue is being deleted");
  work w{std::move(q), ctx};
  if (w.by_call(call_id) || w.by_leg(call_id))
    return sdk::refused<queue>(409, "ALREADY_EXISTS", "this call is in the queue");
  if (w.q.callers.size() >= callers_max)
    return sdk::refused<queue>(429, "RESOURCE_EXHAUSTED", "the queue is full");
  queue_caller c;
  c.id = ctx.make_uuid();
  c.call_id = std::move(call_id);
  c.joined = ctx.now();
  ++w.q.total_incoming;
  w.out.send({"call", c.call_id}, "join_queue", {{"customer_id", w.q.customer_id}});
  if (w.q.wait_timeout > milliseconds{0})
    w.out.arm("wait:" + c.id, w.q.wait_timeout);
  w.announce("queue.caller_joined", c);
  w.out.reply(200, caller_view(w.q, c));
  w.q.callers.push_back(std::move(c));
  return std::move(w).done();
}
result add_caller(queue q, const message& msg, const context& ctx) {
  return take_in(std::move(q), body_reader{msg}.text("call_id"), ctx);
}
result add_caller_by_service(queue q, const message& msg, const context& ctx) {
  return take_in(std::move(q), body_reader{msg}.text("reference_id"), ctx);
}

result kick(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_call(msg.path_parameter("call_id"));
  if (!caller)
    return sdk::refused<queue>(404, "NOT_FOUND", "this call is not in the queue");
  w.out.reply(200, caller_view(w.q, *caller));
  w.end(*caller, "kicked", true);
  return std::move(w).done();
}

// -- agents answer
// -----------------------------------------------------------------------------------------------------

sdk::entity_ref sender_of(const message& msg) { return {msg.from_type, msg.from_id}; }

void take_news(queue& q, body_reader& in) {
  const auto who = find_agent(q, in.text("agent_id"));
  const auto sequence = in.integer("sequence", -1, 0, INT64_MAX);
  if (who == q.agents.end() || sequence <= who->sequence)
    return;
  who->status = in.text("status");
  who->since = time_point{milliseconds{in.integer("since", 0, 0, INT64_MAX)}};
  who->sequence = sequence;
}

result agent_status_news(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  if (find_agent(w.q, in.text("agent_id")) == w.q.agents.end())
    w.out.send(sender_of(msg), "unwatch"); // removed meanwhile
  take_news(w.q, in);
  return std::move(w).done();
}

/// There is no such agent, any more or for us.
result agent_gone(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  const auto agent_id = body_reader{msg}.text("agent_id");
  const auto who = find_agent(w.q, agent_id);
  if (who != w.q.agents.end()) {
    w.q.agents.erase(who);
    w.out.event("queue.agent_removed", {{"queue_id", w.q.id}, {"agent_id", agent_id}, {"reason", "not_found"}});
  }
  auto* caller = w.find([&](const auto& c) { return c.agent_id == agent_id && c.phase == caller_phase::offered; });
  if (caller)
    w.back_to_waiting(*caller, "no_such_agent");
  return std::move(w).done();
}

result offer_accepted(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  auto* caller = w.by_offer(in.text("offer_id"));
  if (!caller)
    w.out.send(sender_of(msg), "release", {{"offer_id", in.text("offer_id")}, {"wrap_up_ms", 0}});
  else if (const auto* address = in.find("address"); address && caller->phase == caller_phase::offered)
    w.dial(*caller, *address);
  return std::move(w).done();
}

result offer_rejected(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  take_news(w.q, in);
  auto* caller = w.by_offer(in.text("offer_id"));
  if (caller && caller->phase == caller_phase::offered)
    w.back_to_waiting(*caller, "rejected");
  return std::move(w).done();
}

/// The agent is not reserved any more. Once the phone was picked up it is too late for that: the agent hears of it by
/// `connected` and stays, unless another queue was faster; then this talk goes on without, and ends without wrap-up.
result offer_withdrawn(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  body_reader in{msg};
  auto* caller = w.by_offer(in.text("offer_id"));
  if (caller && (caller->phase == caller_phase::offered || caller->phase == caller_phase::dialing))
    w.back_to_waiting(*caller, "withdrawn");
  else if (caller && in.text("reason") == "not_reserved")
    caller->offer_id.clear();
  return std::move(w).done();
}

// -- calls answer
// ------------------------------------------------------------------------------------------------------

result call_joined(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_call(msg.from_id);
  if (!caller)
    w.out.send(sender_of(msg), "leave_queue"); // kicked meanwhile
  else if (caller->phase == caller_phase::initiating && body_reader{msg}.text("status") == "progressing")
    w.wait(*caller);
  return std::move(w).done();
}

/// It does not exist, is over or is somewhere else: it never was here.
result call_refused(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_call(msg.from_id);
  if (caller && caller->phase == caller_phase::initiating)
    w.abandon(*caller, body_reader{msg}.text("reason"), true);
  return std::move(w).done();
}

result call_answered(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  if (auto* caller = w.by_call(msg.from_id); caller && caller->phase == caller_phase::initiating)
    w.wait(*caller);
  else if (auto* served = w.by_leg(msg.from_id); served && served->phase == caller_phase::dialing)
    w.bring_together(*served);
  return std::move(w).done();
}

result call_ended(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  if (auto* caller = w.by_call(msg.from_id)) {
    w.end(*caller, "caller_hung_up");
  } else if (auto* served = w.by_leg(msg.from_id)) {
    if (served->phase == caller_phase::dialing)
      w.back_to_waiting(*served, body_reader{msg}.text("reason"));
    else
      w.end(*served, "agent_hung_up");
  }
  return std::move(w).done();
}

// -- conferences answer
// ------------------------------------------------------------------------------------------------

result participant_joined(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* served = w.find([&](const auto& c) { return c.conference_id == msg.from_id; });
  if (!served || served->phase != caller_phase::joining)
    return std::move(w).done();
  const auto call_id = body_reader{msg}.text("call_id");
  served->caller_in = served->caller_in || call_id == served->call_id;
  served->agent_in = served->agent_in || call_id == served->agent_call_id;
  if (served->caller_in && served->agent_in)
    w.begin_service(*served);
  return std::move(w).done();
}

result conference_over(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  if (auto* served = w.find([&](const auto& c) { return c.conference_id == msg.from_id; }))
    w.end(*served, "conference_ended");
  return std::move(w).done();
}

// -- timers
// ------------------------------------------------------------------------------------------------------------

/// "<what>:<queuecall id>"
std::string id_in(const message& msg) { return msg.name.substr(msg.name.find(':') + 1); }

result rang_out(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_id(id_in(msg));
  const bool asked = caller && (caller->phase == caller_phase::offered || caller->phase == caller_phase::dialing);
  if (asked && caller->offer_id == body_reader{msg}.text("offer_id"))
    w.back_to_waiting(*caller, "noanswer");
  return std::move(w).done();
}

result waited_too_long(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_id(id_in(msg));
  if (caller && caller->phase < caller_phase::joining)
    w.abandon(*caller, "wait_timeout", false);
  return std::move(w).done();
}

result talked_too_long(queue q, const message& msg, const context& ctx) {
  work w{std::move(q), ctx};
  auto* caller = w.by_id(id_in(msg));
  if (caller && caller->phase == caller_phase::service)
    w.finish_service(*caller, "service_timeout");
  return std::move(w).done();
}

// -- no queue here (any more): whoever relies on it is set free
// ---------------------------------------------------------

result say(const message& msg, std::string name, json body = json::object()) {
  result out;
  out.send(sender_of(msg), std::move(name), std::move(body));
  return out;
}
result no_queue_for_agent(const message& msg, const context&) { return say(msg, "unwatch"); }
result no_queue_for_caller(const message& msg, const context&) { return say(msg, "leave_queue"); }
result no_queue_for_leg(const message& msg, const context&) { return say(msg, "leave_queue"); }
result no_queue_for_offer(const message& msg, const context&) {
  return say(msg, "release", {{"offer_id", body_reader{msg}.text("offer_id")}, {"wrap_up_ms", 0}});
}

} // namespace

const sdk::entity_type<queue>& queue_type() {
  using namespace sdk;
  using q = queue;
  static const entity_type<q> made{
      "queue",
      "queue",
      1,
      view,
      {
          creates<q>("POST", "/v1/queues", create),
          lists<q>("GET", "/v1/queues"),
          answers<q>("GET", "/v1/queues/{id}", show),
          answers<q>("PUT", "/v1/queues/{id}", update),
          answers<q>("DELETE", "/v1/queues/{id}", remove),
          answers<q>("POST", "/v1/queues/{id}/agents", add_agent),
          answers<q>("GET", "/v1/queues/{id}/agents", list_agents),
          answers<q>("DELETE", "/v1/queues/{id}/agents/{agent_id}", remove_agent),
          answers<q>("POST", "/v1/queues/{id}/calls", add_caller),
          answers<q>("GET", "/v1/queues/{id}/calls", list_callers),
          answers<q>("DELETE", "/v1/queues/{id}/calls/{call_id}", kick),
          answers_by<q>("queue_id", "POST", "/v1/services/type/queuecall", add_caller_by_service),
          told<q>("agent_status", agent_status_news, no_queue_for_agent),
          told<q>("agent_gone", agent_gone),
          told<q>("offer_accepted", offer_accepted, no_queue_for_offer),
          told<q>("offer_rejected", offer_rejected),
          told<q>("offer_withdrawn", offer_withdrawn),
          told<q>("call_joined", call_joined, no_queue_for_caller),
          told<q>("call_refused", call_refused),
          told<q>("call_answered", call_answered, no_queue_for_leg),
          told<q>("call_ended", call_ended),
          told<q>("participant_joined", participant_joined),
          told<q>("participant_refused", conference_over),
          told<q>("conference_ended", conference_over),
          timer<q>("ring", rang_out),
          timer<q>("wait", waited_too_long),
          timer<q>("service", talked_too_long),
      }};
  return made;
}

} // namespace switchboard::telephony
