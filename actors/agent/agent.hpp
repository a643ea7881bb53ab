// An agent: a person who takes queue calls. Reservations are made by the agent's own decision, so two queues can never
// ring the same agent, nor give more calls than fit.
//
//                login            offer             connected           release
//   offline <──────────> available ────> ringing ────────────> busy ───────────────> wrap_up ──> available
//                             ^             │ release, lease over          (time over)
//                             └─────────────┘
// What people set by hand (offline, available, away, busy, paused) is the `presence`; each reserved call is a `slot`.
// The status everybody sees is made of both, see status_of. Each slot has a lease, so it ends by itself.
#pragma once

#include <string>
#include <vector>

#include "actors/agent/agent_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

/// A queue that is told of every change.
struct agent_watcher {
  std::string queue_id;
  std::uint64_t epoch = 0; ///< the newest offer of this queue that is over: older ones come too late
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
  std::map<std::string, int> skills; ///< name -> level
  channel_capacity capacity{{"voice", 1}};
  agent_status presence = agent_status::offline; ///< by hand; while on a call: what follows it
  agent_status status = agent_status::offline;   ///< as last told: status_of(presence, slots)
  time_point since{};                            ///< of the status: who idles longest
  std::uint64_t sequence = 0;                    ///< of the news: queues drop what is older than they know
  std::vector<slot> slots;
  std::string pause_reason;
  time_point paused_until{};  ///< while paused
  bool back_by_itself = true; ///< after the pause: available, not offline
  int no_answers = 0;         ///< in a row
  time_point resting_until{}; ///< not offered before
  std::vector<agent_watcher> queues;
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<agent>& agent_type();

} // namespace switchboard::telephony
