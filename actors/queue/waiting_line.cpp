#include "actors/queue/waiting_line.hpp"

#include <algorithm>

namespace switchboard::telephony {

namespace {

constexpr std::size_t fresh_max = 8; // more of them at once: asking every row costs less than asking for each agent

int lowered_by(const std::vector<relaxation_step>& steps, milliseconds waited) noexcept {
  int by = 0;
  for (const auto& one : steps) {
    if (one.after <= waited)
      by = one.lower_by;
  }
  return by;
}

} // namespace

skill_levels relaxed(const skill_levels& required, const std::vector<relaxation_step>& steps, milliseconds waited) {
  const auto by = lowered_by(steps, waited);
  skill_levels left;
  for (const auto& [name, level] : required) {
    if (level > by)
      left.emplace_back(name, level - by);
  }
  return left;
}

std::optional<time_point> next_relaxation(const std::vector<relaxation_step>& steps, time_point joined,
                                          time_point now) noexcept {
  for (const auto& one : steps) {
    if (joined + one.after > now)
      return joined + one.after;
  }
  return std::nullopt;
}

line_place place_of(const waiting_caller& caller, milliseconds ageing) noexcept {
  const auto joined = caller.joined.time_since_epoch().count();
  const int round = caller.has_offer ? 1 : 0;
  if (ageing.count() == 0)
    return {round, -caller.priority, joined, caller.number};
  return {round, 0, joined - caller.priority * ageing.count(), caller.number};
}

void waiting_line::put_agent(agent_handle who, const free_agent& agent) {
  erase_agent(who);
  pool_.put(who, agent, book_);
  fresh_.push_back(who);
}

void waiting_line::erase_agent(agent_handle who) {
  pool_.erase(who);
  std::erase(fresh_, who);
}

void waiting_line::put_caller(caller_handle who, const waiting_caller& caller, time_point now) {
  erase_caller(who);
  auto& one = places_[who];
  one.caller = caller;
  one.place = place_of(caller, ageing_);
  enter_row(who, one, now);
}

void waiting_line::erase_caller(caller_handle who) {
  const auto found = places_.find(who);
  if (found == places_.end())
    return;
  leave_row(found->second);
  if (found->second.due)
    due_.erase({*found->second.due, who});
  places_.erase(found);
}

std::size_t waiting_line::row_for(const skill_book::levels& required) {
  const auto [found, is_new] = row_numbers_.try_emplace(required, rows_.size());
  if (is_new) {
    rows_.push_back({required, {}, false});
    const std::size_t file = required.empty() ? 0 : required.front().first + 1;
    if (file >= rows_by_skill_.size())
      rows_by_skill_.resize(file + 1);
    rows_by_skill_[file].push_back(found->second);
  }
  return found->second;
}

void waiting_line::enter_row(caller_handle who, standing& one, time_point now) {
  const auto waited = std::max(now - one.caller.joined, milliseconds{0});
  one.row = row_for(book_.numbered(relaxed(one.caller.required, steps_, waited)));
  close(one.row);
  auto& in = rows_[one.row];
  const bool was_empty = in.callers.empty();
  in.callers.emplace(one.place, who);
  in.blocked = in.blocked && !was_empty; // nobody looked while it was empty
  open(one.row);
  one.due = one.caller.required.empty() ? std::nullopt : next_relaxation(steps_, one.caller.joined, now);
  if (one.due)
    due_.emplace(*one.due, who);
}

void waiting_line::leave_row(const standing& one) {
  close(one.row);
  rows_[one.row].callers.erase(one.place);
  open(one.row);
}

void waiting_line::open(std::size_t at) {
  const auto& one = rows_[at];
  if (!one.blocked && !one.callers.empty())
    open_.emplace(one.callers.begin()->first, at);
}

void waiting_line::close(std::size_t at) {
  if (!rows_[at].callers.empty())
    open_.erase({rows_[at].callers.begin()->first, at});
}

void waiting_line::relax(time_point now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const auto who = due_.begin()->second;
    due_.erase(due_.begin());
    auto& one = places_.at(who);
    leave_row(one);
    enter_row(who, one, now);
  }
}

template <class Visit>
void waiting_line::rows_for(agent_handle who, Visit visit) const {
  const auto look = [&](std::size_t file) {
    if (file >= rows_by_skill_.size())
      return;
    for (const auto at : rows_by_skill_[file]) {
      const auto& one = rows_[at];
      if (one.blocked && !one.callers.empty() && qualifies(pool_.skills(who), one.required))
        visit(at);
    }
  };
  look(0);
  for (const auto& [skill, level] : pool_.skills(who))
    look(skill + 1);
}

std::optional<waiting_line::caller_handle> waiting_line::next(time_point now) {
  relax(now);
  if (fresh_.size() > fresh_max) {
    fresh_.clear();
    for (std::size_t at = 0; at < rows_.size(); ++at) {
      rows_[at].blocked = false;
      open(at);
    }
  }
  // A blocked row can only have been freed by a fresh agent; of those rows the first caller stands for all.
  std::optional<std::pair<line_place, std::size_t>> best;
  std::erase_if(fresh_, [&](const auto who) {
    bool serves = false;
    rows_for(who, [&](std::size_t at) {
      serves = true;
      const std::pair head{rows_[at].callers.begin()->first, at};
      best = best ? std::min(*best, head) : head;
    });
    return !serves;
  });
  while (!open_.empty() && (!best || *open_.begin() < *best)) {
    const auto head = *open_.begin();
    if (pool_.any(rows_[head.second].required)) {
      best = head;
      break;
    }
    close(head.second);
    rows_[head.second].blocked = true;
  }
  if (!best)
    return std::nullopt;
  return rows_[best->second].callers.begin()->second;
}

std::vector<waiting_line::agent_handle> waiting_line::choose(caller_handle who, std::size_t most,
                                                             const std::vector<agent_handle>& tried,
                                                             const agent_place& last,
                                                             const std::function<std::uint64_t()>& dice) const {
  const auto found = places_.find(who);
  if (found == places_.end())
    return {};
  return pool_.choose(rows_[found->second.row].required, most, tried, last, dice);
}

} // namespace switchboard::telephony
