#include "broker/persistent_map.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace switchboard::broker {
namespace {

/// Few hashes, so that paths are long and the lists below the last level are used.
struct poor_hash {
  std::uint64_t operator()(std::string_view text) const noexcept {
    return text.empty() ? 0 : static_cast<unsigned char>(text.back()) % 5;
  }
};
/// Equal in the low bits: keys part only at the last level of the trie.
struct late_hash {
  std::uint64_t operator()(std::string_view text) const noexcept { return text_hash{}(text) << 60; }
};

template <class Map>
std::map<std::string, int> all_of(const Map& map) {
  std::map<std::string, int> all;
  map.for_each([&](const std::string& key, int value) { EXPECT_TRUE(all.emplace(key, value).second) << key; });
  return all;
}

template <class Hash>
class persistent_map_with : public testing::Test {};
using hashes = testing::Types<text_hash, poor_hash, late_hash>;
TYPED_TEST_SUITE(persistent_map_with, hashes);

TYPED_TEST(persistent_map_with, random_changes_agree_with_std_map_and_leave_old_versions_alone) {
  using map_type = persistent_map<int, TypeParam>;
  std::mt19937 dice{7};
  map_type map;
  std::map<std::string, int> expected;
  std::vector<std::pair<map_type, std::map<std::string, int>>> versions;
  for (int step = 0; step < 4000; ++step) {
    const auto key = "key" + std::to_string(dice() % 300);
    if (dice() % 5 < 3) {
      map = map.set(key, step);
      expected[key] = step;
    } else {
      map = map.erase(key);
      expected.erase(key);
    }
    ASSERT_EQ(map.size(), expected.size());
    const auto asked = "key" + std::to_string(dice() % 300);
    const auto* found = map.find(asked);
    const auto known = expected.find(asked);
    ASSERT_EQ(found != nullptr, known != expected.end());
    if (found) {
      ASSERT_EQ(*found, known->second);
    }
    if (step % 100 == 0)
      versions.emplace_back(map, expected);
  }
  for (const auto& [old, then] : versions)
    EXPECT_EQ(all_of(old), then);
}

TYPED_TEST(persistent_map_with, everything_can_be_taken_out_again_in_any_order) {
  persistent_map<int, TypeParam> map;
  for (int i = 0; i < 500; ++i)
    map = map.set(std::to_string(i), i);
  const auto full = map;
  for (int i = 0; i < 500; ++i)
    map = map.erase(std::to_string(i * 7 % 500));
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(all_of(map).size(), 0u);
  EXPECT_EQ(all_of(full).size(), 500u);
}

TEST(persistent_map, an_empty_map_finds_nothing_and_erases_nothing) {
  const persistent_map<int> map;
  EXPECT_EQ(map.find("a"), nullptr);
  EXPECT_TRUE(map.erase("a").empty());
}

TEST(persistent_map, erasing_what_is_not_there_gives_the_same_map) {
  const auto map = persistent_map<int>{}.set("a", 1);
  const auto same = map.erase("b");
  EXPECT_EQ(same.find("a"), map.find("a")); // the same leaf, not a copy
}

TEST(persistent_map, keys_may_hold_any_bytes_and_be_empty) {
  const std::string zeros("\0\0", 2);
  const auto map = persistent_map<int>{}.set("", 1).set(zeros, 2).set(std::string(1, '\0'), 3);
  EXPECT_EQ(*map.find(""), 1);
  EXPECT_EQ(*map.find(zeros), 2);
  EXPECT_EQ(*map.find(std::string_view{"\0", 1}), 3);
}

TEST(persistent_map, values_live_until_the_last_map_that_holds_them) {
  auto value = std::make_shared<int>(1);
  auto first = persistent_map<std::shared_ptr<int>>{}.set("a", value);
  auto second = first.set("b", nullptr);
  EXPECT_EQ(value.use_count(), 2); // one leaf, shared by both maps
  first = {};
  EXPECT_EQ(value.use_count(), 2);
  second = second.erase("a");
  EXPECT_EQ(value.use_count(), 1);
}

TEST(persistent_map, readers_on_other_threads_see_their_version_while_the_next_ones_are_made) {
  persistent_map<int> map;
  for (int i = 0; i < 200; ++i)
    map = map.set(std::to_string(i), 0);
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 2; ++reader)
    readers.emplace_back([mine = map] {
      for (int round = 0; round < 50; ++round) {
        auto copy = mine; // counts references while the writer does
        for (int i = 0; i < 200; ++i)
          ASSERT_EQ(*copy.find(std::to_string(i)), 0);
      }
    });
  for (int i = 0; i < 2000; ++i)
    map = map.set(std::to_string(i % 400), i);
  for (auto& each : readers)
    each.join();
  EXPECT_EQ(map.size(), 400u);
}

} // namespace
} // namespace switchboard::broker
