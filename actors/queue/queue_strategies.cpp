#include "actors/queue/queue_strategies.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace switchboard::telephony {

namespace {

constexpr std::size_t draws_max = 48; // at random, before everybody is looked at

} // namespace

skill_book::levels skill_book::numbered(const skill_levels& named) {
  levels made;
  for (const auto& [name, level] : named)
    made.emplace_back(numbers_.try_emplace(name, static_cast<std::uint32_t>(numbers_.size())).first->second, level);
  std::sort(made.begin(), made.end());
  return made;
}

bool qualifies(const skill_book::levels& has, const skill_book::levels& required) noexcept {
  auto mine = has.begin();
  for (const auto& [skill, level] : required) {
    while (mine != has.end() && mine->first < skill)
      ++mine;
    if (mine == has.end() || mine->first != skill || mine->second < level)
      return false;
  }
  return true;
}

agent_pool::rank agent_pool::key_of(agent_handle who, const free_agent& agent) const noexcept {
  rank key{agent.penalty, 0, agent.place, who};
  if (method_ == routing_method::longest_idle)
    key.metric = agent.idle_since.time_since_epoch().count();
  else if (method_ == routing_method::fewest_calls)
    key.metric = static_cast<std::int64_t>(agent.calls);
  else if (method_ == routing_method::least_talk_time)
    key.metric = agent.talk_time.count();
  return key;
}

void agent_pool::put(agent_handle who, const free_agent& agent, skill_book& book) {
  erase(who);
  if (who >= agents_.size())
    agents_.resize(who + 1);
  auto& mine = agents_[who];
  mine = {true, key_of(who, agent), book.numbered(agent.skills)};
  everybody_.insert(mine.key);
  for (const auto& [skill, level] : mine.skills) {
    if (skill >= by_skill_.size())
      by_skill_.resize(skill + 1);
    for (int at = 0; at < std::min(level, skill_level_max); ++at)
      by_skill_[skill][static_cast<std::size_t>(at)].insert(mine.key);
  }
}

void agent_pool::erase(agent_handle who) {
  if (!contains(who))
    return;
  auto& mine = agents_[who];
  everybody_.erase(mine.key);
  for (const auto& [skill, level] : mine.skills) {
    for (int at = 0; at < std::min(level, skill_level_max); ++at)
      by_skill_[skill][static_cast<std::size_t>(at)].erase(mine.key);
  }
  mine.here = false;
}

/// Of all indexes that hold everybody who qualifies; nullptr if nobody can.
const agent_pool::ranking* agent_pool::smallest(const skill_book::levels& required) const noexcept {
  const auto* best = &everybody_;
  for (const auto& [skill, level] : required) {
    if (skill >= by_skill_.size() || level > skill_level_max)
      return nullptr;
    const auto& one = by_skill_[skill][static_cast<std::size_t>(std::max(level, 1)) - 1];
    if (one.size() < best->size())
      best = &one;
  }
  return best->empty() ? nullptr : best;
}

bool agent_pool::any(const skill_book::levels& required) const {
  const auto* among = smallest(required);
  if (!among)
    return false;
  return required.size() < 2 || std::any_of(among->begin(), among->end(), [&](const rank& key) {
           return qualifies(agents_[key.who].skills, required);
         });
}

/// One question to the pool. A tier is the part of a ranking with one penalty: [from, from + count).
struct agent_pool::search {
  const agent_pool& pool;
  const ranking& among;
  const skill_book::levels& required;
  std::size_t most;
  std::vector<agent_handle> left_out;
  const std::function<std::uint64_t()>& dice;
  std::vector<agent_handle> chosen{};

  bool enough() const { return chosen.size() >= most; }
  agent_handle at(std::size_t place) const { return among.find_by_order(place)->who; }
  bool may(agent_handle who) const {
    const auto is_in = [who](const auto& list) { return std::find(list.begin(), list.end(), who) != list.end(); };
    return !is_in(left_out) && !is_in(chosen) && (required.size() < 2 || qualifies(pool.agents_[who].skills, required));
  }
  void take_if_free(agent_handle who) {
    if (may(who))
      chosen.push_back(who);
  }

  std::size_t place_of(int tier) const {
    return among.order_of_key({tier, std::numeric_limits<std::int64_t>::min(), {INT64_MIN, 0}, 0});
  }

  void in_order() {
    for (auto one = among.begin(); one != among.end() && !enough(); ++one)
      take_if_free(one->who);
  }

  /// In each tier from the place after `last` on, once round.
  void round(const agent_place& last) {
    for (std::size_t from = 0; from < among.size() && !enough();) {
      const auto tier = among.find_by_order(from)->tier;
      const auto count = place_of(tier + 1) - from;
      const auto start = among.order_of_key({tier, 0, {last.order, last.number + 1}, 0}) - from;
      for (std::size_t i = 0; i < count && !enough(); ++i)
        take_if_free(at(from + (start + i) % count));
      from += count;
    }
  }

  /// Anybody of the tier, all alike. A few draws nearly always do; if most are left out, those who aren't are counted.
  std::optional<agent_handle> anybody(std::size_t from, std::size_t count) const {
    for (std::size_t draw = 0; draw < draws_max; ++draw) {
      if (const auto who = at(from + dice() % count); may(who))
        return who;
    }
    std::vector<agent_handle> those;
    auto one = among.find_by_order(from);
    for (std::size_t i = 0; i < count; ++i, ++one) {
      if (may(one->who))
        those.push_back(one->who);
    }
    if (those.empty())
      return std::nullopt;
    return those[dice() % those.size()];
  }

  void at_random() {
    for (std::size_t from = 0; from < among.size() && !enough();) {
      const auto count = place_of(among.find_by_order(from)->tier + 1) - from;
      if (const auto who = anybody(from, count))
        chosen.push_back(*who);
      else
        from += count;
    }
  }

  double fraction() const { return (static_cast<double>(dice() >> 11) + 0.5) / 9007199254740992.0; } // in (0, 1)

  /// Everybody draws evenly from [0, 1 + penalty); the lowest is asked first. Without drawing for each: the lowest of n
  /// such draws above `floor` is floor + (1 + penalty - floor) × (1 - u^(1/n)), and everybody of the tier is equally
  /// likely to have drawn it. So the draws come up in rising order until enough of who drew them may be asked.
  void by_weight() {
    struct tier {
      std::size_t from, count;
      double scale;
      std::size_t drawn = 0;
      double lowest = 0;
    };
    std::vector<tier> tiers;
    double floor = 0;
    const auto draw_lowest = [&](tier& one) {
      const auto left = static_cast<double>(one.count - one.drawn);
      one.lowest = left == 0 ? std::numeric_limits<double>::infinity()
                             : floor - (one.scale - floor) * std::expm1(std::log(fraction()) / left);
    };
    for (std::size_t from = 0; from < among.size(); from += tiers.back().count) {
      const auto penalty = among.find_by_order(from)->tier;
      tiers.push_back({from, place_of(penalty + 1) - from, 1.0 + std::max(penalty, 0)});
      draw_lowest(tiers.back());
    }
    std::vector<agent_handle> seen;
    while (!enough() && seen.size() < std::min(draws_max, among.size())) {
      auto& one = *std::min_element(tiers.begin(), tiers.end(),
                                    [](const auto& a, const auto& b) { return a.lowest < b.lowest; });
      agent_handle who{};
      do
        who = at(one.from + dice() % one.count);
      while (std::find(seen.begin(), seen.end(), who) != seen.end());
      seen.push_back(who);
      take_if_free(who);
      floor = one.lowest;
      ++one.drawn;
      draw_lowest(one);
    }
    if (!enough() && seen.size() < among.size())
      draw_for_each(floor, seen);
  }

  /// The rest of them, who all drew more than `floor`.
  void draw_for_each(double floor, const std::vector<agent_handle>& seen) {
    std::vector<std::pair<double, agent_handle>> drawn;
    for (const auto& one : among) {
      if (may(one.who) && std::find(seen.begin(), seen.end(), one.who) == seen.end())
        drawn.emplace_back(floor + fraction() * (1.0 + std::max(one.tier, 0) - floor), one.who);
    }
    const auto count = std::min(most - chosen.size(), drawn.size());
    std::partial_sort(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(count), drawn.end());
    for (std::size_t i = 0; i < count; ++i)
      chosen.push_back(drawn[i].second);
  }

  void run(routing_method method, const agent_place& last) {
    switch (method) {
    case routing_method::random:
      return at_random();
    case routing_method::weighted_random:
      return by_weight();
    case routing_method::round_robin:
      return round(last);
    case routing_method::longest_idle:
    case routing_method::ring_all:
    case routing_method::fewest_calls:
    case routing_method::least_talk_time:
    case routing_method::linear:
      return in_order();
    }
  }
};

std::vector<agent_pool::agent_handle> agent_pool::choose(const skill_book::levels& required, std::size_t most,
                                                         const std::vector<agent_handle>& tried,
                                                         const agent_place& last,
                                                         const std::function<std::uint64_t()>& dice) const {
  const auto* among = smallest(required);
  if (!among || most == 0)
    return {};
  search first{*this, *among, required, most, tried, dice};
  first.run(method_, last);
  if (!first.chosen.empty() || tried.empty())
    return std::move(first.chosen);
  search again{*this, *among, required, most, {}, dice}; // everybody was asked: from the beginning
  again.run(method_, last);
  return std::move(again.chosen);
}

} // namespace switchboard::telephony
