#include "actors/queue/queue_rules.hpp"

#include <algorithm>

namespace switchboard::telephony {

bool is_engaged(const std::vector<queue_caller>& callers, std::string_view agent_id) noexcept {
  return std::any_of(callers.begin(), callers.end(), [&](const auto& c) { return c.agent_id == agent_id; });
}

queue_caller* next_caller(std::vector<queue_caller>& callers) noexcept {
  const auto found =
      std::find_if(callers.begin(), callers.end(), [](const auto& c) { return c.phase == caller_phase::waiting; });
  return found == callers.end() ? nullptr : &*found;
}

const queue_agent* next_agent(routing_method method, const std::vector<queue_agent>& agents,
                              const std::vector<queue_caller>& callers, std::uint64_t dice) noexcept {
  const auto is_free = [&](const queue_agent& a) {
    return a.status == "available" && !is_engaged(callers, a.agent_id);
  };
  const auto free = static_cast<std::uint64_t>(std::count_if(agents.begin(), agents.end(), is_free));
  if (free == 0)
    return nullptr;
  auto drawn = dice % free;
  const queue_agent* best = nullptr;
  for (const auto& one : agents) {
    if (!is_free(one))
      continue;
    if (method == routing_method::random && drawn-- == 0)
      return &one;
    if (!best || one.since < best->since)
      best = &one;
  }
  return best;
}

} // namespace switchboard::telephony
