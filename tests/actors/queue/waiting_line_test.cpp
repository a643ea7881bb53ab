// Who is next: priority that ages, skills that relax, and the index against a reference that looks at everybody.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "actors/queue/waiting_line.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;

time_point t(milliseconds since) { return time_point{since}; }

waiting_line plain(milliseconds ageing = 60s, std::vector<relaxation_step> steps = {}) {
  return waiting_line{routing_method::longest_idle, ageing, std::move(steps)};
}

/// Serves everybody: the order in which they come to the front.
std::vector<std::uint32_t> order_of(waiting_line line, time_point now) {
  line.put_agent(0, {.place = {0, 1}, .skills = {{"french", 10}}});
  std::vector<std::uint32_t> order;
  while (const auto next = line.next(now)) {
    order.push_back(*next);
    line.erase_caller(*next);
  }
  return order;
}

TEST(waiting_line, is_first_come_first_served_among_equals) {
  auto line = plain();
  line.put_caller(7, {.number = 1, .joined = t(5s)}, t(5s));
  line.put_caller(3, {.number = 2, .joined = t(5s)}, t(5s));
  line.put_caller(1, {.number = 3, .joined = t(4s)}, t(5s));
  EXPECT_EQ(order_of(line, t(5s)), (std::vector<std::uint32_t>{1, 7, 3}));
}

TEST(waiting_line, a_step_of_priority_is_worth_its_time_of_waiting) {
  auto line = plain(60s);
  line.put_caller(1, {.number = 1, .joined = t(0s)}, t(0s));
  line.put_caller(2, {.number = 2, .priority = 1, .joined = t(59s)}, t(59s));
  line.put_caller(3, {.number = 3, .priority = 1, .joined = t(60s)}, t(60s));
  line.put_caller(4, {.number = 4, .priority = 1, .joined = t(61s)}, t(61s));
  EXPECT_EQ(order_of(line, t(61s)), (std::vector<std::uint32_t>{2, 1, 3, 4})) << "equal ones as they came";
}

TEST(waiting_line, without_ageing_priority_alone_decides) {
  auto line = plain(0s);
  line.put_caller(1, {.number = 1, .joined = t(0s)}, t(0s));
  line.put_caller(2, {.number = 2, .priority = 1, .joined = t(24h)}, t(24h));
  EXPECT_EQ(order_of(line, t(24h)), (std::vector<std::uint32_t>{2, 1}));
}

TEST(waiting_line, whoever_has_an_offer_and_wants_more_comes_after_those_with_none) {
  auto line = plain();
  line.put_caller(1, {.number = 1, .joined = t(0s), .has_offer = true}, t(0s));
  line.put_caller(2, {.number = 2, .joined = t(9s)}, t(9s));
  EXPECT_EQ(order_of(line, t(9s)), (std::vector<std::uint32_t>{2, 1}));
}

TEST(waiting_line, a_caller_nobody_qualifies_for_does_not_hold_up_the_others) {
  auto line = plain();
  line.put_caller(1, {.number = 1, .joined = t(0s), .required = {{"welsh", 1}}}, t(0s));
  line.put_caller(2, {.number = 2, .joined = t(1s)}, t(1s));
  EXPECT_EQ(order_of(line, t(1s)), (std::vector<std::uint32_t>{2}));
}

TEST(waiting_line, what_is_required_relaxes_by_steps_of_waiting_until_nothing_is) {
  const std::vector<relaxation_step> steps{{30s, 2}, {60s, 5}, {90s, 10}};
  const skill_levels required{{"french", 6}, {"sales", 3}};
  EXPECT_EQ(relaxed(required, steps, 29s), required);
  EXPECT_EQ(relaxed(required, steps, 30s), (skill_levels{{"french", 4}, {"sales", 1}}));
  EXPECT_EQ(relaxed(required, steps, 89s), (skill_levels{{"french", 1}}));
  EXPECT_EQ(relaxed(required, steps, 90s), skill_levels{});

  auto line = plain(60s, steps);
  line.put_agent(0, {.place = {0, 1}, .skills = {{"french", 4}}});
  line.put_caller(1, {.number = 1, .joined = t(0s), .required = {{"french", 6}}}, t(0s));
  EXPECT_EQ(line.next(t(0s)), std::nullopt);
  EXPECT_EQ(line.next(t(30s)), 1U);
  EXPECT_EQ(next_relaxation(steps, t(0s), t(0s)), t(30s));
  EXPECT_EQ(next_relaxation(steps, t(0s), t(30s)), t(60s));
  EXPECT_EQ(next_relaxation(steps, t(0s), t(90s)), std::nullopt);
}

TEST(waiting_line, a_freed_agent_opens_the_rows_it_can_serve) {
  auto line = plain();
  line.put_caller(1, {.number = 1, .joined = t(0s), .required = {{"french", 6}}}, t(0s));
  line.put_caller(2, {.number = 2, .joined = t(1s)}, t(1s));
  EXPECT_EQ(line.next(t(1s)), std::nullopt);
  line.put_agent(0, {.place = {0, 1}});
  EXPECT_EQ(line.next(t(1s)), 2U);
  line.put_agent(1, {.place = {0, 2}, .skills = {{"french", 6}}});
  EXPECT_EQ(line.next(t(1s)), 1U);
  EXPECT_EQ(line.choose(1, 5, {}, {}, {}), (std::vector<std::uint32_t>{1}));
}

/// Looks at every caller and every agent.
struct plain_reference {
  milliseconds ageing{};
  std::vector<relaxation_step> steps;
  std::map<std::uint32_t, waiting_caller> callers;
  std::map<std::uint32_t, free_agent> agents;

  bool serves(const free_agent& agent, const waiting_caller& caller, time_point now) const {
    int by = 0;
    for (const auto& step : steps)
      by = now - caller.joined >= step.after ? step.lower_by : by;
    for (const auto& [name, level] : caller.required) {
      bool has = level - by <= 0;
      for (const auto& [mine, mine_level] : agent.skills)
        has = has || (mine == name && mine_level >= level - by);
      if (!has)
        return false;
    }
    return true;
  }
  std::optional<std::uint32_t> next(time_point now) const {
    std::optional<std::uint32_t> best;
    for (const auto& [who, caller] : callers) {
      bool can = false;
      for (const auto& [handle, agent] : agents)
        can = can || serves(agent, caller, now);
      if (can && (!best || is_before(caller, callers.at(*best))))
        best = who;
    }
    return best;
  }
  bool is_before(const waiting_caller& a, const waiting_caller& b) const {
    if (a.has_offer != b.has_offer)
      return b.has_offer;
    if (ageing == 0s && a.priority != b.priority)
      return a.priority > b.priority;
    const auto since_a = a.joined - a.priority * ageing, since_b = b.joined - b.priority * ageing;
    return since_a != since_b ? since_a < since_b : a.number < b.number;
  }
};

TEST(waiting_line, is_the_reference_whatever_happens) {
  const char* const names[] = {"french", "sales", "tech", "billing"};
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    std::mt19937_64 dice{seed};
    const auto roll = [&](std::uint64_t sides) { return dice() % sides; };
    const auto skills = [&](std::uint64_t one_in) {
      skill_levels made;
      for (const auto* name : names) {
        if (roll(one_in) == 0)
          made.emplace_back(name, 1 + static_cast<int>(roll(10)));
      }
      return made;
    };
    plain_reference wanted{roll(3) ? 10s : 0s, {}, {}, {}};
    if (roll(3))
      wanted.steps = {{20s, 2}, {40s, 4}, {60s, 10}};
    waiting_line line{routing_method::longest_idle, wanted.ageing, wanted.steps};
    time_point now{1h};
    std::uint64_t number = 0;
    for (int step = 0; step < 400; ++step) {
      const auto who = static_cast<std::uint32_t>(roll(40));
      switch (roll(7)) {
      case 0:
      case 1: {
        const waiting_caller caller{++number, static_cast<int>(roll(4)), now, roll(5) == 0, skills(3)};
        line.put_caller(who, caller, now);
        wanted.callers[who] = caller;
        break;
      }
      case 2:
        line.erase_caller(who);
        wanted.callers.erase(who);
        break;
      case 3: {
        const free_agent agent{.place = {0, ++number}, .skills = skills(2)};
        line.put_agent(who, agent);
        wanted.agents[who] = agent;
        break;
      }
      case 4:
        line.erase_agent(who);
        wanted.agents.erase(who);
        break;
      case 5:
        now += milliseconds{roll(15000)};
        break;
      default: { // as the queue does: whoever is next gets an agent, until nobody can
        while (const auto next = line.next(now)) {
          ASSERT_EQ(next, wanted.next(now)) << "seed " << seed << " step " << step;
          const auto chosen = line.choose(*next, 1, {}, {}, dice);
          ASSERT_EQ(chosen.size(), 1U);
          ASSERT_TRUE(wanted.serves(wanted.agents.at(chosen[0]), wanted.callers.at(*next), now));
          line.erase_agent(chosen[0]);
          line.erase_caller(*next);
          wanted.agents.erase(chosen[0]);
          wanted.callers.erase(*next);
        }
        ASSERT_EQ(wanted.next(now), std::nullopt) << "seed " << seed << " step " << step;
      }
      }
      if (roll(4) == 0) {
        ASSERT_EQ(line.next(now), wanted.next(now)) << "seed " << seed << " step " << step;
      }
      ASSERT_EQ(line.callers(), wanted.callers.size());
      ASSERT_EQ(line.agents(), wanted.agents.size());
    }
  }
}

} // namespace
} // namespace switchboard::telephony
