// All armed timers of all entities, by due time and by entity. Pure but for its lock: time comes from outside, and what
// is due is handed out. The store keeps the same timers for the next start; nothing here is written before it is there.
//
//   arm --> waiting --take_due--> fired --disarm (its entity has decided)--> gone
//                                   '---- arm again (the entity re-armed it) --> waiting
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace switchboard::runtime {

/// Tells one arming of a timer from the next one of the same name. Not stored: fresh in every process.
using timer_token = std::uint64_t;

struct armed_timer {
  std::string type; ///< of the entity
  std::string id;
  std::string name;
  std::string payload;
  time_point due{};
  timer_token token = 0;
};

/// Thread-safe.
class timer_table {
public:
  timer_token next_token();
  /// Replaces a timer of that name; its token must be fresh. True if it is now the first to come due.
  bool arm(armed_timer timer);
  /// Forgets the timer if it still is that arming.
  void disarm(const std::string& type, const std::string& id, const std::string& name, timer_token token);

  /// Those due at `now`, by due time; each is handed out once and stays known to of() until it is disarmed.
  std::vector<armed_timer> take_due(time_point now);
  std::optional<time_point> next_due() const;
  /// Name and token of each timer of one entity, fired or not.
  std::vector<std::pair<std::string, timer_token>> of(const std::string& type, const std::string& id) const;
  std::size_t size() const;

private:
  /// "type/id"; an entity has a few timers.
  using entities = std::unordered_map<std::string, std::vector<timer_token>>;
  struct entry {
    entities::pointer entity; ///< stays where it is while it has timers
    std::string name;
    std::string payload;
    time_point due;
    bool fired = false;
  };
  using entries = std::unordered_map<timer_token, entry>;
  armed_timer timer_of(const entries::value_type& of) const;
  void forget(entries::iterator at);

  std::atomic<timer_token> tokens_{0};
  mutable std::mutex mutex_;
  entries timers_;
  entities of_entity_;
  std::set<std::pair<time_point, timer_token>> due_; ///< those that wait
};

} // namespace switchboard::runtime
