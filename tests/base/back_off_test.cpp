#include "base/back_off.hpp"

#include <gtest/gtest.h>

#include <set>

namespace switchboard {
namespace {

using namespace std::chrono_literals;

TEST(jittered, strays_by_a_tenth_either_way) {
  EXPECT_EQ(jittered(10s, 1000), 10s);
  EXPECT_EQ(jittered(10s, 0), 9s);
  EXPECT_EQ(jittered(10s, 2000), 11s);
  EXPECT_EQ(jittered(0ms, 0), 0ms);
  constexpr auto long_time = std::chrono::hours{24 * 365 * 10};
  EXPECT_GT(jittered(long_time, 2000), long_time);
  EXPECT_LT(jittered(long_time, 0), long_time);
}

TEST(back_off, doubles_up_to_its_limit) {
  constexpr back_off exact{100ms, 1s, 0};
  EXPECT_EQ(exact.delay(0, 7), 100ms);
  EXPECT_EQ(exact.delay(1, 7), 200ms);
  EXPECT_EQ(exact.delay(3, 7), 800ms);
  EXPECT_EQ(exact.delay(4, 7), 1s);
  EXPECT_EQ(exact.delay(4'000'000'000U, 7), 1s);
}

TEST(back_off, jitter_only_shortens_and_by_no_more_than_its_share) {
  constexpr back_off shaky{100ms, 1s, 20};
  std::set<milliseconds> seen;
  for (std::uint64_t random = 0; random < 1000; ++random)
    seen.insert(shaky.delay(4, random));
  EXPECT_EQ(*seen.begin(), 800ms);
  EXPECT_EQ(*seen.rbegin(), 1s);
  EXPECT_EQ(seen.size(), 201U);
}

TEST(back_off, survives_odd_settings) {
  EXPECT_EQ((back_off{0ms, 5ms, 0}.delay(10, 0)), 5ms);
  EXPECT_EQ((back_off{100ms, 10ms, 0}.delay(0, 0)), 10ms);
  EXPECT_GE((back_off{100ms, 1s, 900}.delay(0, ~std::uint64_t{0})), 0ms);
}

} // namespace
} // namespace switchboard
