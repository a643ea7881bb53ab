// The rules of an agent: what people may set by hand and when it takes effect, which status may follow which, how many
// calls fit, and what letting calls ring out costs. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace switchboard::telephony {

enum class agent_status {
  offline,   ///< not logged in
  available, ///< may be offered a call
  away,      ///< logged in, wants no calls
  ringing,   ///< reserved for a call that is being offered
  busy,      ///< on a call; or set by hand
  wrap_up,   ///< finishing the last call's paper work, available soon
  paused,    ///< away for a reason, and for a time
};
constexpr std::array<std::string_view, 7> names_of(agent_status) {
  return {"offline", "available", "away", "ringing", "busy", "wrap_up", "paused"};
}

/// ringing and wrap_up come and go by calls only.
constexpr bool may_be_set(agent_status wanted) noexcept {
  return wanted != agent_status::ringing && wanted != agent_status::wrap_up;
}

/// The table of legal transitions; from a status to itself there is none.
bool may_change(agent_status from, agent_status to) noexcept;

/// What one reserved place in the agent's capacity is used for.
enum class slot_phase {
  ringing,   ///< offered, the phone rings
  talking,   ///< the queue said that the phone was picked up
  wrap_up,   ///< the talk is over, its paper work is not
  returning, ///< given back; the queue has not let go yet, so the place is not free
};
constexpr std::array<std::string_view, 4> names_of(slot_phase) {
  return {"ringing", "talking", "wrap_up", "returning"};
}

struct slot {
  std::string offer_id;
  std::uint64_t epoch = 0; ///< the queue's, of this offer
  std::string queue_id;
  std::string call_id; ///< the caller's
  std::string channel;
  slot_phase phase = slot_phase::ringing;
  bool checked = false; ///< the lease was over once and the queue was asked
};

/// How many calls at once, by channel: "voice", "chat", …
using channel_capacity = std::map<std::string, int>;

/// What everybody sees: calls first, then what was set by hand.
agent_status status_of(agent_status presence, const std::vector<slot>& slots) noexcept;

/// Places of that channel that may be offered now: none unless available, and none while a phone rings, for people
/// answer one at a time.
int free_places(const channel_capacity& capacity, const std::string& channel, agent_status presence, bool resting,
                const std::vector<slot>& slots) noexcept;

/// Whether one more talk fits, offered or not.
bool has_room(const channel_capacity& capacity, const std::string& channel, const std::vector<slot>& slots) noexcept;

enum class when_set {
  never, ///< it is so already
  now,
  now_and_withdraw, ///< the offer that rings goes back to its queue
  after_the_call,   ///< remembered
  forget_the_plan,  ///< what was remembered no longer holds
};

/// What setting `wanted` by hand does to an agent of that status; `on_queue_call`: rings or talks for a queue.
when_set effect_of_setting(agent_status now, bool on_queue_call, agent_status wanted) noexcept;

/// What a call that was let ring out costs.
struct no_answer_policy {
  int most = 3;              ///< in a row; then paused. 0: never
  milliseconds pause{};      ///< for so long
  milliseconds rest{};       ///< not offered for so long after each
  milliseconds fault_rest{}; ///< the same after a leg that ended for a reason of its own
};
struct no_answer_cost {
  bool paused = false;
  milliseconds rest{};
};
/// `count`: no-answers in a row, this one included.
no_answer_cost cost_of(std::string_view reason, int count, const no_answer_policy& policy) noexcept;

} // namespace switchboard::telephony
