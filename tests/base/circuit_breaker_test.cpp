#include "base/circuit_breaker.hpp"

#include <gtest/gtest.h>

namespace switchboard {
namespace {

using namespace std::chrono_literals;
using leave = circuit_breaker::leave;
using phase = circuit_breaker::phase;

constexpr std::uint64_t no_jitter = 0;
constexpr circuit_breaker::clock_time start{1h};

struct circuit : testing::Test {
  circuit_breaker it{{3, {1s, 8s, 20}}};

  void time_out(int times, circuit_breaker::clock_time at, leave under = leave::normal) {
    for (int i = 0; i < times; ++i)
      it.timed_out(under, at, no_jitter);
  }
};

TEST_F(circuit, opens_after_so_many_timeouts_in_a_row) {
  EXPECT_FALSE(it.timed_out(leave::normal, start, no_jitter));
  EXPECT_FALSE(it.timed_out(leave::normal, start, no_jitter));
  EXPECT_EQ(it.ask(start), leave::normal);
  EXPECT_TRUE(it.timed_out(leave::normal, start, no_jitter));
  EXPECT_EQ(it.now(), phase::open);
  EXPECT_EQ(it.ask(start), leave::refused);
  EXPECT_EQ(it.left(start), 1s);
}

TEST_F(circuit, an_answer_between_timeouts_keeps_it_closed) {
  for (int round = 0; round < 10; ++round) {
    time_out(2, start);
    EXPECT_FALSE(it.answered());
  }
  EXPECT_EQ(it.ask(start), leave::normal);
  EXPECT_TRUE(it.is_fresh());
}

TEST_F(circuit, one_probe_goes_when_the_wait_is_over_and_its_answer_closes) {
  time_out(3, start);
  EXPECT_EQ(it.ask(start + 999ms), leave::refused);
  EXPECT_EQ(it.ask(start + 1s), leave::probe);
  EXPECT_EQ(it.ask(start + 1s), leave::refused);
  EXPECT_GT(it.left(start + 1s), 0s);
  EXPECT_TRUE(it.answered());
  EXPECT_EQ(it.ask(start + 1s), leave::normal);
  EXPECT_EQ(it.left(start + 1s), 0s);
}

TEST_F(circuit, a_probe_without_an_answer_opens_it_for_twice_as_long_up_to_a_bound) {
  time_out(3, start);
  auto at = start + 1s;
  for (const auto wait : {2s, 4s, 8s, 8s}) {
    ASSERT_EQ(it.ask(at), leave::probe);
    EXPECT_TRUE(it.timed_out(leave::probe, at, no_jitter));
    EXPECT_EQ(it.ask(at + wait - 1ms), leave::refused);
    at += wait;
  }
  ASSERT_EQ(it.ask(at), leave::probe);
  it.answered();
  time_out(3, at);
  EXPECT_EQ(it.left(at), 1s); // and the past is forgotten
}

TEST_F(circuit, timeouts_of_what_was_asked_before_say_nothing_new) {
  time_out(3, start);
  time_out(50, start + 500ms);
  EXPECT_EQ(it.ask(start + 1s), leave::probe);
  time_out(50, start + 1s);
  EXPECT_EQ(it.now(), phase::half_open);
}

TEST_F(circuit, a_late_answer_closes_it) {
  time_out(3, start);
  EXPECT_TRUE(it.answered());
  EXPECT_EQ(it.ask(start), leave::normal);
}

TEST_F(circuit, a_probe_that_was_not_sent_leaves_its_place_to_the_next) {
  time_out(3, start);
  ASSERT_EQ(it.ask(start + 1s), leave::probe);
  it.probe_withdrawn();
  EXPECT_EQ(it.ask(start + 1s), leave::probe);
}

TEST_F(circuit, the_dice_shorten_the_wait_by_a_fifth_at_most) {
  for (std::uint64_t dice : {std::uint64_t{1}, std::uint64_t{77}, ~std::uint64_t{0}, std::uint64_t{200}}) {
    circuit_breaker one{{1, {1s, 8s, 20}}};
    one.timed_out(leave::normal, start, dice);
    EXPECT_GE(one.left(start), 800ms);
    EXPECT_LE(one.left(start), 1s);
  }
}

} // namespace
} // namespace switchboard
