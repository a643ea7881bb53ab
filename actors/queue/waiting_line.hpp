// Who is next: the callers who wait and the agents who are free, indexed so that an assignment looks at few of them.
// Pure; the queue builds one of its state, and the bench holds 100,000 callers and 10,000 agents in one.
//
// The line. A step of priority is worth `ageing` of waiting (FreeSWITCH's base score does the same in seconds), so
// callers are ordered by joined - priority × ageing: who stands before whom never changes with time, everybody comes
// to the front some day, and equals are served as they came. Without ageing priority alone decides.
//
// Skills. A caller's required levels are lowered by steps of waiting time; at level 0 the skill isn't required any
// more. Callers with the same requirement stand in one row; only the first of each row can be next. A row nobody free
// qualifies for is `blocked` and not asked again until somebody who does is put into the pool.
#pragma once

#include <map>
#include <set>

#include "actors/queue/queue_strategies.hpp"

namespace switchboard::telephony {

/// From `after` of waiting on, every required level is `lower_by` less than at first.
struct relaxation_step {
  milliseconds after{};
  int lower_by = 0;
};

/// What is still required after `waited`. Steps by rising `after`.
skill_levels relaxed(const skill_levels& required, const std::vector<relaxation_step>& steps, milliseconds waited);

/// When what is required of one who joined then relaxes next; none if it doesn't any more.
std::optional<time_point> next_relaxation(const std::vector<relaxation_step>& steps, time_point joined,
                                          time_point now) noexcept;

/// The key of the line: lower comes first. `number` is unique and grows with each caller.
struct line_place {
  int round = 0; ///< 1: offered already and wants more agents at once; comes after everybody with none
  std::int64_t priority = 0;
  std::int64_t since = 0;
  std::uint64_t number = 0;
  friend auto operator<=>(const line_place&, const line_place&) = default;
};

struct waiting_caller {
  std::uint64_t number = 0;
  int priority = 0; ///< higher is served earlier
  time_point joined{};
  bool has_offer = false;
  skill_levels required;
};

line_place place_of(const waiting_caller& caller, milliseconds ageing) noexcept;

class waiting_line {
public:
  using agent_handle = agent_pool::agent_handle;
  using caller_handle = std::uint32_t; ///< the owner's own small number

  waiting_line(routing_method method, milliseconds ageing, std::vector<relaxation_step> steps)
      : ageing_(ageing), steps_(std::move(steps)), pool_(method) {}

  /// Add or replace; erase is harmless if it isn't there.
  void put_agent(agent_handle who, const free_agent& agent);
  void erase_agent(agent_handle who);
  void put_caller(caller_handle who, const waiting_caller& caller, time_point now);
  void erase_caller(caller_handle who);

  std::size_t callers() const noexcept { return places_.size(); }
  std::size_t agents() const noexcept { return pool_.size(); }

  /// The first in line for whom an agent is free.
  std::optional<caller_handle> next(time_point now);
  /// The agents to ask for this caller, see agent_pool::choose.
  std::vector<agent_handle> choose(caller_handle who, std::size_t most, const std::vector<agent_handle>& tried,
                                   const agent_place& last, const std::function<std::uint64_t()>& dice) const;

private:
  struct row {
    skill_book::levels required;
    std::map<line_place, caller_handle> callers;
    bool blocked = false;
  };
  struct standing {
    waiting_caller caller;
    line_place place;
    std::size_t row;
    std::optional<time_point> due; ///< of the next step
  };

  std::size_t row_for(const skill_book::levels& required);
  void enter_row(caller_handle who, standing& one, time_point now);
  void leave_row(const standing& one);
  void open(std::size_t at);
  void close(std::size_t at);
  void relax(time_point now);
  /// Calls `visit` for each row that this agent could free.
  template <class Visit>
  void rows_for(agent_handle who, Visit visit) const;

  milliseconds ageing_;
  std::vector<relaxation_step> steps_;
  skill_book book_;
  agent_pool pool_;
  std::unordered_map<caller_handle, standing> places_;
  std::vector<row> rows_;
  std::map<skill_book::levels, std::size_t> row_numbers_;
  std::vector<std::vector<std::size_t>> rows_by_skill_; ///< under the first required skill + 1; 0: none required
  std::set<std::pair<line_place, std::size_t>> open_;   ///< first callers of the rows not known to be blocked
  std::vector<agent_handle> fresh_;                     ///< put into the pool since the blocked rows were
  std::set<std::pair<time_point, caller_handle>> due_;
};

} // namespace switchboard::telephony
