#include "broker/topic_trie.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/broker/naive_topic.hpp"

namespace switchboard::broker {
namespace {

/// Destinations are named after their pattern.
std::multiset<std::string> matches(const topic_trie& trie, std::string_view key) {
  topic_trie::scratch room;
  std::multiset<std::string> found;
  trie.match(key, room, [&](const destinations& all) {
    all.for_each([&](const std::string& end, const destination&) { found.insert(end.substr(1)); });
  });
  return found;
}

topic_trie of(const std::vector<std::string>& patterns) {
  topic_trie trie;
  for (const auto& each : patterns)
    trie = trie.with(each, end_key(false, each), nullptr);
  return trie;
}

struct example {
  const char* pattern;
  const char* key;
  bool matches;
};
constexpr example examples[] = {
    {"a.b", "a.b", true},
    {"a.b", "a.c", false},
    {"a.b", "a", false},
    {"a", "a.b", false},
    {"*", "a", true},
    {"*", "a.b", false},
    {"*", "", false},
    {"#", "", true},
    {"#", "a.b.c", true},
    {"a.*", "a.b", true},
    {"a.*", "a", false},
    {"a.#", "a", true},
    {"a.#", "a.b.c", true},
    {"a.#", "b.a", false},
    {"#.b", "b", true},
    {"#.b", "a.c.b", true},
    {"#.b", "b.a", false},
    {"*.*", "a.b", true},
    {"#.*", "", false},
    {"#.*", "a", true},
    {"*.#", "a.b.c", true},
    {"*.#", "", false},
    {"#.#", "", true},
    {"a.#.b", "a.b", true},
    {"a.#.b", "a.x.y.b", true},
    {"a.#.b", "a.x.y", false},
    {"a.*.b", "a.x.b", true},
    {"a.#.#.b", "a.x.b", true},
    {"", "", true},
    {"", "a", false},
    {"a.", "a.", true},
    {"a.", "a", false},
    {"a.*", "a.", true},
    {".", ".", true},
    {"*.*", ".", true},
    {"a", "*", false},
    {"*", "#", true},
    {"a*", "ab", false},
    {"a*", "a*", true},
    {"#.a.#.b", "x.a.b", true},
    {"#.a.#.b", "b.a", false},
    {"#.a.#.a.#", "a.x.a", true},
    {"#.a.#.a.#", "a.x", false},
};

TEST(topic_trie, patterns_match_as_amqp_says) {
  for (const auto& each : examples) {
    EXPECT_EQ(naive::topic_matches(each.pattern, each.key), each.matches) << each.pattern << " on " << each.key;
    EXPECT_EQ(matches(of({each.pattern}), each.key).size(), each.matches ? 1u : 0u)
        << each.pattern << " on " << each.key;
  }
}

std::string random_text(std::mt19937& dice, const std::vector<std::string>& words, std::size_t words_max) {
  std::string text;
  for (auto left = dice() % (words_max + 1); left > 0; --left)
    text += (text.empty() ? "" : ".") + words[dice() % words.size()];
  return text;
}

TEST(topic_trie, random_patterns_agree_with_the_definition_and_each_matches_once) {
  std::mt19937 dice{11};
  for (int round = 0; round < 1500; ++round) {
    std::set<std::string> patterns;
    for (auto left = 1 + dice() % 12; left > 0; --left)
      patterns.insert(random_text(dice, {"a", "b", "*", "#", "#"}, 6));
    const auto trie = of({patterns.begin(), patterns.end()});
    for (int message = 0; message < 5; ++message) {
      const auto key = random_text(dice, {"a", "b", "c", ""}, 6);
      std::set<std::string> expected;
      for (const auto& each : patterns)
        if (naive::topic_matches(each, key))
          expected.insert(each);
      const auto found = matches(trie, key);
      ASSERT_EQ(std::set<std::string>(found.begin(), found.end()), expected) << "key " << key;
      ASSERT_EQ(found.size(), expected.size()) << "something twice, key " << key;
    }
  }
}

TEST(topic_trie, patterns_that_are_taken_out_stop_matching_and_the_others_go_on) {
  std::mt19937 dice{12};
  std::vector<std::string> patterns;
  for (int i = 0; i < 60; ++i)
    patterns.push_back(random_text(dice, {"a", "b", "*", "#"}, 5));
  std::sort(patterns.begin(), patterns.end());
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
  const auto whole = of(patterns);
  auto trie = whole;
  std::shuffle(patterns.begin(), patterns.end(), dice);
  while (!patterns.empty()) {
    trie = trie.without(patterns.back(), end_key(false, patterns.back()));
    patterns.pop_back();
    for (int message = 0; message < 10; ++message) {
      const auto key = random_text(dice, {"a", "b", "c"}, 5);
      const auto expected = std::count_if(patterns.begin(), patterns.end(),
                                          [&](const std::string& each) { return naive::topic_matches(each, key); });
      ASSERT_EQ(matches(trie, key).size(), static_cast<std::size_t>(expected));
    }
  }
  EXPECT_TRUE(trie.empty()); // no node is left behind
  EXPECT_FALSE(whole.empty());
}

TEST(topic_trie, taking_out_what_was_never_in_changes_nothing) {
  const auto trie = of({"a.b"});
  EXPECT_EQ(matches(trie.without("a.b.c", "qx"), "a.b").size(), 1u);
  EXPECT_EQ(matches(trie.without("a.b", "qother"), "a.b").size(), 1u);
  EXPECT_TRUE(topic_trie{}.without("a.#", "qx").empty());
}

TEST(topic_trie, patterns_that_mean_the_same_are_counted_and_go_one_by_one) {
  auto trie = topic_trie{}.with("a.#.*", "qq", nullptr).with("a.*.#", "qq", nullptr).with("a.#.*.#", "qq", nullptr);
  EXPECT_EQ(matches(trie, "a.b").size(), 1u);
  trie = trie.without("a.#.*", "qq").without("a.#.*.#", "qq");
  EXPECT_EQ(matches(trie, "a.b").size(), 1u);
  EXPECT_TRUE(trie.without("a.*.#", "qq").empty());
}

/// How many nodes the walk stands on, at most, when all of the key is read.
std::size_t nodes_reached(const topic_trie& trie, std::string_view key) {
  topic_trie::scratch room;
  trie.match(key, room, [](const destinations&) {});
  return room.active.size() + room.open.size();
}

// A backtracking matcher needs 2^60 steps and more for these. Ours stands on each node of the trie at most once per
// word: that is counted here, since a time limit would say more about the machine.
TEST(topic_trie, a_bomb_of_wildcards_is_walked_once_per_node) {
  std::string key;
  std::string pattern = "#";
  for (int i = 0; i < 127; ++i)
    key += i ? ".a" : "a";
  for (int i = 0; i < 60; ++i)
    pattern += ".a.#";
  EXPECT_EQ(key.size(), 253u);
  const auto bomb = of({pattern + ".b"});
  EXPECT_TRUE(matches(bomb, key).empty());
  EXPECT_LE(nodes_reached(bomb, key), 122u);
  const auto many = of({pattern + ".b", "#.#.#.#.#.#.#.#", "#.*.#.*.#.*.#.*.#.*.#", pattern});
  EXPECT_EQ(matches(many, key).size(), 3u);
}

TEST(topic_trie, the_longest_pattern_of_the_wire_can_be_bound_and_taken_out) {
  const std::string dots(255, '.');
  std::string hashes = "#";
  while (hashes.size() < 254)
    hashes += ".#";
  for (const auto& pattern : {dots, hashes}) {
    const auto trie = of({pattern});
    EXPECT_EQ(matches(trie, dots).size(), 1u);
    EXPECT_TRUE(trie.without(pattern, end_key(false, pattern)).empty());
  }
}

} // namespace
} // namespace switchboard::broker
