// The agent's side of the reservation: offers of the queues, and the leases and other timers that end what nobody else
// ends.
#include <algorithm>
#include <utility>

#include "actors/agent/agent_steps.hpp"

namespace switchboard::telephony::agents {

namespace {

constexpr milliseconds lease_grace = std::chrono::seconds{15};     // the queue's own ring timeout comes first
constexpr milliseconds busy_lease_default = std::chrono::hours{4}; // longer than nearly every call
constexpr milliseconds ring_timeout_default = std::chrono::seconds{20};

/// The number to ring; an agent without one is reached as itself, which the trunk understands.
sdk::address address_of(const agent& a) {
  return a.addresses.empty() ? sdk::address{"agent", a.id, a.name} : a.addresses.front();
}

std::uint64_t epoch_in(body_reader& in) {
  return static_cast<std::uint64_t>(in.integer("epoch", 0, 0, INT64_MAX)); // 0: a queue of version 1
}

std::uint64_t settled_epoch(const agent& a, const std::string& queue_id) {
  const auto found =
      std::find_if(a.queues.begin(), a.queues.end(), [&](const auto& one) { return one.queue_id == queue_id; });
  return found == a.queues.end() ? 0 : found->epoch;
}

result reject(const work& w, const message& msg, const std::string& offer_id, std::uint64_t epoch, const char* why) {
  auto data = news(w.a, w.ctx);
  data["offer_id"] = offer_id;
  data["epoch"] = epoch;
  data["reason"] = why;
  data["settled_epoch"] = settled_epoch(w.a, msg.from_id);
  result out;
  out.send(msg.sender(), "offer_rejected", std::move(data));
  return out;
}

} // namespace

result gone(const message& msg, const context& ctx) {
  result out;
  out.send(msg.sender(), "agent_gone", {{"agent_id", ctx.id()}});
  return out;
}

/// A queue wants to know how this agent fares; it may ask again to be sure. Another tenant's queue must not learn that
/// there is one.
result watch(agent a, const message& msg, const context& ctx) {
  const bool known =
      std::any_of(a.queues.begin(), a.queues.end(), [&](const auto& one) { return one.queue_id == msg.from_id; });
  if (body_reader{msg}.text("customer_id") != a.customer_id || (!known && a.queues.size() >= queues_max))
    return gone(msg, ctx);
  result out;
  out.send(msg.sender(), "agent_status", news(a, ctx));
  if (!known) {
    a.queues.push_back({msg.from_id});
    out.next(std::move(a));
  }
  return out;
}

result unwatch(agent a, const message& msg, const context&) {
  std::erase_if(a.queues, [&](const auto& one) { return one.queue_id == msg.from_id; });
  result out;
  out.next(std::move(a));
  return out;
}

/// The reservation: taken only where a place is free, and by whoever asks first. An offer whose end is known already
/// comes too late.
result offer(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto offer_id = in.identity("offer_id");
  const auto epoch = epoch_in(in);
  const auto ring_timeout = in.duration("ring_timeout_ms", ring_timeout_default);
  const auto channel = in.text("channel", "voice");
  if (in.text("customer_id") != a.customer_id)
    return gone(msg, ctx);
  work w{std::move(a), ctx};
  const auto* mine = w.find(offer_id);
  if (in.wrong() || (mine && mine->phase != slot_phase::ringing && mine->phase != slot_phase::talking))
    return reject(w, msg, offer_id, epoch, "over");
  if (!mine && epoch != 0 && epoch <= settled_epoch(w.a, msg.from_id))
    return reject(w, msg, offer_id, epoch, "stale");
  if (!mine && free_places(w.a.capacity, channel, w.a.presence, ctx.now() < w.a.resting_until, w.a.slots) == 0)
    return reject(w, msg, offer_id, epoch, "not_available");
  const bool repeated = mine != nullptr;
  if (!repeated) {
    w.a.slots.push_back({offer_id, epoch, msg.from_id, in.text("call_id"), channel, slot_phase::ringing});
    w.arm_lease(w.a.slots.back(), ring_timeout + lease_grace);
  }
  const auto address = address_of(w.a);
  const auto agent_id = w.a.id;
  if (repeated) { // the first answer may have been lost
    w.out.send(msg.sender(), "offer_accepted",
               {{"offer_id", offer_id}, {"epoch", epoch}, {"agent_id", agent_id}, {"address", address}});
    return std::move(w.out);
  }
  auto out = std::move(w).finish(); // the news first: the queue never thinks of this agent as free
  out.send(msg.sender(), "offer_accepted",
           {{"offer_id", offer_id}, {"epoch", epoch}, {"agent_id", agent_id}, {"address", address}});
  return out;
}

/// The phone was picked up, so the agent talks, even if the reservation was given back in that very moment: then the
/// status set by hand becomes what follows the call. It also renews the lease of a long talk.
result connected(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto offer_id = in.text("offer_id");
  const auto epoch = epoch_in(in);
  const auto channel = in.text("channel", "voice");
  work w{std::move(a), ctx};
  auto* mine = w.find(offer_id);
  const bool over = mine ? mine->phase == slot_phase::wrap_up : epoch != 0 && epoch <= settled_epoch(w.a, msg.from_id);
  if (offer_id.empty() || over)
    return {};
  if (!mine && !has_room(w.a.capacity, channel, w.a.slots)) {
    w.out.send(msg.sender(), "offer_withdrawn",
               {{"offer_id", offer_id}, {"epoch", epoch}, {"agent_id", w.a.id}, {"reason", "not_reserved"}});
    return std::move(w.out);
  }
  if (!mine) {
    w.a.slots.push_back({offer_id, epoch, msg.from_id, in.text("call_id"), channel});
    mine = &w.a.slots.back();
  }
  mine->phase = slot_phase::talking;
  mine->checked = false;
  w.a.no_answers = 0;
  w.arm_lease(*mine, ctx.setting("busy_lease_ms", busy_lease_default));
  return std::move(w).finish();
}

result release(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto offer_id = in.text("offer_id");
  work w{std::move(a), ctx};
  w.settle(msg.from_id, epoch_in(in));
  auto* mine = w.find(offer_id);
  if (!mine || mine->phase == slot_phase::wrap_up)
    return std::move(w).finish();
  const auto wrap_up = in.duration("wrap_up_ms", milliseconds{0});
  if (mine->phase == slot_phase::talking && w.a.presence == agent_status::available && wrap_up > milliseconds{0}) {
    mine->phase = slot_phase::wrap_up;
    w.out.cancel("lease:" + offer_id).arm("wrap_up:" + offer_id, wrap_up, {{"offer_id", offer_id}});
    return std::move(w).finish();
  }
  const auto reason = in.text("reason");
  const bool never_talked = mine->phase == slot_phase::ringing || reason == "agent_lost";
  w.drop(offer_id);
  if (never_talked)
    w.charge_no_answer(reason);
  return std::move(w).finish();
}

/// The queue never said what became of it. A talk may just be long: the queue is asked once, and answers `connected` or
/// `release`.
result lease_over(agent a, const message& msg, const context& ctx) {
  work w{std::move(a), ctx};
  const auto offer_id = body_reader{msg}.text("offer_id");
  auto* mine = w.find(offer_id);
  if (!mine || mine->phase == slot_phase::wrap_up)
    return {};
  if (mine->phase == slot_phase::talking && !mine->checked) {
    mine->checked = true;
    w.arm_lease(*mine, lease_grace);
    w.out.send({"queue", mine->queue_id}, "offer_check",
               {{"offer_id", offer_id}, {"epoch", mine->epoch}, {"agent_id", w.a.id}});
    return std::move(w).finish();
  }
  if (mine->phase != slot_phase::returning)
    w.withdraw(*mine, "lease_over");
  w.drop(offer_id);
  return std::move(w).finish();
}

/// Of version 1 the timer has no offer_id: there was one slot.
result wrap_up_over(agent a, const message& msg, const context& ctx) {
  work w{std::move(a), ctx};
  const auto offer_id = body_reader{msg}.text("offer_id");
  std::erase_if(w.a.slots,
                [&](const auto& one) { return one.phase == slot_phase::wrap_up && one.offer_id == offer_id; });
  return std::move(w).finish();
}

result pause_over(agent a, const message&, const context& ctx) {
  work w{std::move(a), ctx};
  if (w.a.presence != agent_status::paused || ctx.now() < w.a.paused_until)
    return {};
  w.a.presence = w.a.back_by_itself ? agent_status::available : agent_status::offline;
  w.a.pause_reason.clear();
  w.a.paused_until = {};
  return std::move(w).finish();
}

result rest_over(agent a, const message&, const context& ctx) {
  work w{std::move(a), ctx};
  if (ctx.now() < w.a.resting_until)
    return {};
  w.a.resting_until = {};
  w.tell_all = true;
  return std::move(w).finish();
}

} // namespace switchboard::telephony::agents
