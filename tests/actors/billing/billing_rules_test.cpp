#include "actors/billing/billing_rules.hpp"

#include <gtest/gtest.h>

#include <random>

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;

rate by_minute() { return {rate_kind::call, "+1", 60'000, 0, 0, 60}; }
rate by_second() { return {rate_kind::call, "+1", 100, 500, 30, 1}; } // 1 2/3 micro units a second

TEST(find_rate, takes_the_longest_prefix_of_its_kind) {
  const std::vector<rate> rates{{rate_kind::call, "+1", 1},
                                {rate_kind::call, "+1555", 2},
                                {rate_kind::call, "", 3},
                                {rate_kind::sms, "+1555", 4},
                                {rate_kind::incoming, "+49", 5}};
  const auto price = [&](rate_kind kind, const char* number) {
    const auto* found = find_rate(rates, kind, number);
    return found ? found->price_micro : -1;
  };
  EXPECT_EQ(price(rate_kind::call, "+15559876543"), 2);
  EXPECT_EQ(price(rate_kind::call, "+1555"), 2);
  EXPECT_EQ(price(rate_kind::call, "+15449876543"), 1);
  EXPECT_EQ(price(rate_kind::call, "+4930123456"), 3);
  EXPECT_EQ(price(rate_kind::call, ""), 3);
  EXPECT_EQ(price(rate_kind::sms, "+15559876543"), 4);
  EXPECT_EQ(price(rate_kind::sms, "+15449876543"), -1);
  EXPECT_EQ(price(rate_kind::incoming, "+4930123456"), 5);
  EXPECT_EQ(price(rate_kind::incoming, "+15559876543"), -1);
}

TEST(call_cost, counts_begun_steps_after_the_minimum) {
  const struct {
    rate of;
    milliseconds length;
    std::int64_t seconds;
    micros cost;
  } table[] = {
      {by_minute(), 0ms, 0, 0},           {by_minute(), 1ms, 60, 60'000},
      {by_minute(), 60s, 60, 60'000},     {by_minute(), 60001ms, 120, 120'000},
      {by_minute(), 1h, 3600, 3'600'000}, {by_second(), 0ms, 30, 550},
      {by_second(), 29s, 30, 550},        {by_second(), 30s, 30, 550},
      {by_second(), 30001ms, 31, 552},    {by_second(), 60s, 60, 600},
      {by_second(), 61s, 61, 602},        {by_second(), -5s, 30, 550},
  };
  for (const auto& row : table) {
    EXPECT_EQ(rated_seconds(row.of, row.length), row.seconds) << row.length.count();
    EXPECT_EQ(call_cost(row.of, row.length), row.cost) << row.length.count();
  }
  const rate dearest{rate_kind::call, "", price_max, price_max, 3600, 3600};
  EXPECT_GT(call_cost(dearest, rated_max), 0) << "the dearest call of the greatest length does not overflow";
  EXPECT_EQ(call_cost(dearest, rated_max), call_cost(dearest, milliseconds{INT64_MAX}));
}

TEST(sms_cost, counts_segments) {
  EXPECT_EQ(sms_cost({rate_kind::sms, "", 7500, 100}, 3), 22'600);
  EXPECT_EQ(sms_cost({rate_kind::sms, "", 7500, 100}, 0), 100);
  EXPECT_EQ(sms_cost({rate_kind::sms, "", 7500, 100}, -4), 100);
}

TEST(affordable, is_the_longest_call_that_money_pays) {
  EXPECT_EQ(affordable(by_minute(), 59'999), 0s);
  EXPECT_EQ(affordable(by_minute(), 60'000), 60s);
  EXPECT_EQ(affordable(by_minute(), 179'999), 120s);
  EXPECT_EQ(affordable(by_second(), 549), 0s);
  EXPECT_EQ(affordable(by_second(), 550), 30s);
  EXPECT_EQ(affordable(by_second(), 552), 31s);
  EXPECT_EQ(affordable(by_second(), -1), 0s);
  const rate flat{rate_kind::call, "", 0, 500};
  EXPECT_EQ(affordable(flat, 499), 0s);
  EXPECT_EQ(affordable(flat, 500), std::nullopt);
}

TEST(affordable, agrees_with_the_cost_whatever_the_rate) {
  std::mt19937_64 dice{1};
  const auto roll = [&](std::int64_t sides) {
    return static_cast<std::int64_t>(dice() % static_cast<std::uint64_t>(sides));
  };
  for (int i = 0; i < 100'000; ++i) {
    const rate of{rate_kind::call, "", 1 + roll(i % 2 ? 1000 : price_max), roll(1000), roll(120), 1 + roll(90)};
    const auto money = roll(i % 3 ? 100'000 : money_max);
    const auto span = affordable(of, money);
    ASSERT_TRUE(span);
    if (*span == rated_max)
      continue;
    ASSERT_TRUE(*span == 0ms || call_cost(of, *span) <= money);
    ASSERT_GT(call_cost(of, *span + 1ms), money) << of.price_micro << " " << of.minimum_s << " " << of.increment_s;
  }
}

} // namespace
} // namespace switchboard::telephony
