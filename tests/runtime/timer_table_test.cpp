#include "runtime/timer_table.hpp"

#include <gmock/gmock.h>

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr time_point noon{1'000'000s};

struct timers : testing::Test {
  timer_table table;

  timer_token arm(std::string id, std::string name, milliseconds after) {
    const auto token = table.next_token();
    first = table.arm({"call", std::move(id), std::move(name), "{}", noon + after, token});
    return token;
  }
  std::vector<std::string> fire(milliseconds after) {
    std::vector<std::string> names;
    for (const auto& timer : table.take_due(noon + after))
      names.push_back(timer.id + "/" + timer.name);
    return names;
  }
  bool first = false;
};

TEST_F(timers, come_due_in_order_of_time) {
  arm("b", "ring", 20ms);
  arm("a", "ring", 10ms);
  arm("a", "late", 30ms);
  EXPECT_THAT(fire(9ms), IsEmpty());
  EXPECT_THAT(fire(25ms), ElementsAre("a/ring", "b/ring"));
  EXPECT_EQ(table.next_due(), noon + 30ms);
}

TEST_F(timers, are_handed_out_once) {
  arm("a", "ring", 0ms);
  EXPECT_THAT(fire(0ms), ElementsAre("a/ring"));
  EXPECT_THAT(fire(1h), IsEmpty());
  EXPECT_EQ(table.next_due(), std::nullopt);
}

TEST_F(timers, tell_whether_they_are_the_first_to_come_due) {
  arm("a", "ring", 20ms);
  EXPECT_TRUE(first);
  arm("b", "ring", 30ms);
  EXPECT_FALSE(first);
  arm("c", "ring", 10ms);
  EXPECT_TRUE(first);
}

TEST_F(timers, of_the_same_name_replace_one_another) {
  arm("a", "ring", 10ms);
  arm("a", "ring", 50ms);
  EXPECT_THAT(fire(20ms), IsEmpty());
  EXPECT_THAT(fire(50ms), ElementsAre("a/ring"));
  EXPECT_EQ(table.size(), 1U);
}

TEST_F(timers, that_fired_are_known_until_they_are_disarmed) {
  const auto token = arm("a", "ring", 0ms);
  fire(0ms);
  EXPECT_THAT(table.of("call", "a"), ElementsAre(Pair("ring", token)));
  table.disarm("call", "a", "ring", token);
  EXPECT_THAT(table.of("call", "a"), IsEmpty());
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(timers, are_not_disarmed_by_an_old_token) {
  const auto old = arm("a", "ring", 0ms);
  fire(0ms);
  arm("a", "ring", 10ms); // the entity armed it anew before the old one was forgotten
  table.disarm("call", "a", "ring", old);
  EXPECT_THAT(fire(10ms), ElementsAre("a/ring"));
}

TEST_F(timers, of_one_entity_are_told_apart_from_those_of_others) {
  arm("a", "ring", 10ms);
  arm("a", "wrap_up", 20ms);
  arm("aa", "ring", 10ms);
  table.arm({"agent", "a", "ring", "{}", noon, table.next_token()});
  EXPECT_THAT(table.of("call", "a"), ElementsAre(Pair("ring", testing::_), Pair("wrap_up", testing::_)));
}

} // namespace
} // namespace switchboard::runtime
