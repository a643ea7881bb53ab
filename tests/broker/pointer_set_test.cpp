#include "broker/pointer_set.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace switchboard::broker {
namespace {

TEST(pointer_set, takes_each_pointer_once_however_many_there_are) {
  pointer_set set;
  const std::vector<int> things(5000);
  for (int round = 0; round < 3; ++round) {
    for (const auto& each : things)
      ASSERT_TRUE(set.insert(&each));
    for (const auto& each : things)
      ASSERT_FALSE(set.insert(&each));
    EXPECT_EQ(set.size(), things.size());
    set.clear();
    EXPECT_EQ(set.size(), 0u);
  }
}

TEST(pointer_set, keeps_working_while_small_walks_give_its_room_back) {
  pointer_set set;
  const std::vector<int> things(2000);
  for (const auto& each : things)
    set.insert(&each);
  for (int round = 0; round < 20; ++round) {
    set.clear();
    for (int i = 0; i < 5; ++i)
      ASSERT_TRUE(set.insert(&things[static_cast<std::size_t>(i)]));
    ASSERT_FALSE(set.insert(&things[0]));
  }
}

} // namespace
} // namespace switchboard::broker
