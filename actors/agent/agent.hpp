// An agent: a person who takes queue calls. One reservation at a time, made by the agent's own decision, so two queues
// can never ring the same agent.
//
//                login            offer             connected           release
//   offline <──────────> available ────> ringing ────────────> busy ───────────────> wrap_up ──> available
//                             ^             │ release, lease over          (time over)
//                             └─────────────┘
#pragma once

#include <string>
#include <vector>

#include "actors/agent/agent_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

/// What the agent is reserved for; none while offer_id is empty.
struct reservation {
  std::string offer_id;
  std::string queue_id;
  std::string call_id; ///< the caller's
};

struct agent {
  std::string id;
  std::string customer_id;
  std::string username;
  std::string name;
  std::string detail;
  std::string ring_method = "ringall";
  std::vector<sdk::address> addresses; ///< the first one is dialled
  std::vector<std::string> tag_ids;
  agent_status status = agent_status::offline;
  std::string next_status;    ///< away or offline, once the call is over; empty: wrap up, then available
  time_point since{};         ///< of the status: who idles longest
  std::uint64_t sequence = 0; ///< of the status: queues drop what is older than they know
  reservation reserved;
  std::vector<std::string> queues; ///< who is told of every change
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<agent>& agent_type();

} // namespace switchboard::telephony
