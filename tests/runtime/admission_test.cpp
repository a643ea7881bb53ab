#include "runtime/admission.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t many = 1000;

admission used_to(milliseconds took) {
  admission made;
  for (int i = 0; i < 1000; ++i)
    made.done(took);
  return made;
}

TEST(admission, admits_everything_while_there_is_little_to_do) {
  const auto slow = used_to(10s);
  EXPECT_TRUE(slow.admits(0, 1ms));
  EXPECT_TRUE(slow.admits(63, 1ms));
  EXPECT_FALSE(slow.admits(64, 1ms));
}

TEST(admission, refuses_what_could_not_be_done_in_time) {
  const auto it = used_to(400ms);
  EXPECT_TRUE(it.admits(many, 900ms));
  EXPECT_FALSE(it.admits(many, 700ms));
}

TEST(admission, knows_nothing_at_first_and_admits) { EXPECT_TRUE(admission{}.admits(many, 0ms)); }

TEST(admission, forgets_one_that_took_long) {
  auto it = used_to(10ms);
  it.done(1min);
  for (int i = 0; i < 500; ++i)
    it.done(10ms);
  EXPECT_TRUE(it.admits(many, 100ms));
}

TEST(admission, a_clock_that_goes_back_does_no_harm) {
  auto it = used_to(10ms);
  it.done(-1h);
  EXPECT_GE(it.expected(), 0ms);
  EXPECT_LE(it.expected(), 10ms);
}

/// A queue before a service that does one request a millisecond, `at_most` at once, oldest first; ten come each
/// millisecond, with 3 s to their deadline.
int served_in_time(bool with_admission) {
  struct asked {
    int come = 0, begun = 0;
  };
  constexpr int deadline = 3000, at_most = 1000;
  admission gate;
  std::deque<asked> queue, work;
  int in_time = 0;
  for (int now = 0; now < 20'000; ++now) {
    for (int i = 0; i < 10; ++i)
      queue.push_back({now, 0});
    while (!queue.empty() && work.size() < at_most) {
      const auto left = queue.front().come + deadline - now;
      if (left >= 0 && (!with_admission || gate.admits(work.size(), milliseconds{left})))
        work.push_back({queue.front().come, now});
      queue.pop_front();
      if (work.size() == at_most)
        break;
    }
    if (!work.empty()) {
      const auto done = work.front();
      work.pop_front();
      gate.done(milliseconds{now - done.begun});
      in_time += now - done.come <= deadline ? 1 : 0;
    }
  }
  return in_time;
}

TEST(admission, under_ten_times_too_much_it_keeps_the_service_useful) {
  EXPECT_LT(served_in_time(false), 5000); // what happens without it
  EXPECT_GT(served_in_time(true), 19'000);
}

} // namespace
} // namespace switchboard::runtime
