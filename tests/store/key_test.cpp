#include "store/key.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace switchboard::store {
namespace {

TEST(key, numbers_sort_by_value) {
  EXPECT_LT(message_key(1, 255).view(), message_key(1, 256).view());
  EXPECT_LT(message_key(1, ~0ull).view(), message_key(2, 0).view());
  EXPECT_LT(message_key(255, 9).view(), message_key(256, 1).view());
  EXPECT_EQ(message_key(1, 2).view(), std::string("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2", 16));
}

TEST(key, times_sort_oldest_first_even_before_1970) {
  const auto at = [](std::int64_t ms) { return time_point{milliseconds{ms}}; };
  EXPECT_LT(key{}.time(at(-1)).view(), key{}.time(at(0)).view());
  EXPECT_LT(key{}.time(at(255)).view(), key{}.time(at(256)).view());
  EXPECT_GT(key{}.time_descending(at(-1)).view(), key{}.time_descending(at(0)).view());
  EXPECT_GT(key{}.time_descending(at(255)).view(), key{}.time_descending(at(256)).view());
}

TEST(key, texts_never_run_into_each_other) {
  EXPECT_NE(timer_key("a", "bc", "d").view(), timer_key("ab", "c", "d").view());
  EXPECT_NE(timer_key("a", "b", "cd").view(), timer_key("a", "bc", "d").view());
  EXPECT_NE(entity_key("a", std::string_view{"\0b", 2}).view(), entity_key(std::string_view{"a\0", 2}, "b").view());
  EXPECT_TRUE(timer_key("call", "c1", "ring").view().starts_with(timer_prefix("call", "c1").view()));
  EXPECT_FALSE(timer_key("call", "c12", "ring").view().starts_with(timer_prefix("call", "c1").view()));
}

TEST(key, long_texts_stay_distinct_and_fit) {
  std::set<std::string> seen;
  for (std::size_t size : {0, 1, 94, 95, 96, 125, 126, 127, 128, 255, 256, 510, 511, 512, 70'000})
    for (char last : {'x', 'y'}) {
      std::string text(size, 'a');
      if (size > 0)
        text.back() = last;
      else if (last == 'y')
        continue;
      EXPECT_TRUE(seen.emplace(entity_key("call", text).view()).second) << size;
      EXPECT_TRUE(seen.emplace(topology_key(text).view()).second) << size;
    }
  const std::string longest(100'000, 'z');
  EXPECT_LE(topology_key(longest).view().size(), key::bytes_max);
  EXPECT_LT(time_key({}, timer_key(longest, longest, longest)).view().size(), key::bytes_max);
  EXPECT_LT(time_key({}, journal_key(longest, longest, ~0ull)).view().size(), key::bytes_max);
}

TEST(key, an_empty_text_makes_no_empty_key) {
  EXPECT_FALSE(topology_key("").view().empty());
  EXPECT_FALSE(entity_key("", "").view().empty());
}

TEST(key, the_place_of_an_entity_leads_back_to_it) {
  for (const auto& id : {std::string{"c1"}, std::string{}, std::string(300, 'i')})
    for (const auto& type : {std::string{"call"}, std::string(200, 't')})
      EXPECT_EQ(entity_key_of(entity_time_key(type, time_point{milliseconds{77}}, id)).view(),
                entity_key(type, id).view());
  EXPECT_TRUE(entity_key_of("").view().empty());
  EXPECT_TRUE(entity_key_of("\x20short").view().empty());
}

} // namespace
} // namespace switchboard::store
