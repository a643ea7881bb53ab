// The map of this file: state and view, the one place where the status changes, requests, the queues' messages, timers.
#include "actors/agent/agent.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(reservation, offer_id, queue_id, call_id)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(agent, id, customer_id, username, name, detail, ring_method, addresses, tag_ids,
                                   status, next_status, since, sequence, reserved, queues, created, updated)

namespace {

using result = sdk::outcome<agent>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr milliseconds lease_grace = std::chrono::seconds{15};     // the queue's own ring timeout comes first
constexpr milliseconds busy_lease_default = std::chrono::hours{4}; // longer than the longest call
constexpr milliseconds ring_timeout_default = std::chrono::seconds{20};
constexpr std::size_t queues_max = 100;
constexpr std::size_t addresses_max = 10;

json view(const agent& a) {
  return {{"id", a.id},
          {"customer_id", a.customer_id},
          {"username", a.username},
          {"name", a.name},
          {"detail", a.detail},
          {"ring_method", a.ring_method},
          {"addresses", a.addresses},
          {"tag_ids", a.tag_ids},
          {"status", sdk::text(a.status)},
          {"next_status", a.next_status},
          {"queue_id", a.reserved.queue_id},
          {"call_id", a.reserved.call_id},
          {"queue_ids", a.queues},
          {"tm_status", sdk::shown(a.since)},
          {"tm_create", sdk::shown(a.created)},
          {"tm_update", sdk::shown(a.updated)}};
}

json event_data(const agent& a) {
  return {{"id", a.id},
          {"agent_id", a.id},
          {"customer_id", a.customer_id},
          {"name", a.name},
          {"status", sdk::text(a.status)},
          {"queue_id", a.reserved.queue_id},
          {"call_id", a.reserved.call_id}};
}

// -- the status
// --------------------------------------------------------------------------------------------------------

/// The number to ring; an agent without one is reached as itself, which the trunk understands.
sdk::address address_of(const agent& a) {
  return a.addresses.empty() ? sdk::address{"agent", a.id, a.name} : a.addresses.front();
}

json status_data(const agent& a) {
  return {{"agent_id", a.id}, {"status", sdk::text(a.status)}, {"since", a.since}, {"sequence", a.sequence}};
}

bool is_reserved(const agent& a) { return !a.reserved.offer_id.empty(); }

/// The only place where the status changes: tells the world and the queues, and makes older timers stale.
void enter(agent& a, agent_status next, const context& ctx, result& out) {
  if (a.status == next)
    return;
  const auto previous = std::exchange(a.status, next);
  a.since = a.updated = ctx.now();
  ++a.sequence;
  out.cancel("lease").cancel("wrap_up");
  if (previous == agent_status::offline)
    out.event("agent.login", event_data(a));
  if (next == agent_status::offline)
    out.event("agent.logout", event_data(a));
  auto change = event_data(a);
  change["previous"] = sdk::text(previous);
  out.event("agent.status_change", std::move(change));
  for (const auto& queue : a.queues)
    out.send({"queue", queue}, "agent_status", status_data(a));
}

/// The reserved call is over: what was planned, or wrap-up, or free again.
void set_free(agent& a, milliseconds wrap_up, const context& ctx, result& out) {
  const bool had_call = a.status == agent_status::busy;
  a.reserved = {};
  const auto planned = sdk::from_text<agent_status>(std::exchange(a.next_status, {}));
  if (planned) {
    enter(a, *planned, ctx, out);
  } else if (had_call && wrap_up > milliseconds{0}) {
    enter(a, agent_status::wrap_up, ctx, out);
    out.arm("wrap_up", wrap_up, {{"sequence", a.sequence}});
  } else {
    enter(a, agent_status::available, ctx, out);
  }
}

void withdraw(agent& a, std::string_view why, result& out) {
  out.send({"queue", a.reserved.queue_id}, "offer_withdrawn",
           {{"offer_id", a.reserved.offer_id}, {"agent_id", a.id}, {"reason", why}});
}

void set_by_hand(agent& a, agent_status wanted, const context& ctx, result& out) {
  switch (effect_of_setting(a.status, is_reserved(a), wanted)) {
  case when_set::never:
    break;
  case when_set::now_and_withdraw:
    withdraw(a, sdk::text(wanted), out);
    a.reserved = {};
    [[fallthrough]];
  case when_set::now:
    enter(a, wanted, ctx, out);
    break;
  case when_set::after_the_call:
    a.next_status = sdk::text(wanted);
    break;
  case when_set::forget_the_plan:
    a.next_status.clear();
    break;
  }
}

// -- requests
// ----------------------------------------------------------------------------------------------------------

/// What may be given at creation and changed later; members that are not there stay as they are.
void read_profile(body_reader& in, agent& a) {
  a.name = in.text("name", a.name);
  a.detail = in.text("detail", a.detail);
  a.ring_method = in.text("ring_method", a.ring_method);
  if (a.ring_method != "ringall" && a.ring_method != "linear")
    in.complain_of("ring_method", "must be ringall or linear");
  if (in.find("tag_ids"))
    a.tag_ids = in.texts("tag_ids");
  const auto* addresses = in.find("addresses");
  if (!addresses)
    return;
  if (!addresses->is_array() || addresses->size() > addresses_max)
    return in.complain_of("addresses", "must be a list of at most 10 addresses");
  a.addresses.clear();
  for (const auto& one : *addresses)
    a.addresses.push_back(sdk::read_address(in, "addresses", one));
}

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  agent a;
  a.id = ctx.id();
  a.customer_id = sdk::read_customer(in, msg);
  a.username = in.text("username");
  read_profile(in, a);
  if (in.wrong())
    return sdk::refused<agent>(*in.wrong());
  a.created = a.updated = a.since = ctx.now();
  result out;
  out.event("agent.created", event_data(a)).reply(200, view(a)).next(std::move(a));
  return out;
}

result show(agent a, const message&, const context&) {
  result out;
  out.reply(200, view(a));
  return out;
}

result update(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  read_profile(in, a);
  if (in.wrong())
    return sdk::refused<agent>(*in.wrong());
  a.updated = ctx.now();
  result out;
  out.event("agent.updated", event_data(a)).reply(200, view(a)).next(std::move(a));
  return out;
}

result remove(agent a, const message&, const context&) {
  if (is_reserved(a))
    return sdk::refused<agent>(409, "FAILED_PRECONDITION", "the agent is on a call");
  result out;
  for (const auto& queue : a.queues)
    out.send({"queue", queue}, "agent_gone", {{"agent_id", a.id}});
  out.event("agent.deleted", event_data(a)).reply(200, view(a)).end();
  return out;
}

result set_and_show(agent a, agent_status wanted, const context& ctx) {
  result out;
  set_by_hand(a, wanted, ctx, out);
  out.reply(200, view(a)).next(std::move(a));
  return out;
}

result set_status(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto wanted = sdk::from_text<agent_status>(in.text("status"));
  if (!wanted || !may_be_set(*wanted))
    in.complain("status must be available, away, busy or offline");
  if (in.wrong())
    return sdk::refused<agent>(*in.wrong());
  return set_and_show(std::move(a), *wanted, ctx);
}

/// Somebody who works already goes on with it.
result log_in(agent a, const message&, const context& ctx) {
  if (a.status == agent_status::wrap_up)
    return show(std::move(a), {}, ctx);
  return set_and_show(std::move(a), agent_status::available, ctx);
}
result log_out(agent a, const message&, const context& ctx) {
  return set_and_show(std::move(a), agent_status::offline, ctx);
}

// -- the queues
// --------------------------------------------------------------------------------------------------------

sdk::entity_ref sender_of(const message& msg) { return {msg.from_type, msg.from_id}; }

result gone(const message& msg, const context& ctx) {
  result out;
  out.send(sender_of(msg), "agent_gone", {{"agent_id", ctx.id()}});
  return out;
}

/// A queue wants to know how this agent fares. Another tenant's queue must not learn that there is one.
result watch(agent a, const message& msg, const context& ctx) {
  const bool known = std::find(a.queues.begin(), a.queues.end(), msg.from_id) != a.queues.end();
  if (body_reader{msg}.text("customer_id") != a.customer_id || (!known && a.queues.size() >= queues_max))
    return gone(msg, ctx);
  if (!known)
    a.queues.push_back(msg.from_id);
  result out;
  out.send(sender_of(msg), "agent_status", status_data(a)).next(std::move(a));
  return out;
}

result unwatch(agent a, const message& msg, const context&) {
  std::erase(a.queues, msg.from_id);
  result out;
  out.next(std::move(a));
  return out;
}

result reject(const agent& a, const message& msg, std::string offer_id) {
  auto data = status_data(a);
  data["offer_id"] = std::move(offer_id);
  result out;
  out.send(sender_of(msg), "offer_rejected", std::move(data));
  return out;
}

/// The reservation: taken only by somebody available, and by whoever asks first.
result offer(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  auto offer_id = in.identity("offer_id");
  const auto ring_timeout = in.duration("ring_timeout_ms", ring_timeout_default);
  if (in.text("customer_id") != a.customer_id)
    return gone(msg, ctx);
  const bool repeated = is_reserved(a) && a.reserved.offer_id == offer_id;
  if (in.wrong() || (a.status != agent_status::available && !repeated))
    return reject(a, msg, std::move(offer_id));
  result out;
  if (!repeated) {
    a.reserved = {offer_id, msg.from_id, in.text("call_id")};
    enter(a, agent_status::ringing, ctx, out);
    out.arm("lease", ring_timeout + lease_grace, {{"offer_id", offer_id}});
  }
  out.send(sender_of(msg), "offer_accepted",
           {{"offer_id", std::move(offer_id)}, {"agent_id", a.id}, {"address", address_of(a)}});
  out.next(std::move(a));
  return out;
}

bool is_about_reservation(const agent& a, const message& msg) {
  return is_reserved(a) && body_reader{msg}.text("offer_id") == a.reserved.offer_id;
}

/// The phone was picked up, so the agent talks, even if the reservation was given back in that very moment: then the
/// status set by hand becomes what follows the call.
result connected(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto offer_id = in.text("offer_id");
  result out;
  if (is_reserved(a) && a.reserved.offer_id != offer_id) {
    out.send(sender_of(msg), "offer_withdrawn",
             {{"offer_id", offer_id}, {"agent_id", a.id}, {"reason", "not_reserved"}});
    return out;
  }
  if (offer_id.empty() || (is_reserved(a) && a.status == agent_status::busy))
    return out;
  if (!is_reserved(a)) {
    a.next_status = a.status == agent_status::away || a.status == agent_status::offline ? sdk::text(a.status) : "";
    a.reserved = {offer_id, msg.from_id, in.text("call_id")};
  }
  enter(a, agent_status::busy, ctx, out);
  out.arm("lease", ctx.setting("busy_lease_ms", busy_lease_default), {{"offer_id", a.reserved.offer_id}});
  out.next(std::move(a));
  return out;
}

result release(agent a, const message& msg, const context& ctx) {
  result out;
  if (!is_about_reservation(a, msg))
    return out;
  set_free(a, body_reader{msg}.duration("wrap_up_ms", milliseconds{0}), ctx, out);
  out.next(std::move(a));
  return out;
}

// -- timers
// ------------------------------------------------------------------------------------------------------------

/// The queue never said what became of it.
result lease_over(agent a, const message& msg, const context& ctx) {
  result out;
  if (!is_about_reservation(a, msg))
    return out;
  withdraw(a, "lease_over", out);
  set_free(a, milliseconds{0}, ctx, out);
  out.next(std::move(a));
  return out;
}

result wrap_up_over(agent a, const message& msg, const context& ctx) {
  result out;
  const auto armed_at = body_reader{msg}.integer("sequence", -1, 0, INT64_MAX);
  if (a.status != agent_status::wrap_up || armed_at != static_cast<std::int64_t>(a.sequence))
    return out;
  enter(a, agent_status::available, ctx, out);
  out.next(std::move(a));
  return out;
}

} // namespace

const sdk::entity_type<agent>& agent_type() {
  using namespace sdk;
  using a = agent;
  static const entity_type<a> made{"agent",
                                   "agent",
                                   1,
                                   view,
                                   {
                                       creates<a>("POST", "/v1/agents", create),
                                       lists<a>("GET", "/v1/agents"),
                                       answers<a>("GET", "/v1/agents/{id}", show),
                                       answers<a>("PUT", "/v1/agents/{id}", update),
                                       answers<a>("DELETE", "/v1/agents/{id}", remove),
                                       answers<a>("PUT", "/v1/agents/{id}/status", set_status),
                                       answers<a>("POST", "/v1/agents/{id}/login", log_in),
                                       answers<a>("POST", "/v1/agents/{id}/logout", log_out),
                                       told<a>("watch", watch, gone),
                                       told<a>("unwatch", unwatch),
                                       told<a>("offer", offer, gone),
                                       told<a>("connected", connected),
                                       told<a>("release", release),
                                       timer<a>("lease", lease_over),
                                       timer<a>("wrap_up", wrap_up_over),
                                   }};
  return made;
}

} // namespace switchboard::telephony
