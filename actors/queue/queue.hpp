// A queue callers wait in, first come first served, until an agent takes them.
//
//              call_joined          offer            offer_accepted      call_answered        both are in
//   initiating ──────────> waiting ──────> offered ───────────────> dialing ──────────> joining ──────────> service
//                             ^               │ rejected, withdrawn    │ no answer, busy
//                             └───────────────┴────────────────────────┘   (keeps the place)
//
// Everything may end at any time: the caller hangs up, is kicked, waits too long. The caller's call, the agent's leg,
// the agent's reservation and the conference are each told exactly what that means for them.
#pragma once

#include <string>
#include <vector>

#include "actors/queue/queue_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct queue {
  std::string id;
  std::string customer_id;
  std::string name;
  std::string detail;
  routing_method routing = routing_method::longest_idle;
  std::vector<std::string> tag_ids;
  milliseconds wait_timeout{};    ///< 0: none
  milliseconds service_timeout{}; ///< 0: none
  milliseconds ring_timeout{};
  milliseconds wrap_up{};
  std::vector<queue_agent> agents;
  std::vector<queue_caller> callers;
  std::uint64_t total_incoming = 0;
  std::uint64_t total_serviced = 0;
  std::uint64_t total_abandoned = 0;
  std::uint64_t shown_waiting = 0; ///< as last announced by queue.stats
  std::uint64_t shown_active = 0;
  bool closing = false; ///< DELETE came: takes nobody in, ends with its last caller
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<queue>& queue_type();

} // namespace switchboard::telephony
