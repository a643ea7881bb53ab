// The strategies: what Asterisk and FreeSWITCH say of theirs as cases, and each against a reference that sorts.
// Asterisk: configs/samples/queues.conf.sample (github.com/asterisk/asterisk). FreeSWITCH: mod_callcenter, table of
// strategies (developer.signalwire.com/freeswitch, FreeSWITCH-Explained/Modules/mod_callcenter).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "actors/queue/queue_strategies.hpp"
#include "sdk/names.hpp"

namespace switchboard::telephony {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using handles = std::vector<agent_pool::agent_handle>;

/// Agents a, b, c … in the order they were put in.
struct desk {
  explicit desk(routing_method method, std::uint64_t seed = 1) : pool(method), dice(seed) {}

  void put(char name, free_agent agent) {
    const auto who = static_cast<agent_pool::agent_handle>(name - 'a');
    if (agent.place == agent_place{})
      agent.place = {0, who + 1U};
    pool.put(who, agent, book);
    places[name] = agent.place;
  }
  std::string ask(std::size_t most = 1, const std::string& tried = {}, const skill_levels& required = {}) {
    handles done;
    for (const auto one : tried)
      done.push_back(static_cast<agent_pool::agent_handle>(one - 'a'));
    std::string names;
    for (const auto who : pool.choose(book.numbered(required), most, done, last, [this] { return dice(); }))
      names += static_cast<char>('a' + who);
    if (!names.empty())
      last = places[names.back()];
    return names;
  }
  std::string ask_twice() {
    auto asked = ask();
    return asked += ask();
  }
  /// What a pass of single offers is like if nobody answers.
  std::string pass(std::size_t count) {
    std::string asked;
    for (std::size_t i = 0; i < count; ++i)
      asked += ask(1, asked);
    return asked;
  }

  agent_pool pool;
  skill_book book;
  std::mt19937_64 dice;
  agent_place last;
  std::map<char, agent_place> places;
};

time_point at(int ms) { return time_point{milliseconds{ms}}; }

// -- Asterisk ---------------------------------------------------------------------------------------------------------

TEST(asterisk, ringall_rings_all_available_until_one_answers) {
  desk d{routing_method::ring_all};
  for (const auto name : {'a', 'b', 'c'})
    d.put(name, {});
  EXPECT_EQ(d.ask(50), "abc");
  d.pool.erase(1);
  EXPECT_EQ(d.ask(50), "ac");
}

TEST(asterisk, leastrecent_rings_who_was_hung_up_least_recently) {
  desk d{routing_method::longest_idle};
  d.put('a', {.idle_since = at(300)});
  d.put('b', {.idle_since = at(100)});
  d.put('c', {.idle_since = at(200)});
  EXPECT_EQ(d.ask(), "b");
  EXPECT_EQ(d.pass(3), "bca");
}

TEST(asterisk, fewestcalls_rings_the_one_with_fewest_completed_calls_from_this_queue) {
  desk d{routing_method::fewest_calls};
  d.put('a', {.calls = 7});
  d.put('b', {.calls = 5});
  d.put('c', {.calls = 6});
  EXPECT_EQ(d.ask(), "b");
  d.put('b', {.calls = 6});
  EXPECT_EQ(d.ask(), "b") << "equal ones by their order";
  d.put('b', {.calls = 7});
  EXPECT_EQ(d.ask(), "c");
}

TEST(asterisk, random_rings_anybody_and_everybody_alike) {
  desk d{routing_method::random};
  for (const auto name : {'a', 'b', 'c', 'd'})
    d.put(name, {});
  std::map<std::string, int> asked;
  for (int i = 0; i < 40000; ++i)
    ++asked[d.ask()];
  ASSERT_EQ(asked.size(), 4U);
  for (const auto& [name, times] : asked)
    EXPECT_NEAR(times, 10000, 400) << name;
}

TEST(asterisk, rrmemory_remembers_where_it_left_off_last_ring_pass) {
  desk d{routing_method::round_robin};
  for (const auto name : {'a', 'b', 'c'})
    d.put(name, {});
  EXPECT_EQ(d.ask_twice(), "ab");
  EXPECT_EQ(d.ask_twice(), "ca") << "goes on with the third, then with the first";
  d.pool.erase(1);
  EXPECT_EQ(d.ask_twice(), "ca") << "b is away";
  d.put('b', {});
  EXPECT_EQ(d.ask(), "b") << "and back in its old place";
}

TEST(asterisk, linear_rings_in_the_order_given_and_dynamic_members_in_the_order_they_were_added) {
  desk d{routing_method::linear};
  d.put('a', {.place = {0, 9}}); // added last
  d.put('b', {.place = {0, 3}});
  d.put('c', {.place = {0, 5}});
  EXPECT_EQ(d.ask_twice(), "bb") << "each caller begins at the first";
  EXPECT_EQ(d.pass(3), "bca");
  d.put('a', {.place = {-1, 9}}); // an order of its own comes before
  EXPECT_EQ(d.pass(3), "abc");
}

/// "a member with penalty 0 will have a metric somewhere between 0 and 1000, and a member with penalty 1 … 2000, and a
/// member with penalty 2 … 3000": the reference draws these metrics.
TEST(asterisk, wrandom_uses_the_penalty_as_a_weight) {
  const std::map<char, int> penalties{{'a', 0}, {'b', 1}, {'c', 2}, {'d', 2}};
  std::mt19937_64 dice{7};
  std::map<std::string, double> wanted;
  const int draws = 100000;
  for (int i = 0; i < draws; ++i) {
    std::pair<double, char> lowest{1e9, ' '};
    for (const auto& [name, penalty] : penalties)
      lowest = std::min(lowest, {std::uniform_real_distribution<>{0, 1000.0 * (1 + penalty)}(dice), name});
    ++wanted[std::string{lowest.second}];
  }
  for (const std::size_t most : {1U, 2U}) { // by tiers, and by a draw for each
    desk d{routing_method::weighted_random};
    for (const auto& [name, penalty] : penalties)
      d.put(name, {.penalty = penalty});
    std::map<std::string, double> asked;
    for (int i = 0; i < draws; ++i)
      ++asked[d.ask(most).substr(0, 1)];
    for (const auto& [name, times] : wanted)
      EXPECT_NEAR(asked[name], times, 1000) << name << " of " << most;
  }
}

TEST(asterisk, members_with_higher_penalty_are_considered_after_those_with_lower) {
  for (const auto method : {routing_method::longest_idle, routing_method::fewest_calls, routing_method::linear,
                            routing_method::round_robin, routing_method::random, routing_method::least_talk_time}) {
    desk d{method};
    d.put('a', {.penalty = 2, .idle_since = at(1)});
    d.put('b', {.penalty = 1, .idle_since = at(2), .calls = 9, .talk_time = milliseconds{9}});
    d.put('c', {.penalty = 3, .idle_since = at(3)});
    EXPECT_EQ(d.ask(), "b") << sdk::text(method);
    EXPECT_EQ(d.pass(3), "bac") << sdk::text(method);
  }
}

// -- FreeSWITCH -------------------------------------------------------------------------------------------------------

TEST(freeswitch, ring_all_rings_all_agents_simultaneously) {
  desk d{routing_method::ring_all};
  d.put('a', {.penalty = 1}); // a later tier rings too
  d.put('b', {});
  EXPECT_EQ(d.ask(50), "ba");
  EXPECT_EQ(d.ask(1), "b") << "as many as may ring";
}

TEST(freeswitch, longest_idle_agent_takes_the_tier_level_into_account) {
  desk d{routing_method::longest_idle};
  d.put('a', {.penalty = 1, .idle_since = at(1)});
  d.put('b', {.idle_since = at(50)});
  d.put('c', {.idle_since = at(40)});
  EXPECT_EQ(d.pass(3), "cba");
}

TEST(freeswitch, round_robin_rings_in_position_but_remembers_the_last_tried_agent) {
  desk d{routing_method::round_robin};
  d.put('a', {.place = {3, 1}});
  d.put('b', {.place = {1, 2}});
  d.put('c', {.place = {2, 3}});
  std::string asked;
  for (int i = 0; i < 7; ++i)
    asked += d.ask();
  EXPECT_EQ(asked, "bcabcab");
}

TEST(freeswitch, top_down_starts_from_position_1_for_every_member) {
  desk d{routing_method::linear};
  d.put('a', {.place = {2, 1}});
  d.put('b', {.place = {1, 2}});
  EXPECT_EQ(d.pass(2), "ba");
  EXPECT_EQ(d.pass(2), "ba");
}

TEST(freeswitch, agent_with_least_talk_time) {
  desk d{routing_method::least_talk_time};
  d.put('a', {.talk_time = milliseconds{5000}});
  d.put('b', {.talk_time = milliseconds{4999}});
  EXPECT_EQ(d.ask(), "b");
}

TEST(freeswitch, agent_with_fewest_calls_by_level_then_position) {
  desk d{routing_method::fewest_calls};
  d.put('a', {.place = {2, 1}, .calls = 3});
  d.put('b', {.place = {1, 2}, .calls = 3});
  d.put('c', {.penalty = 1});
  EXPECT_EQ(d.pass(3), "bac");
}

TEST(freeswitch, sequentially_by_agent_order_goes_by_tier_and_order) {
  desk d{routing_method::linear};
  d.put('a', {.place = {1, 1}, .penalty = 2});
  d.put('b', {.place = {9, 2}, .penalty = 1});
  d.put('c', {.place = {2, 3}, .penalty = 1});
  EXPECT_EQ(d.pass(3), "cba");
}

TEST(freeswitch, random_is_random_within_the_tier) {
  desk d{routing_method::random};
  d.put('a', {});
  d.put('b', {});
  d.put('c', {.penalty = 1});
  std::map<std::string, int> asked;
  for (int i = 0; i < 20000; ++i)
    ++asked[d.ask()];
  EXPECT_NEAR(asked["a"], 10000, 400);
  EXPECT_NEAR(asked["b"], 10000, 400);
  EXPECT_EQ(asked["c"], 0);
}

// -- what is ours -----------------------------------------------------------------------------------------------------

TEST(agent_pool, asks_who_was_not_tried_yet_and_begins_anew_when_all_were) {
  desk d{routing_method::linear};
  for (const auto name : {'a', 'b', 'c'})
    d.put(name, {});
  EXPECT_EQ(d.ask(1, "a"), "b");
  EXPECT_EQ(d.ask(5, "b"), "ac");
  EXPECT_EQ(d.ask(1, "abc"), "a");
}

TEST(agent_pool, finds_nobody_without_the_skills) {
  desk d{routing_method::longest_idle};
  d.put('a', {.skills = {{"french", 4}, {"sales", 10}}});
  d.put('b', {.skills = {{"french", 5}}});
  EXPECT_EQ(d.ask(5, "", {{"french", 5}}), "b");
  EXPECT_EQ(d.ask(5, "", {{"french", 1}}), "ab");
  EXPECT_EQ(d.ask(5, "", {{"french", 5}, {"sales", 1}}), "");
  EXPECT_EQ(d.ask(5, "", {{"french", 3}, {"sales", 1}}), "a");
  EXPECT_EQ(d.ask(5, "", {{"welsh", 1}}), "");
  EXPECT_EQ(d.ask(5, "", {{"french", 11}}), "");
  d.pool.erase(0);
  EXPECT_EQ(d.ask(5, "", {{"sales", 1}}), "");
}

/// What each strategy says, by sorting everybody.
class reference {
public:
  std::map<agent_pool::agent_handle, free_agent> agents;

  handles sorted(routing_method method, const skill_levels& required, const handles& tried,
                 const agent_place& last) const {
    auto found =
        sort(method, required, last, [&](auto who) { return std::count(tried.begin(), tried.end(), who) == 0; });
    return found.empty() ? sort(method, required, last, [](auto) { return true; }) : found;
  }

private:
  template <class May>
  handles sort(routing_method method, const skill_levels& required, const agent_place& last, May may) const {
    handles found;
    for (const auto& [who, agent] : agents) {
      bool fits = may(who);
      for (const auto& [name, level] : required)
        fits = fits && std::any_of(agent.skills.begin(), agent.skills.end(),
                                   [&](const auto& s) { return s.first == name && s.second >= level; });
      if (fits)
        found.push_back(who);
    }
    std::sort(found.begin(), found.end(), [&](auto x, auto y) { return comes_before(method, last, x, y); });
    return found;
  }
  bool comes_before(routing_method method, const agent_place& last, agent_pool::agent_handle x,
                    agent_pool::agent_handle y) const {
    const auto &a = agents.at(x), &b = agents.at(y);
    if (a.penalty != b.penalty)
      return a.penalty < b.penalty;
    if (method == routing_method::longest_idle && a.idle_since != b.idle_since)
      return a.idle_since < b.idle_since;
    if (method == routing_method::fewest_calls && a.calls != b.calls)
      return a.calls < b.calls;
    if (method == routing_method::least_talk_time && a.talk_time != b.talk_time)
      return a.talk_time < b.talk_time;
    if (method == routing_method::round_robin && (a.place > last) != (b.place > last))
      return a.place > last;
    return a.place < b.place;
  }
};

class strategy : public ::testing::TestWithParam<routing_method> {};

TEST_P(strategy, chooses_as_the_reference_does) {
  const auto method = GetParam();
  const bool by_chance = method == routing_method::random || method == routing_method::weighted_random;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 dice{seed};
    const auto roll = [&](std::uint64_t sides) { return dice() % sides; };
    agent_pool pool{method};
    skill_book book;
    reference wanted;
    std::uint64_t number = 0;
    const char* const names[] = {"french", "sales", "tech"};
    for (int step = 0; step < 300; ++step) {
      const auto who = static_cast<agent_pool::agent_handle>(roll(25));
      if (roll(4) == 0) {
        pool.erase(who);
        wanted.agents.erase(who);
      } else if (roll(2) == 0) {
        free_agent agent{.place = {static_cast<std::int64_t>(roll(4)), ++number},
                         .penalty = static_cast<int>(roll(3)),
                         .idle_since = at(static_cast<int>(roll(5))),
                         .calls = roll(4),
                         .talk_time = milliseconds{roll(4)}};
        for (const auto* name : names) {
          if (roll(2))
            agent.skills.emplace_back(name, 1 + static_cast<int>(roll(10)));
        }
        pool.put(who, agent, book);
        wanted.agents[who] = agent;
      }
      skill_levels required;
      for (const auto* name : names) {
        if (roll(3) == 0)
          required.emplace_back(name, 1 + static_cast<int>(roll(10)));
      }
      handles tried;
      for (std::uint64_t i = roll(4); i > 0; --i)
        tried.push_back(static_cast<agent_pool::agent_handle>(roll(25)));
      const agent_place last{static_cast<std::int64_t>(roll(4)), roll(number + 1)};
      const auto most = 1 + roll(6);
      auto expected = wanted.sorted(method, required, tried, last);
      const auto chosen = pool.choose(book.numbered(required), most, tried, last, dice);
      ASSERT_EQ(pool.any(book.numbered(required)), !expected.empty());
      ASSERT_EQ(chosen.size(), std::min<std::size_t>(most, expected.size())) << "seed " << seed;
      if (by_chance) { // who exactly is the dice's; that they may be asked, and the lowest tiers first, is not
        int tier = -1;
        for (const auto one : chosen) {
          ASSERT_EQ(std::count(chosen.begin(), chosen.end(), one), 1);
          ASSERT_NE(std::find(expected.begin(), expected.end(), one), expected.end());
          if (method == routing_method::random) {
            ASSERT_GE(wanted.agents[one].penalty, tier);
            tier = wanted.agents[one].penalty;
          }
        }
        if (method == routing_method::random && !chosen.empty()) {
          ASSERT_EQ(wanted.agents[chosen.back()].penalty, wanted.agents[expected[chosen.size() - 1]].penalty);
        }
      } else {
        expected.resize(chosen.size());
        ASSERT_EQ(chosen, expected) << "seed " << seed << " step " << step;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(all, strategy,
                         ::testing::Values(routing_method::longest_idle, routing_method::random,
                                           routing_method::ring_all, routing_method::fewest_calls,
                                           routing_method::least_talk_time, routing_method::round_robin,
                                           routing_method::linear, routing_method::weighted_random),
                         [](const auto& info) { return std::string{sdk::text(info.param)}; });

} // namespace
} // namespace switchboard::telephony
