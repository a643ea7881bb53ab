#include <gtest/gtest.h>

#include <map>

#include "actors/queue/queue_rules.hpp"

namespace switchboard::telephony {
namespace {

time_point at(int ms) { return time_point{milliseconds{ms}}; }

queue_caller caller(const char* id, caller_phase phase, const char* agent = "") {
  queue_caller made;
  made.id = id;
  made.phase = phase;
  made.agent_id = agent;
  return made;
}

TEST(next_caller, is_the_first_who_waits) {
  std::vector<queue_caller> callers{caller("1", caller_phase::initiating), caller("2", caller_phase::offered, "a"),
                                    caller("3", caller_phase::waiting), caller("4", caller_phase::waiting)};
  EXPECT_EQ(next_caller(callers)->id, "3");
  callers.resize(2);
  EXPECT_EQ(next_caller(callers), nullptr);
}

TEST(next_agent, is_the_one_who_idles_longest_and_is_not_engaged_here) {
  const std::vector<queue_agent> agents{{"young", "available", at(30), 1}, {"old", "available", at(10), 1},
                                        {"oldest", "busy", at(1), 1},      {"away", "away", at(1), 1},
                                        {"unknown", "unknown", at(0), -1}, {"engaged", "available", at(2), 1}};
  const std::vector<queue_caller> callers{caller("1", caller_phase::dialing, "engaged")};
  EXPECT_EQ(next_agent(routing_method::longest_idle, agents, callers, 99)->agent_id, "old");
  EXPECT_EQ(next_agent(routing_method::longest_idle, {}, callers, 0), nullptr);
  EXPECT_EQ(next_agent(routing_method::random, {agents[2]}, callers, 0), nullptr);
}

TEST(next_agent, of_equals_is_the_first_in_the_list) {
  const std::vector<queue_agent> agents{{"b", "available", at(10), 1}, {"a", "available", at(10), 1}};
  EXPECT_EQ(next_agent(routing_method::longest_idle, agents, {}, 1)->agent_id, "b");
}

TEST(next_agent, at_random_is_anybody_available) {
  const std::vector<queue_agent> agents{{"a", "available", at(1), 1},
                                        {"x", "busy", at(1), 1},
                                        {"b", "available", at(2), 1},
                                        {"c", "available", at(3), 1}};
  std::map<std::string, int> drawn;
  for (std::uint64_t dice = 0; dice < 300; ++dice)
    ++drawn[next_agent(routing_method::random, agents, {}, dice)->agent_id];
  EXPECT_EQ(drawn, (std::map<std::string, int>{{"a", 100}, {"b", 100}, {"c", 100}}));
}

} // namespace
} // namespace switchboard::telephony
