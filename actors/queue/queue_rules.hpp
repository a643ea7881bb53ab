// What a queue knows of callers and agents, and what follows from it: who is engaged, where one stands, how long it may
// take. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "actors/queue/waiting_line.hpp"
#include "sdk/address.hpp"
#include "sdk/outcome.hpp"

namespace switchboard::telephony {

/// Where a caller is. VoIPBIN's status in brackets, where it differs.
enum class caller_phase {
  initiating,   ///< the call has not confirmed yet that it is here and answered
  waiting,      ///< for an agent
  offered,      ///< agents were asked [connecting]
  dialing,      ///< at least one said yes, the phone rings [connecting]
  calling_back, ///< an agent picked up, the caller who hung up is dialled [connecting]
  joining,      ///< both are answered and go into a conference [connecting]
  service,      ///< they talk
  overflowing,  ///< on the way to where callers go who can't be served here [connecting]
};
constexpr std::array<std::string_view, 8> names_of(caller_phase) {
  return {"initiating", "waiting", "offered", "dialing", "calling_back", "joining", "service", "overflowing"};
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
  case caller_phase::calling_back:
  case caller_phase::joining:
  case caller_phase::overflowing:
    return "connecting";
  case caller_phase::service:
    break;
  }
  return "service";
}

/// What the queue last heard of an agent, and how it ranks him.
struct queue_agent {
  std::string agent_id;
  std::string status = "unknown"; ///< the agent's own word; "unknown" until the first one
  time_point since{};
  std::int64_t sequence = -1; ///< older news than this is dropped
  int free = 0;               ///< places of the queue's channel that may be offered
  std::vector<std::string> tag_ids;
  std::map<std::string, int> skills;
  agent_place place;
  int penalty = 0;
  std::uint64_t calls = 0;  ///< talks of this queue
  milliseconds talk_time{}; ///< of these
};

/// One agent asked for one caller.
struct queue_offer {
  std::string id;
  std::uint64_t epoch = 0; ///< of the queue, one more with each offer: what is older comes too late
  std::string agent_id;
  std::string call_id; ///< the leg to the agent, once accepted
};

/// One caller, in the order they came.
struct queue_caller {
  std::string id; ///< of the queuecall
  std::string call_id;
  caller_phase phase = caller_phase::initiating;
  std::uint64_t number = 0;
  int priority = 0;
  std::map<std::string, int> skills; ///< required: name -> level
  sdk::entity_ref owner;             ///< who put him in by message and is told how he left; may be empty
  std::vector<queue_offer> offers;   ///< while offered or dialing
  std::vector<std::string> tried;    ///< agents asked since he came, or since all had been asked
  std::string offer_id;              ///< of the agent who answered first; empty: not reserved any more
  std::uint64_t epoch = 0;           ///< of that offer
  std::string agent_id;
  std::string agent_call_id;
  std::string conference_id;
  bool caller_in = false; ///< into the conference
  bool agent_in = false;
  std::uint32_t attempts = 0; ///< offers so far
  sdk::address callback;      ///< to be called back there: he hung up and keeps his place
  int callback_attempts = 0;
  time_point not_before{};     ///< not offered before, after a callback that failed
  std::string overflow_reason; ///< set: goes to the overflow target as soon as he is here
  std::string connect_id;      ///< of that, if it is a number
  int hops = 0;                ///< queues he has overflowed from
  int tries = 0;               ///< of joining or overflowing
  time_point joined{};
  time_point connected{};

  bool is_virtual() const noexcept { return !callback.empty(); }
};

/// Since the queue was made. Each is a number of events, or a sum over them, so the log gives the same.
struct queue_totals {
  std::uint64_t incoming = 0;         ///< queue.caller_joined
  std::uint64_t answered = 0;         ///< queue.connected
  std::uint64_t answered_in_time = 0; ///< of these with waited_ms <= service_level_ms
  std::uint64_t serviced = 0;         ///< queue.serviced
  std::uint64_t abandoned = 0;        ///< queue.abandoned
  std::uint64_t overflowed = 0;       ///< queue.overflowed
  std::uint64_t callbacks = 0;        ///< queue.callback_requested
  milliseconds answer_wait{};         ///< waited_ms of queue.connected
  milliseconds talk{};                ///< service_ms of queue.serviced
};

/// In the line: to be offered an agent, or one more.
constexpr bool wants_agent(caller_phase phase) noexcept {
  return phase == caller_phase::waiting || phase == caller_phase::offered || phase == caller_phase::dialing;
}
/// Not served yet and still here.
constexpr bool is_waiting(caller_phase phase) noexcept { return phase < caller_phase::service; }

/// Agents asked or ringing for a caller of this queue, or talking without a reservation, whatever their last news say.
/// The names live as long as `callers`.
std::unordered_set<std::string_view> engaged_agents(const std::vector<queue_caller>& callers);

/// Any of these tags; everybody where none is asked for.
bool has_tag(const std::vector<std::string>& wanted, const std::vector<std::string>& has) noexcept;

/// Logged in, as far as is known. Who was only just added counts: the first news is on its way.
bool may_be_logged_in(const queue_agent& agent) noexcept;
/// Takes calls, now or after the one he is on.
bool is_working(const queue_agent& agent) noexcept;

/// From 1 on among those who wait, by the order of the line; 0: doesn't wait.
std::size_t position_of(const queue_caller& caller, const std::vector<queue_caller>& callers, milliseconds ageing);

/// Position × mean talk ÷ working agents; none while no talk was had or nobody works.
std::optional<milliseconds> estimated_wait(std::size_t position, const queue_totals& totals, std::size_t working);

waiting_caller standing_of(const queue_caller& caller);
skill_levels levels_of(const std::map<std::string, int>& skills);

} // namespace switchboard::telephony
