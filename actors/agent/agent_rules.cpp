#include "actors/agent/agent_rules.hpp"

#include <algorithm>

namespace switchboard::telephony {

bool may_change(agent_status from, agent_status to) noexcept {
  using enum agent_status;
  if (from == to)
    return false;
  switch (to) {
  case ringing:
    return from == available || from == busy || from == wrap_up; // the latter two with a capacity above one
  case wrap_up:
    return from == busy || from == ringing; // ringing: one call rang beside another's paper work, and stopped
  case busy:
  case offline:
  case available:
  case away:
  case paused:
    break;
  }
  return true; // by hand, by a call that was answered in the moment it was given back, or when calls are over
}

agent_status status_of(agent_status presence, const std::vector<slot>& slots) noexcept {
  const auto has = [&](slot_phase phase) {
    return std::any_of(slots.begin(), slots.end(), [&](const auto& one) { return one.phase == phase; });
  };
  if (has(slot_phase::ringing))
    return agent_status::ringing;
  if (has(slot_phase::talking))
    return agent_status::busy;
  return has(slot_phase::wrap_up) ? agent_status::wrap_up : presence;
}

namespace {

int room_in(const channel_capacity& capacity, const std::string& channel, const std::vector<slot>& slots) noexcept {
  const auto found = capacity.find(channel);
  const auto used = std::count_if(slots.begin(), slots.end(), [&](const auto& one) { return one.channel == channel; });
  return found == capacity.end() ? 0 : found->second - static_cast<int>(used);
}

} // namespace

int free_places(const channel_capacity& capacity, const std::string& channel, agent_status presence, bool resting,
                const std::vector<slot>& slots) noexcept {
  const bool rings = std::any_of(slots.begin(), slots.end(), [](const auto& one) {
    return one.phase == slot_phase::ringing || one.phase == slot_phase::returning;
  });
  return presence != agent_status::available || resting || rings ? 0 : std::max(0, room_in(capacity, channel, slots));
}

bool has_room(const channel_capacity& capacity, const std::string& channel, const std::vector<slot>& slots) noexcept {
  return room_in(capacity, channel, slots) > 0;
}

when_set effect_of_setting(agent_status now, bool on_queue_call, agent_status wanted) noexcept {
  if (!on_queue_call)
    return now == wanted ? when_set::never : when_set::now;
  if (now == agent_status::ringing)
    return wanted == agent_status::available ? when_set::never : when_set::now_and_withdraw;
  const bool goes_on = wanted == agent_status::available || wanted == agent_status::busy;
  return goes_on ? when_set::forget_the_plan : when_set::after_the_call;
}

no_answer_cost cost_of(std::string_view reason, int count, const no_answer_policy& policy) noexcept {
  if (reason == "noanswer")
    return {policy.most > 0 && count >= policy.most, policy.rest};
  // The queue or the caller changed their mind, or the agent did. Anything else may be so again at once.
  constexpr std::string_view no_fault[] = {"answered_elsewhere", "caller_left", "withdrawn", "rejected", "over"};
  const bool is_fault = std::find(std::begin(no_fault), std::end(no_fault), reason) == std::end(no_fault);
  return {false, is_fault ? policy.fault_rest : milliseconds{0}};
}

} // namespace switchboard::telephony
