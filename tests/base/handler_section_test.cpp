#include "base/handler_section.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace switchboard {
namespace {

using namespace std::chrono_literals;

struct named final : watched_handler {
  explicit named(std::string path) : path_(std::move(path)) {}
  label handler_label() const override { return {path_, "test"}; }
  std::string path_;
};

/// A thread that stands in one section until it is let go.
class standing {
public:
  explicit standing(const watched_handler& who, std::string_view message = {}) {
    thread_ = std::thread{[this, &who, message] {
      const handler_section at{who, message};
      std::unique_lock hold{mutex_};
      inside_ = true;
      changed_.notify_all();
      changed_.wait(hold, [this] { return go_; });
      hold.unlock();
    }};
    std::unique_lock hold{mutex_};
    changed_.wait(hold, [this] { return inside_; });
  }
  ~standing() { go(); }
  void go() {
    {
      const std::lock_guard hold{mutex_};
      go_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable())
      thread_.join();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false, go_ = false;
  std::thread thread_;
};

std::vector<busy_handler> look_until_one(milliseconds least) {
  std::vector<busy_handler> seen;
  for (const auto until = std::chrono::steady_clock::now() + 10s;
       seen.empty() && std::chrono::steady_clock::now() < until;)
    seen = look_for_slow_handlers(least);
  return seen;
}

TEST(handler_section, one_that_takes_too_long_is_told_once_while_it_runs) {
  const named call{"/entities/call/1"};
  standing there{call, "POST"};
  EXPECT_TRUE(look_for_slow_handlers(1h).empty()); // not yet
  const auto seen = look_until_one(30ms);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].who.path, "/entities/call/1");
  EXPECT_EQ(seen[0].who.kind, "test");
  EXPECT_EQ(seen[0].message, "POST");
  EXPECT_GE(seen[0].took, 30ms);
  EXPECT_FALSE(seen[0].ended);
  EXPECT_TRUE(look_for_slow_handlers(30ms).empty());
  EXPECT_EQ(running_handlers(30ms).size(), 1U); // which tells each time
  EXPECT_EQ(running_handlers(30ms).size(), 1U);
}

TEST(handler_section, one_that_was_told_is_told_again_when_it_ends) {
  const named call{"/entities/call/1"};
  std::mutex mutex;
  std::condition_variable changed;
  bool first_over = false, all_over = false;
  std::atomic<bool> go{false};
  std::thread worker{[&] {
    {
      const handler_section at{call};
      while (!go)
        std::this_thread::yield();
    }
    std::unique_lock hold{mutex};
    first_over = true;
    changed.notify_all();
    changed.wait(hold, [&] { return all_over; }); // its slot must live until it was looked at
  }};
  ASSERT_EQ(look_until_one(20ms).size(), 1U);
  go = true;
  {
    std::unique_lock hold{mutex};
    changed.wait(hold, [&] { return first_over; });
  }
  const auto seen = look_for_slow_handlers(20ms);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_TRUE(seen[0].ended);
  EXPECT_GE(seen[0].took, 20ms);
  EXPECT_TRUE(look_for_slow_handlers(20ms).empty());
  EXPECT_TRUE(running_handlers(0ms).empty());
  {
    const std::lock_guard hold{mutex};
    all_over = true;
  }
  changed.notify_all();
  worker.join();
}

TEST(handler_section, an_inner_section_names_its_own_and_gives_back_to_the_outer) {
  const named outer{"/outer"}, inner{"/inner"};
  const auto now = [] {
    const auto seen = running_handlers(0ms);
    return seen.empty() ? std::string{} : seen[0].who.path;
  };
  {
    const handler_section first{outer};
    EXPECT_EQ(now(), "/outer");
    {
      const handler_section second{inner, "decide"};
      EXPECT_EQ(now(), "/inner");
    }
    EXPECT_EQ(now(), "/outer");
  }
  EXPECT_EQ(now(), "");
}

TEST(handler_section, looking_while_sections_come_and_go_reads_no_one_who_is_gone) {
  std::atomic<bool> stop{false};
  std::thread worker{[&] {
    while (!stop) {
      const auto made = std::make_unique<named>("/a/path/that/is/longer/than/a/short/string");
      const handler_section at{*made, made->path_};
    }
  }};
  for (int looks = 0; looks < 20'000; ++looks)
    for (const auto& seen : running_handlers(0ms)) {
      ASSERT_EQ(seen.who.path, "/a/path/that/is/longer/than/a/short/string");
      ASSERT_EQ(seen.message, seen.who.path);
    }
  stop = true;
  worker.join();
}

} // namespace
} // namespace switchboard
