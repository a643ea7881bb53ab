#include "actors/agent/agent_rules.hpp"

namespace switchboard::telephony {

when_set effect_of_setting(agent_status now, bool reserved, agent_status wanted) noexcept {
  if (!reserved)
    return now == wanted ? when_set::never : when_set::now;
  if (now == agent_status::ringing)
    return wanted == agent_status::available ? when_set::never : when_set::now_and_withdraw;
  const bool goes_on = wanted == agent_status::available || wanted == agent_status::busy;
  return goes_on ? when_set::forget_the_plan : when_set::after_the_call;
}

} // namespace switchboard::telephony
