// Who is next: the rules of a queue. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace switchboard::telephony {

enum class routing_method {
  longest_idle, ///< the available agent whose status is oldest
  random,       ///< any available agent: the only method VoIPBIN has
};
constexpr std::array<std::string_view, 2> names_of(routing_method) { return {"longest_idle", "random"}; }

/// Where a caller is. VoIPBIN's status in brackets, where it differs.
enum class caller_phase {
  initiating, ///< the call has not confirmed yet that it is here and answered
  waiting,    ///< for an agent
  offered,    ///< an agent was asked [connecting]
  dialing,    ///< the agent said yes, the agent's phone rings [connecting]
  joining,    ///< both are answered and go into a conference [connecting]
  service,    ///< they talk
};
constexpr std::array<std::string_view, 6> names_of(caller_phase) {
  return {"initiating", "waiting", "offered", "dialing", "joining", "service"};
}

/// VoIPBIN's word for it.
constexpr std::string_view queuecall_status(caller_phase phase) noexcept {
  switch (phase) {
  case caller_phase::initiating:
    return "initiating";
  case caller_phase::waiting:
    return "waiting";
  case caller_phase::offered:
  case caller_phase::dialing:
  case caller_phase::joining:
    return "connecting";
  case caller_phase::service:
    break;
  }
  return "service";
}

/// What the queue last heard of an agent.
struct queue_agent {
  std::string agent_id;
  std::string status = "unknown"; ///< the agent's own word; "unknown" until the first one
  time_point since{};
  std::int64_t sequence = -1; ///< older news than this is dropped
};

/// One caller, in the order they came.
struct queue_caller {
  std::string id; ///< of the queuecall
  std::string call_id;
  caller_phase phase = caller_phase::initiating;
  std::string offer_id;
  std::string agent_id;      ///< of the running offer or service
  std::string agent_call_id; ///< the leg to the agent
  std::string conference_id;
  bool caller_in = false; ///< into the conference
  bool agent_in = false;
  std::uint32_t attempts = 0; ///< offers so far
  time_point joined{};
  time_point connected{};
};

/// Reserved by a caller of this queue, whatever the agent's last news says.
bool is_engaged(const std::vector<queue_caller>& callers, std::string_view agent_id) noexcept;

/// The waiting caller who came first; nullptr if nobody waits.
queue_caller* next_caller(std::vector<queue_caller>& callers) noexcept;

/// The agent to ask, by the method; nullptr if nobody is available. `dice` decides for `random`.
const queue_agent* next_agent(routing_method method, const std::vector<queue_agent>& agents,
                              const std::vector<queue_caller>& callers, std::uint64_t dice) noexcept;

} // namespace switchboard::telephony
