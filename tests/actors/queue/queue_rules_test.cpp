#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/queue/queue_rules.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;
using ::testing::UnorderedElementsAre;

queue_caller caller(const char* id, caller_phase phase, std::uint64_t number, int priority = 0) {
  queue_caller made;
  made.id = id;
  made.phase = phase;
  made.number = number;
  made.priority = priority;
  made.joined = time_point{1h};
  return made;
}

TEST(engaged_agents, are_those_asked_and_those_who_talk_without_a_reservation) {
  std::vector<queue_caller> callers{caller("1", caller_phase::dialing, 1), caller("2", caller_phase::service, 2),
                                    caller("3", caller_phase::service, 3), caller("4", caller_phase::waiting, 4)};
  callers[0].offers = {{"o1", 1, "asked", ""}, {"o2", 2, "rings", "leg"}};
  callers[1].agent_id = "reserved"; // its own news say whether one more fits
  callers[1].offer_id = "o3";
  callers[2].agent_id = "unreserved";
  EXPECT_THAT(engaged_agents(callers), UnorderedElementsAre("asked", "rings", "unreserved"));
}

TEST(has_tag, wants_any_of_them_and_nothing_where_none_is_asked_for) {
  EXPECT_TRUE(has_tag({}, {}));
  EXPECT_TRUE(has_tag({}, {"a"}));
  EXPECT_TRUE(has_tag({"a", "b"}, {"c", "b"}));
  EXPECT_FALSE(has_tag({"a", "b"}, {"c"}));
  EXPECT_FALSE(has_tag({"a"}, {}));
}

TEST(position_of, counts_who_waits_in_the_order_of_the_line) {
  const std::vector<queue_caller> callers{caller("1", caller_phase::service, 1), caller("2", caller_phase::waiting, 2),
                                          caller("3", caller_phase::offered, 3),
                                          caller("4", caller_phase::waiting, 4, 1),
                                          caller("5", caller_phase::initiating, 5)};
  const auto at = [&](std::size_t i) { return position_of(callers[i], callers, 1min); };
  EXPECT_EQ(at(0), 0U);
  EXPECT_EQ(at(1), 2U);
  EXPECT_EQ(at(2), 3U);
  EXPECT_EQ(at(3), 1U) << "priority";
  EXPECT_EQ(at(4), 0U);
}

TEST(estimated_wait, is_the_mean_talk_for_each_before_shared_by_those_who_work) {
  queue_totals totals;
  EXPECT_EQ(estimated_wait(1, totals, 3), std::nullopt) << "nothing is known yet";
  totals.serviced = 4;
  totals.talk = 400s;
  EXPECT_EQ(estimated_wait(3, totals, 2), 150s);
  EXPECT_EQ(estimated_wait(3, totals, 0), std::nullopt);
}

TEST(agents, who_is_away_or_paused_does_not_work_but_is_logged_in) {
  for (const auto& [status, works, logged_in] : {std::tuple{"available", true, true},
                                                 {"busy", true, true},
                                                 {"wrap_up", true, true},
                                                 {"ringing", true, true},
                                                 {"away", false, true},
                                                 {"paused", false, true},
                                                 {"unknown", false, true},
                                                 {"offline", false, false}}) {
    queue_agent agent;
    agent.status = status;
    EXPECT_EQ(is_working(agent), works) << status;
    EXPECT_EQ(may_be_logged_in(agent), logged_in) << status;
  }
}

} // namespace
} // namespace switchboard::telephony
