// A queue callers wait in until an agent takes them.
//
//              call_joined          offer            offer_accepted      call_answered        both are in
//   initiating ──────────> waiting ──────> offered ───────────────> dialing ──────────> joining ──────────> service
//                             ^               │ rejected, withdrawn    │ no answer, busy
//                             └───────────────┴────────────────────────┘   (keeps the place)
//
// A caller may be offered to several agents at once; the first who answers has him, the others are rescinded.
// Everything may end at any time: the caller hangs up, is kicked, waits too long, asks to be called back. The caller's
// call, the agents' legs, their reservations and the conference are each told exactly what that means for them.
#pragma once

#include <string>
#include <vector>

#include "actors/queue/queue_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

/// Where callers go who can't be served here.
enum class overflow_kind {
  hang_up, ///< nowhere; who was put in by another entity goes back to it
  queue,   ///< another queue
  connect, ///< a number
};
constexpr std::array<std::string_view, 3> names_of(overflow_kind) { return {"hang_up", "queue", "connect"}; }

struct overflow_target {
  overflow_kind kind = overflow_kind::hang_up;
  std::string queue_id;
  sdk::address destination;
};

enum class no_agents_rule {
  wait,     ///< for one to log in
  overflow, ///< at once
};
constexpr std::array<std::string_view, 2> names_of(no_agents_rule) { return {"wait", "overflow"}; }

struct queue {
  std::string id;
  std::string customer_id;
  std::string name;
  std::string detail;
  routing_method routing = routing_method::longest_idle;
  std::string channel = "voice";
  std::vector<std::string> tag_ids; ///< agents need one of them; none: all of the list
  std::vector<relaxation_step> relaxation;
  milliseconds ageing{};          ///< what a step of priority is worth; 0: more than any waiting
  int parallel_offers = 0;        ///< agents asked at once for one caller; 0: the method's own number
  milliseconds wait_timeout{};    ///< 0: none
  milliseconds service_timeout{}; ///< 0: none
  milliseconds ring_timeout{};
  milliseconds wrap_up{};
  milliseconds announce_interval{}; ///< of queue.position; 0: none
  milliseconds service_level{};     ///< answered within this is in time
  int max_length = 0;               ///< callers waiting; 0: as many as the queue holds
  overflow_target overflow;
  no_agents_rule when_no_agents = no_agents_rule::wait;
  int callback_attempts = 2;
  milliseconds callback_retry{};
  int decisions_kept = 0;
  std::vector<queue_agent> agents;
  std::vector<queue_caller> callers;
  agent_place last_asked;
  std::uint64_t numbers = 0; ///< given to callers and agents so far
  std::uint64_t epoch = 0;   ///< of the newest offer
  queue_totals totals;
  std::uint64_t shown_waiting = 0; ///< as last announced by queue.stats
  std::uint64_t shown_active = 0;
  std::vector<std::string> decisions; ///< newest last, each a JSON object; only ever shown
  time_point relax_at{};              ///< a timer is armed for then
  bool audit_armed = false;
  bool closing = false; ///< DELETE came: takes nobody in, ends with its last caller
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<queue>& queue_type();

} // namespace switchboard::telephony
