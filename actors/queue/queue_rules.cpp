#include "actors/queue/queue_rules.hpp"

#include <algorithm>

namespace switchboard::telephony {

std::unordered_set<std::string_view> engaged_agents(const std::vector<queue_caller>& callers) {
  std::unordered_set<std::string_view> engaged;
  for (const auto& c : callers) {
    if (c.offer_id.empty() && !c.agent_id.empty())
      engaged.insert(c.agent_id);
    for (const auto& one : c.offers)
      engaged.insert(one.agent_id);
  }
  return engaged;
}

bool has_tag(const std::vector<std::string>& wanted, const std::vector<std::string>& has) noexcept {
  return wanted.empty() || std::find_first_of(has.begin(), has.end(), wanted.begin(), wanted.end()) != has.end();
}

bool may_be_logged_in(const queue_agent& agent) noexcept { return agent.status != "offline"; }

bool is_working(const queue_agent& agent) noexcept {
  return agent.status == "available" || agent.status == "ringing" || agent.status == "busy" ||
         agent.status == "wrap_up";
}

skill_levels levels_of(const std::map<std::string, int>& skills) { return {skills.begin(), skills.end()}; }

waiting_caller standing_of(const queue_caller& caller) {
  return {caller.number, caller.priority, caller.joined, !caller.offers.empty(), levels_of(caller.skills)};
}

std::size_t position_of(const queue_caller& caller, const std::vector<queue_caller>& callers, milliseconds ageing) {
  const auto place = [&](const queue_caller& c) {
    return place_of({c.number, c.priority, c.joined, false, {}}, ageing);
  };
  if (!wants_agent(caller.phase))
    return 0;
  const auto mine = place(caller);
  return 1 + static_cast<std::size_t>(std::count_if(callers.begin(), callers.end(), [&](const auto& c) {
           return wants_agent(c.phase) && place(c) < mine;
         }));
}

std::optional<milliseconds> estimated_wait(std::size_t position, const queue_totals& totals, std::size_t working) {
  if (totals.serviced == 0 || working == 0)
    return std::nullopt;
  const auto mean = totals.talk.count() / static_cast<std::int64_t>(totals.serviced);
  return milliseconds{static_cast<std::int64_t>(position) * mean / static_cast<std::int64_t>(working)};
}

} // namespace switchboard::telephony
