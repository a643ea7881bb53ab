// Which agent of those who may: the strategies, over an index that answers without looking at every agent. Pure.
//
// The names and their meaning are the field's. Asterisk's are described in configs/samples/queues.conf.sample of
// github.com/asterisk/asterisk, FreeSWITCH's in mod_callcenter's page (developer.signalwire.com/freeswitch,
// FreeSWITCH-Explained/Modules/mod_callcenter). In all of them a lower penalty (FreeSWITCH: tier level) comes first.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>

#include "base/time.hpp"

namespace switchboard::telephony {

enum class routing_method {
  longest_idle,    ///< the oldest status (leastrecent; longest-idle-agent)
  random,          ///< anybody of the lowest penalty: the only method VoIPBIN has (random)
  ring_all,        ///< all at once, as many as may ring (ringall; ring-all)
  fewest_calls,    ///< the fewest completed calls from this queue (fewestcalls; agent-with-fewest-calls)
  least_talk_time, ///< the least time in talks of this queue (agent-with-least-talk-time)
  round_robin,     ///< who comes after the last one asked, in the agents' order (rrmemory, rrordered; round-robin)
  linear, ///< the agents' order from its start, for each caller (linear; top-down, sequentially-by-agent-order)
  weighted_random, ///< each draws from 0 to 1000 × (1 + penalty), the lowest wins; no tiers here (wrandom)
};
constexpr std::array<std::string_view, 8> names_of(routing_method) {
  return {"longest_idle",    "random",      "ring_all", "fewest_calls",
          "least_talk_time", "round_robin", "linear",   "weighted_random"};
}

inline constexpr int skill_level_max = 10;

/// Skills by name with levels from 1 to skill_level_max, in the order of their names.
using skill_levels = std::vector<std::pair<std::string, int>>;

/// Where an agent stands in the queue's list; `number` is unique and grows.
struct agent_place {
  std::int64_t order = 0;
  std::uint64_t number = 0;
  friend auto operator<=>(const agent_place&, const agent_place&) = default;
};

/// An agent who may be offered a call now.
struct free_agent {
  agent_place place;
  int penalty = 0;
  time_point idle_since{};
  std::uint64_t calls = 0; ///< completed
  milliseconds talk_time{};
  skill_levels skills;
};

/// Skills as numbers, so that comparing them is cheap.
class skill_book {
public:
  using levels = std::vector<std::pair<std::uint32_t, int>>; ///< by number
  levels numbered(const skill_levels& named);
  std::size_t size() const noexcept { return numbers_.size(); }

private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

/// Has each required skill at the required level or above.
bool qualifies(const skill_book::levels& has, const skill_book::levels& required) noexcept;

/// The free agents of one queue. A value; `agent_handle`s are the owner's own small numbers (an index into a vector).
/// put, erase: O(log n) for each level of each skill. choose: O(log n) for a caller with at most one skill; with more
/// it walks the agents of the rarest skill until enough of them have the others too.
class agent_pool {
public:
  using agent_handle = std::uint32_t;

  explicit agent_pool(routing_method method) : method_(method) {}

  /// Adds or replaces.
  void put(agent_handle who, const free_agent& agent, skill_book& book);
  /// Harmless if it isn't there.
  void erase(agent_handle who);
  bool contains(agent_handle who) const noexcept { return who < agents_.size() && agents_[who].here; }
  std::size_t size() const noexcept { return everybody_.size(); }
  const skill_book::levels& skills(agent_handle who) const noexcept { return agents_[who].skills; }

  /// Whether anybody has these skills.
  bool any(const skill_book::levels& required) const;

  /// At most `most` agents in the order they are to be asked. Who was `tried` already is left out while there is
  /// anybody else. `last`: the place last asked, for round_robin. `dice`: for the random ones.
  std::vector<agent_handle> choose(const skill_book::levels& required, std::size_t most,
                                   const std::vector<agent_handle>& tried, const agent_place& last,
                                   const std::function<std::uint64_t()>& dice) const;

private:
  struct rank {
    int tier;
    std::int64_t metric;
    agent_place place;
    agent_handle who;
    friend auto operator<=>(const rank&, const rank&) = default;
  };
  // Balanced, and it knows the n-th: a draw at random needs no walk.
  using ranking = __gnu_pbds::tree<rank, __gnu_pbds::null_type, std::less<rank>, __gnu_pbds::rb_tree_tag,
                                   __gnu_pbds::tree_order_statistics_node_update>;
  struct entry {
    bool here = false;
    rank key{};
    skill_book::levels skills;
  };
  struct search; ///< one call of choose

  rank key_of(agent_handle who, const free_agent& agent) const noexcept;
  const ranking* smallest(const skill_book::levels& required) const noexcept;

  routing_method method_;
  std::vector<entry> agents_;
  ranking everybody_;
  std::vector<std::array<ranking, skill_level_max>> by_skill_; ///< [skill][level - 1]: who has at least that level
};

} // namespace switchboard::telephony
