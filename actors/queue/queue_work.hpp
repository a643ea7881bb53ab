// One handler's work on a queue: how a caller moves on, and what ends every handler.
#pragma once

#include <string>
#include <utility>

#include "actors/queue/queue.hpp"

namespace switchboard::telephony::queues {

using result = sdk::outcome<queue>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

/// The state is written whole on each change, and each decision copies it.
constexpr std::size_t agents_max = 500;
constexpr std::size_t callers_max = 500;
constexpr int offers_max = 50; ///< to agents at once, for one caller

/// How many agents are asked at once for one caller.
inline std::size_t offers_at_once(const queue& q) noexcept {
  const bool all = q.routing == routing_method::ring_all;
  return static_cast<std::size_t>(q.parallel_offers > 0 ? q.parallel_offers : all ? offers_max : 1);
}
/// May be put into the line now.
inline bool is_in_line(const queue& q, const queue_caller& c, time_point now) noexcept {
  return wants_agent(c.phase) && c.offers.size() < offers_at_once(q) && c.not_before <= now;
}

json view(const queue& q);
json caller_view(const queue& q, const queue_caller& c);
/// waiting, active, the totals and what follows from them.
json stats(const queue& q, time_point now);
/// Why these agents, and who was passed over; to be asked before they are offered.
json decision(const queue& q, const queue_caller& c, const std::vector<std::size_t>& chosen, time_point now);

/// State, outcome and context travel together. Pointers into q.callers hold until a caller is added or removed.
struct work {
  queue q;
  const context& ctx;
  result out{};

  void announce(std::string type, const queue_caller& c, json more = json::object());
  void announce(std::string type, json data);

  template <class Test>
  queue_caller* find(Test test) {
    for (auto& one : q.callers) {
      if (test(one))
        return &one;
    }
    return nullptr;
  }
  queue_caller* by_id(const std::string& id);
  /// The caller's own call. One who is to be called back has none.
  queue_caller* by_call(const std::string& call_id);
  /// The leg to the agent who has the caller.
  queue_caller* by_agent_leg(const std::string& call_id);
  /// An open offer and its caller, by its id or by its leg; {nullptr, nullptr} if it is over.
  std::pair<queue_caller*, queue_offer*> by_offer(const std::string& offer_id);
  std::pair<queue_caller*, queue_offer*> by_offered_leg(const std::string& call_id);
  queue_agent* agent(const std::string& agent_id);

  // -- a caller moves on
  void ask_to_join(const queue_caller& c);
  void wait(queue_caller& c);
  void offer(queue_caller& c, queue_agent& to);
  void dial(queue_caller& c, queue_offer& to, const json& address);
  /// The first answer wins: all other offers are rescinded.
  void answered(queue_caller& c, const queue_offer& by);
  void bring_together(queue_caller& c);
  void begin_service(queue_caller& c);
  /// Between the answer and the talk: the caller comes back to his old place.
  void agent_lost(queue_caller& c, const std::string& reason);
  /// This agent did not work out: the caller waits on, at the old place.
  void offer_failed(queue_caller& c, const queue_offer& one, const std::string& reason);
  void rescind_all(queue_caller& c, const std::string& reason, const std::string& but_offer = {});
  /// The agent did not keep the place: it is not asked for others while this talk lasts.
  void talk_without_reservation(queue_caller& c);
  /// The agent who answered is free again.
  void let_agent_go(queue_caller& c, milliseconds wrap_up, const char* reason = "over");

  // -- or ends
  /// Ends it as its phase demands. `caller_goes_on`: who waits is only let go, not hung up.
  void end(queue_caller& c, const std::string& reason, bool caller_goes_on = false);
  void abandon(queue_caller& c, const std::string& reason, bool caller_goes_on);
  void finish_service(queue_caller& c, const std::string& reason);
  void overflow(queue_caller& c, const std::string& reason);
  void send_to_queue(queue_caller& c);
  void overflow_failed(queue_caller& c, const std::string& reason);
  void tell_owner(const queue_caller& c, const char* outcome, std::string_view target = {});
  void remove(queue_caller& c);

  // -- or is called back
  void promise_callback(queue_caller& c, const sdk::address& destination);
  void call_back(queue_caller& c);
  void callback_failed(queue_caller& c, const std::string& reason, bool counts);

  void announce_position(const queue_caller& c);
  /// What is known of their free places is not of this channel.
  void ask_agents();

  // -- what ends every handler
  result done() &&;

private:
  void release(const std::string& agent_id, const std::string& offer_id, std::uint64_t epoch, milliseconds wrap_up,
               const std::string& reason);
  void hang_up(const std::string& call_id, const char* reason = "");
  void overflow_if_nobody_works();
  void offer_all();
  void wake_when_relaxed();
  waiting_line line() const;
  void keep_decision(const queue_caller& c, const std::vector<std::size_t>& chosen);
  void announce_stats();
};

// Requests.
result create(const message& msg, const context& ctx);
result show(queue q, const message&, const context&);
result show_stats(queue q, const message&, const context& ctx);
result list_decisions(queue q, const message&, const context&);
result update(queue q, const message& msg, const context& ctx);
result remove(queue q, const message&, const context& ctx);
result add_agent(queue q, const message& msg, const context& ctx);
result remove_agent(queue q, const message& msg, const context& ctx);
result list_agents(queue q, const message&, const context&);
result add_caller(queue q, const message& msg, const context& ctx);
result add_caller_by_service(queue q, const message& msg, const context& ctx);
result list_callers(queue q, const message&, const context&);
result kick(queue q, const message& msg, const context& ctx);
result ask_callback(queue q, const message& msg, const context& ctx);

// Messages of other entities that put callers in.
result take_caller(queue q, const message& msg, const context& ctx);
result no_queue_for_new_caller(const message& msg, const context& ctx);
result callback_wanted(queue q, const message& msg, const context& ctx);
result disown_caller(queue q, const message& msg, const context& ctx);
result remove_caller(queue q, const message& msg, const context& ctx);

// Agents.
result agent_status_news(queue q, const message& msg, const context& ctx);
result agent_gone(queue q, const message& msg, const context& ctx);
result offer_accepted(queue q, const message& msg, const context& ctx);
result offer_rejected(queue q, const message& msg, const context& ctx);
result offer_withdrawn(queue q, const message& msg, const context& ctx);
result offer_check(queue q, const message& msg, const context& ctx);

// Calls, conferences and the queues callers overflow to.
result call_joined(queue q, const message& msg, const context& ctx);
result call_refused(queue q, const message& msg, const context& ctx);
result call_answered(queue q, const message& msg, const context& ctx);
result call_ended(queue q, const message& msg, const context& ctx);
result connect_finished(queue q, const message& msg, const context& ctx);
result participant_joined(queue q, const message& msg, const context& ctx);
result participant_refused(queue q, const message& msg, const context& ctx);
result conference_over(queue q, const message& msg, const context& ctx);
result caller_accepted(queue q, const message& msg, const context& ctx);
result caller_refused(queue q, const message& msg, const context& ctx);

// Whoever relies on a queue that is not here (any more) is set free.
result no_queue_for_agent(const message& msg, const context&);
result no_queue_for_call(const message& msg, const context&);
result nobody_to_go_on_with(const message& msg, const context&);
result no_queue_for_offer(const message& msg, const context&);

// Timers.
result rang_out(queue q, const message& msg, const context& ctx);
result waited_too_long(queue q, const message& msg, const context& ctx);
result talked_too_long(queue q, const message& msg, const context& ctx);
result did_not_join(queue q, const message& msg, const context& ctx);
result try_again(queue q, const message& msg, const context& ctx);
result overflow_overdue(queue q, const message& msg, const context& ctx);
result position_due(queue q, const message& msg, const context& ctx);
result relaxed_now(queue q, const message&, const context& ctx);
result audit(queue q, const message&, const context& ctx);

} // namespace switchboard::telephony::queues
