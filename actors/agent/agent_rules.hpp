// The rules of an agent's status: what people may set by hand, and when that takes effect. Pure.
#pragma once

#include <array>
#include <string_view>

namespace switchboard::telephony {

enum class agent_status {
  offline,   ///< not logged in
  available, ///< may be offered a call
  away,      ///< logged in, wants no calls
  ringing,   ///< reserved for one call that is being offered
  busy,      ///< on a call; or set by hand
  wrap_up,   ///< finishing the last call's paper work, available soon
};
constexpr std::array<std::string_view, 6> names_of(agent_status) {
  return {"offline", "available", "away", "ringing", "busy", "wrap_up"};
}

/// ringing and wrap_up come and go by calls only.
constexpr bool may_be_set(agent_status wanted) noexcept {
  return wanted != agent_status::ringing && wanted != agent_status::wrap_up;
}

enum class when_set {
  never, ///< it is so already
  now,
  now_and_withdraw, ///< the offer that rings goes back to its queue
  after_the_call,   ///< remembered
  forget_the_plan,  ///< what was remembered no longer holds
};

/// What setting `wanted` by hand does; `reserved`: a queue's call is offered or talking.
when_set effect_of_setting(agent_status now, bool reserved, agent_status wanted) noexcept;

} // namespace switchboard::telephony
