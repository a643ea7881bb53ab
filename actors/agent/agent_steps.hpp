// What the agent's handlers share: the view, the one place where the status changes, and how slots come and go.
#pragma once

#include "actors/agent/agent.hpp"

namespace switchboard::telephony::agents {

using result = sdk::outcome<agent>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

constexpr std::size_t queues_max = 100;

json view(const agent& a);
json event_data(const agent& a);
/// What queues are told: status, places free by channel, tags and skills.
json news(const agent& a, const context& ctx);

/// One handler's work on the agent. finish() is the only place where the status changes: it tells the world and the
/// queues what is different.
struct work {
  agent a;
  const context& ctx;
  result out{};
  json news_before = news(a, ctx);
  bool tell_all = false; ///< tags or skills changed

  slot* find(const std::string& offer_id);
  bool on_queue_call() const; ///< rings or talks
  void set_by_hand(agent_status wanted);
  void pause(std::string reason, milliseconds how_long, bool back_by_itself);
  void withdraw(const slot& one, std::string_view why);
  /// The lease of a slot that rings or talks; arming it again replaces it.
  void arm_lease(const slot& one, milliseconds how_long);
  void drop(const std::string& offer_id);
  /// Nothing of this offer is to come any more: older ones of the same queue are late.
  void settle(const std::string& queue_id, std::uint64_t epoch);
  void charge_no_answer(const std::string& reason);

  result finish() &&;
};

// Requests.
result create(const message& msg, const context& ctx);
result show(agent a, const message&, const context&);
result update(agent a, const message& msg, const context& ctx);
result remove(agent a, const message&, const context&);
result set_status(agent a, const message& msg, const context& ctx);
result log_in(agent a, const message&, const context& ctx);
result log_out(agent a, const message&, const context& ctx);
result pause_for(agent a, const message& msg, const context& ctx);
result resume(agent a, const message&, const context& ctx);

// The queues' messages.
result gone(const message& msg, const context& ctx);
result watch(agent a, const message& msg, const context& ctx);
result unwatch(agent a, const message& msg, const context& ctx);
result offer(agent a, const message& msg, const context& ctx);
result connected(agent a, const message& msg, const context& ctx);
result release(agent a, const message& msg, const context& ctx);

// Timers.
result lease_over(agent a, const message& msg, const context& ctx);
result wrap_up_over(agent a, const message& msg, const context& ctx);
result pause_over(agent a, const message& msg, const context& ctx);
result rest_over(agent a, const message& msg, const context& ctx);

} // namespace switchboard::telephony::agents
