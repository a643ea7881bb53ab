#include "runtime/supervision.hpp"

#include <gtest/gtest.h>

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;

constexpr time_point start{std::chrono::seconds{1'000'000}};
constexpr std::uint64_t no_jitter = 0;

exit_decision fail(restart_history& history, time_point at) {
  return history.on_exit(restart_policy::permanent, true, {}, at, no_jitter);
}

TEST(supervision, a_policy_decides_whether_an_exit_is_answered_by_a_restart) {
  struct {
    restart_policy policy;
    bool failed;
    after_exit expected;
  } const rows[]{
      {restart_policy::permanent, true, after_exit::restart}, {restart_policy::permanent, false, after_exit::restart},
      {restart_policy::transient, true, after_exit::restart}, {restart_policy::transient, false, after_exit::forget},
      {restart_policy::temporary, true, after_exit::forget},  {restart_policy::temporary, false, after_exit::forget},
  };
  for (const auto& row : rows) {
    restart_history history;
    EXPECT_EQ(history.on_exit(row.policy, row.failed, {}, start, no_jitter).what, row.expected);
  }
}

TEST(supervision, waits_double_from_a_tenth_of_a_second) {
  restart_history history;
  for (const auto wait : {100ms, 200ms, 400ms, 800ms, 1600ms})
    EXPECT_EQ(fail(history, start), (exit_decision{after_exit::restart, wait}));
}

TEST(supervision, the_dice_shorten_a_wait_by_a_fifth_at_most) {
  for (const std::uint64_t dice : {std::uint64_t{1}, std::uint64_t{19}, std::uint64_t{20}, ~std::uint64_t{0}}) {
    restart_history history;
    const auto wait = history.on_exit(restart_policy::permanent, true, {}, start, dice).wait;
    EXPECT_EQ(wait, 100ms - milliseconds{dice % 21});
  }
}

TEST(supervision, the_sixth_failure_within_ten_seconds_parks) {
  restart_history history;
  for (int failure = 0; failure < 5; ++failure)
    EXPECT_EQ(fail(history, start + failure * 1s).what, after_exit::restart);
  EXPECT_EQ(fail(history, start + 9s).what, after_exit::park);
}

TEST(supervision, failures_that_are_far_apart_never_park_and_wait_at_most_thirty_seconds) {
  restart_history history;
  milliseconds last{0};
  auto at = start;
  for (int failure = 0; failure < 100; ++failure) {
    const auto decision = fail(history, at);
    ASSERT_EQ(decision.what, after_exit::restart);
    last = decision.wait;
    at += decision.wait + 4s; // it lives for 4 s each time
  }
  EXPECT_EQ(last, 30s);
}

TEST(supervision, a_long_life_starts_the_back_off_anew) {
  restart_history history;
  fail(history, start);
  EXPECT_EQ(fail(history, start + 1s).wait, 200ms);
  EXPECT_EQ(fail(history, start + 1min).wait, 100ms);
}

TEST(supervision, a_revived_child_has_no_past) {
  restart_history history;
  for (int failure = 0; failure < 6; ++failure)
    fail(history, start);
  history.clear();
  EXPECT_EQ(fail(history, start), (exit_decision{after_exit::restart, 100ms}));
}

TEST(supervision, a_clock_that_goes_back_does_no_harm) {
  restart_history history;
  fail(history, start);
  EXPECT_EQ(fail(history, start - 1h).what, after_exit::restart);
}

TEST(supervision, a_strategy_decides_who_restarts_too) {
  EXPECT_EQ(restarted_with(restart_strategy::one_for_one, 1, 4), (child_range{1, 1}));
  EXPECT_EQ(restarted_with(restart_strategy::one_for_all, 1, 4), (child_range{0, 3}));
  EXPECT_EQ(restarted_with(restart_strategy::rest_for_one, 1, 4), (child_range{1, 3}));
  EXPECT_EQ(restarted_with(restart_strategy::rest_for_one, 3, 4), (child_range{3, 3}));
}

} // namespace
} // namespace switchboard::runtime
