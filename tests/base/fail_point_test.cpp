#include "base/fail_point.hpp"

#include <gtest/gtest.h>

#include <signal.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

namespace switchboard {
namespace {

std::vector<std::uint32_t> passes_of(std::string_view text) {
  const auto plan = parse_fail_plan(text);
  EXPECT_TRUE(plan) << text;
  std::vector<std::uint32_t> found;
  for (const auto passes : plan ? *plan : fail_plan{})
    if (passes)
      found.push_back(passes);
  return found;
}

TEST(fail_plan, names_one_or_several_points_and_their_passes) {
  const auto plan = parse_fail_plan("log.after_sync:3,entity.committed:17");
  ASSERT_TRUE(plan);
  EXPECT_EQ((*plan)[static_cast<std::size_t>(fail_point::log_after_sync)], 3u);
  EXPECT_EQ((*plan)[static_cast<std::size_t>(fail_point::entity_committed)], 17u);
  EXPECT_EQ(passes_of("log.after_sync:3,entity.committed:17"), (std::vector<std::uint32_t>{3, 17}));
}

TEST(fail_plan, knows_every_point_by_a_name_of_its_own) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < fail_point_count; ++i) {
    const std::string name{text(static_cast<fail_point>(i))};
    names.insert(name);
    const auto plan = parse_fail_plan(name + ":1");
    ASSERT_TRUE(plan) << name;
    EXPECT_EQ((*plan)[i], 1u) << name;
  }
  EXPECT_EQ(names.size(), fail_point_count);
  EXPECT_EQ(names.count(""), 0u);
}

TEST(fail_plan, says_what_is_wrong) {
  for (const auto* text : {"", "log", "log.after_sync", "log.after_sync:", "log.after_sync:0", "log.after_sync:x",
                           "log.after_sync:1x", "log.after_sync:-1", "log.after_sync:99999999999", "log.after_sync:1,",
                           ",log.after_sync:1", " log.after_sync:1"}) {
    const auto plan = parse_fail_plan(text);
    ASSERT_FALSE(plan) << text;
    EXPECT_EQ(plan.error().code, errc::bad_format) << text;
  }
  EXPECT_EQ(parse_fail_plan("nowhere:1").error().what, "no such fail point: nowhere");
}

TEST(fail_points, are_over_at_the_named_pass_and_never_again) {
  fail_points points;
  EXPECT_FALSE(points.are_armed());
  points.arm(*parse_fail_plan("log.before_write:3"));
  EXPECT_TRUE(points.are_armed());
  std::vector<bool> over;
  for (int i = 0; i < 6; ++i)
    over.push_back(points.is_over(fail_point::log_before_write));
  EXPECT_EQ(over, (std::vector<bool>{false, false, true, false, false, false}));
  EXPECT_FALSE(points.is_over(fail_point::log_after_write));
}

TEST(fail_points, count_the_passes_of_all_threads) {
  fail_points points;
  points.arm(*parse_fail_plan("queue.before_deletions:4000"));
  std::atomic<int> over{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int pass = 0; pass < 1500; ++pass)
        over += points.is_over(fail_point::queue_before_deletions);
    });
  for (auto& one : threads)
    one.join();
  EXPECT_EQ(over, 1);
}

TEST(fail_points_death, end_the_process_as_hard_as_it_goes) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto pass_twice = [] {
    the_fail_points.arm(*parse_fail_plan("entity.committed:2"));
    pass(fail_point::entity_committed);
    std::fprintf(stderr, "once");
    pass(fail_point::entity_committed);
    std::fprintf(stderr, "twice");
  };
  EXPECT_EXIT(pass_twice(), testing::KilledBySignal(SIGKILL), "once$");
}

} // namespace
} // namespace switchboard
