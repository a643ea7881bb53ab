// A real core whose disk, store or memory is short by its marks: the alarm is there before anybody connects, shown by
// the metrics, and ends by itself.
#include <gmock/gmock.h>

#include "tests/runtime/node_fixture.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class alarm_monitoring : public testing::Test {
protected:
  void start(core_options how) {
    auto started = core::start(std::move(how));
    ASSERT_TRUE(started) << started.error().what;
    node_ = std::move(*started);
  }
  core_options options() {
    auto how = counter_node(folder_.str());
    how.plugins = {};
    return how;
  }
  broker::alarms& alarms() { return *node_->node().alarms; }
  template <class Condition>
  static bool eventually(Condition met) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!met() && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(1ms);
    return met();
  }

  temporary_folder folder_;
  std::unique_ptr<core> node_;
};

TEST_F(alarm_monitoring, raises_nothing_while_there_is_room) {
  start(options());
  EXPECT_FALSE(alarms().raised().any());
  EXPECT_GT(alarms().disk_free, 0u);
  EXPECT_THAT(node_->node().metrics.page(), HasSubstr("switchboard_alarm{alarm=\"disk\"} 0"));
}

TEST_F(alarm_monitoring, looks_at_the_disk_before_anybody_connects) {
  auto how = options();
  how.disk_free_min = std::uint64_t{1} << 60;
  start(std::move(how));
  EXPECT_TRUE(alarms().known().has(broker::alarm::disk));
  EXPECT_FALSE(alarms().known().has(broker::alarm::memory));
  const auto page = node_->node().metrics.page();
  EXPECT_THAT(page, HasSubstr("switchboard_alarm{alarm=\"disk\"} 1"));
  EXPECT_THAT(page, HasSubstr("switchboard_alarm{alarm=\"memory\"} 0"));
  EXPECT_THAT(page, HasSubstr("switchboard_disk_free_bytes "));
}

TEST_F(alarm_monitoring, ends_the_memory_alarm_that_somebody_else_has_raised) {
  auto how = options();
  how.limits.memory_bytes_max = 16u << 20;
  start(std::move(how));
  {
    const auto large = make_message("", "q", "", std::string(17u << 20, 'x'), false);
    EXPECT_TRUE(alarms().raised().has(broker::alarm::memory));
  }
  EXPECT_TRUE(eventually([&] { return !alarms().known().any(); }));
}

TEST_F(alarm_monitoring, raises_the_alarm_of_the_store_and_ends_it_when_pages_are_free_again) {
  auto how = options();
  how.store_bytes_max = 4u << 20;
  start(std::move(how));
  store::batch puts;
  for (store::position at = 1; at <= 35; ++at)
    puts.put_message(77, at, make_message("", "q", "", std::string(100'000, 'x'), true));
  node_->store().submit(std::move(puts));
  EXPECT_TRUE(eventually([&] { return alarms().known().has(broker::alarm::store); }));
  store::batch gone;
  gone.delete_queue_messages(77);
  node_->store().submit(std::move(gone));
  EXPECT_TRUE(eventually([&] { return !alarms().known().any(); }));
}

} // namespace
} // namespace switchboard::runtime
