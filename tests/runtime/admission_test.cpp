#include "runtime/admission.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t crowd = 100;
constexpr time_point morning{1'000'000s};

/// A crowd whose requests are done so far apart, for a second.
admission busy_service(milliseconds apart) {
  admission made;
  made.admits(crowd, 1h, morning);
  for (auto now = morning; now <= morning + 1s; now += apart)
    made.done(now);
  return made;
}

TEST(admission, admits_everything_while_there_is_no_crowd) {
  auto slow = busy_service(100ms);
  EXPECT_FALSE(slow.admits(crowd, 1s, morning + 1s));
  EXPECT_TRUE(slow.admits(15, 1ms, morning + 1s));
}

TEST(admission, refuses_what_could_not_be_done_in_time) {
  auto it = busy_service(10ms); // a hundred take a second
  EXPECT_TRUE(it.admits(crowd, 2100ms, morning + 1s));
  EXPECT_FALSE(it.admits(crowd, 1900ms, morning + 1s));
  EXPECT_TRUE(it.admits(crowd / 2, 1900ms, morning + 1s));
}

TEST(admission, knows_nothing_at_first_and_admits) {
  admission it;
  EXPECT_TRUE(it.admits(crowd, 1ms, morning));
}

TEST(admission, notices_a_service_that_does_nothing_any_more) {
  auto it = busy_service(10ms);
  EXPECT_FALSE(it.admits(crowd, 10s, morning + 3s));
}

TEST(admission, forgets_when_the_crowd_is_gone) {
  auto it = busy_service(100ms);
  it.admits(0, 1s, morning + 2s);
  EXPECT_TRUE(it.admits(crowd, 1ms, morning + 2s));
}

TEST(admission, a_clock_that_goes_back_does_no_harm) {
  auto it = busy_service(10ms);
  it.done(morning - 1h);
  EXPECT_TRUE(it.admits(crowd, 2100ms, morning - 1h));
  EXPECT_FALSE(it.admits(crowd, 1900ms, morning - 1h));
}

struct flood_case {
  int apart_ms;    ///< how far apart the service does requests
  int deadline_ms; ///< of each request
};

/// What share of its capacity a service uses for requests that are done in time, when ten times as much comes. It takes
/// at most 1,000 at once, the oldest first.
double useful_share(const flood_case& how, bool with_admission) {
  struct asked {
    int come = 0;
  };
  admission gate;
  std::deque<asked> queue, work;
  int in_time = 0, coming = 0;
  constexpr int duration = 20'000;
  for (int ms = 0; ms < duration; ++ms) {
    const auto now = morning + milliseconds{ms};
    for (coming += 10; coming >= how.apart_ms; coming -= how.apart_ms)
      queue.push_back({ms});
    for (; !queue.empty() && work.size() < 1000; queue.pop_front()) {
      const auto left = queue.front().come + how.deadline_ms - ms;
      if (left >= 0 && (!with_admission || gate.admits(work.size(), milliseconds{left}, now)))
        work.push_back(queue.front());
    }
    if (ms % how.apart_ms == 0 && !work.empty()) {
      in_time += ms - work.front().come <= how.deadline_ms ? 1 : 0;
      work.pop_front();
      gate.done(now);
    }
  }
  return static_cast<double>(in_time) * how.apart_ms / duration;
}

TEST(admission, under_ten_times_too_much_it_keeps_the_service_useful) {
  for (const auto& how : {flood_case{1, 3000}, {3, 1500}, {10, 1000}, {1, 200}}) {
    EXPECT_LT(useful_share(how, false), 0.3) << how.apart_ms << " " << how.deadline_ms; // what happens without it
    EXPECT_GT(useful_share(how, true), 0.9) << how.apart_ms << " " << how.deadline_ms;
  }
}

} // namespace
} // namespace switchboard::runtime
