// When an alarm is raised, when it ends, and how often somebody looks.
#include "broker/alarms.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

namespace switchboard::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t gib = 1u << 30;

alarm_set raised(std::initializer_list<alarm> which) {
  alarm_set made;
  for (const auto one : which)
    made.set(one, true);
  return made;
}

TEST(alarm_rules, say_what_is_short_in_the_words_of_rabbitmq) {
  EXPECT_EQ(blocked_reason(raised({alarm::memory})), "low on memory");
  EXPECT_EQ(blocked_reason(raised({alarm::disk})), "low on disk");
  EXPECT_EQ(blocked_reason(raised({alarm::store})), "low on disk");
  EXPECT_EQ(blocked_reason(raised({alarm::memory, alarm::disk})), "low on disk & memory");
  EXPECT_EQ(blocked_reason(raised({alarm::memory, alarm::disk, alarm::store})), "low on disk & memory");
  EXPECT_EQ(names_of(raised({alarm::store, alarm::memory})), "memory, store");
  EXPECT_EQ(names_of({}), "");
}

TEST(alarm_rules, a_set_holds_each_alarm_by_itself) {
  auto some = raised({alarm::memory, alarm::store});
  EXPECT_TRUE(some.any());
  EXPECT_FALSE(some.has(alarm::disk));
  some.set(alarm::memory, false);
  EXPECT_EQ(some, raised({alarm::store}));
  some.set(alarm::store, false);
  EXPECT_FALSE(some.any());
}

/// Feeds figures one after the other and says after each whether the alarm is raised.
template <class Room>
std::vector<bool> history(std::initializer_list<std::uint64_t> figures, Room room) {
  std::vector<bool> all;
  bool is_raised = false;
  for (const auto figure : figures)
    all.push_back(is_raised = is_short(is_raised, room(figure)));
  return all;
}

TEST(alarm_rules, memory_is_short_above_its_mark_and_until_a_sixteenth_of_it_is_free_again) {
  const auto room = [](std::uint64_t used) { return memory_headroom(used, 160); };
  EXPECT_THAT(history({0, 160, 161, 155, 151, 150, 155, 160, 161}, room),
              ElementsAre(false, false, true, true, true, false, false, false, true));
}

TEST(alarm_rules, disk_is_short_below_its_mark_and_what_the_log_will_take_counts_as_taken) {
  const auto room = [](std::uint64_t free) { return disk_headroom({free, 0, 16, 16}, 160); };
  EXPECT_THAT(history({1000, 192, 191, 0, 195, 201, 202, 195}, room),
              ElementsAre(false, false, true, true, true, true, false, false));
}

TEST(alarm_rules, what_is_free_inside_the_store_counts_half) {
  const auto room = [](std::uint64_t reusable) { return disk_headroom({100, reusable, 0, 32}, 160); };
  EXPECT_THAT(history({1000, 184, 182, 202, 204, 184}, room), ElementsAre(false, false, true, true, false, false));
}

TEST(alarm_rules, the_log_must_have_room_outside_the_store) {
  EXPECT_TRUE(is_short(false, disk_headroom({15, 10'000, 16, 16}, 160)));
  EXPECT_FALSE(is_short(false, disk_headroom({16, 10'000, 16, 16}, 160)));
  EXPECT_FALSE(is_short(true, disk_headroom({0, 10'000, 0, 16}, 160))) << "once its file is there it needs no more";
}

TEST(alarm_rules, a_disk_without_a_mark_is_never_short) {
  EXPECT_FALSE(is_short(false, disk_headroom({0, 0, gib, gib}, 0)));
  EXPECT_FALSE(is_short(true, disk_headroom({0, 0, gib, gib}, 0))) << "the mark was taken away by a restart";
}

TEST(alarm_rules, the_store_is_short_from_four_fifths_on_or_when_something_waits_for_room) {
  const auto room = [](std::uint64_t used) { return store_headroom(used, 1600, false); };
  EXPECT_THAT(history({0, 1280, 1281, 1250, 1181, 1180, 1250}, room),
              ElementsAre(false, false, true, true, true, false, false));
  EXPECT_TRUE(is_short(false, store_headroom(0, 1600, true)));
}

TEST(alarm_rules, what_need_not_be_durable_leaves_a_quarter_of_the_store_alone) {
  EXPECT_EQ(room_for_pages(0, 1600), 600u);
  EXPECT_EQ(room_for_pages(1000, 1600), 100u);
  EXPECT_EQ(room_for_pages(1200, 1600), 0u);
  EXPECT_EQ(room_for_pages(2000, 1600), 0u);
}

TEST(alarm_rules, figures_too_large_for_a_sign_are_as_good_as_endless) {
  const auto endless = ~std::uint64_t{0};
  EXPECT_FALSE(is_short(false, memory_headroom(gib, endless)));
  EXPECT_FALSE(is_short(false, disk_headroom({endless, 0, gib, gib}, gib)));
  EXPECT_TRUE(is_short(false, disk_headroom({0, 0, endless, endless}, endless)));
  EXPECT_FALSE(is_short(false, store_headroom(gib, endless, false)));
}

TEST(alarm_rules, one_looks_the_sooner_the_nearer_anything_is_to_its_mark) {
  const auto look = [](std::vector<headroom> all) { return next_look(all); };
  EXPECT_EQ(look({}), 1000ms);
  EXPECT_EQ(look({{static_cast<std::int64_t>(100 * gib), 0}}), 1000ms);
  EXPECT_EQ(look({{0, 0}}), 20ms);
  EXPECT_EQ(look({{static_cast<std::int64_t>(mib), 0}}), 20ms);
  EXPECT_EQ(look({{125'000'000, 0}}), 500ms);
  EXPECT_EQ(look({{-125'000'000, 0}}), 500ms) << "the end of an alarm is looked for in the same way";
  EXPECT_EQ(look({{static_cast<std::int64_t>(100 * gib), 0}, {-1, 0}}), 20ms);
}

TEST(alarms, are_raised_and_cleared_one_by_one) {
  alarms all;
  EXPECT_FALSE(all.raised().any());
  all.set(alarm::disk, true);
  all.set(alarm::store, true);
  EXPECT_EQ(all.raised(), raised({alarm::disk, alarm::store}));
  all.set(alarm::disk, false);
  EXPECT_EQ(all.known(), raised({alarm::store}));
}

TEST(alarms, memory_is_raised_by_whoever_asks_first) {
  alarms all{static_cast<std::uint64_t>(message::resident_bytes()) + 5'000};
  EXPECT_FALSE(all.raised().any());
  const auto large = make_message("", "q", "", std::string(10'000, 'x'), false);
  EXPECT_FALSE(all.known().any());
  EXPECT_EQ(all.raised(), raised({alarm::memory}));
  EXPECT_EQ(all.known(), raised({alarm::memory})) << "and stays until the monitor finds it over";
}

} // namespace
} // namespace switchboard::broker
