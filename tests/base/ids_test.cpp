#include "base/ids.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/random.hpp"

namespace switchboard {
namespace {

TEST(uuid, is_version_4_of_the_rfc_variant_in_lower_case) {
  for (int i = 0; i < 1000; ++i) {
    const auto made = make_uuid();
    ASSERT_TRUE(is_uuid(made)) << made;
    EXPECT_EQ(made[14], '4') << made;
    EXPECT_NE(std::string_view{"89ab"}.find(made[19]), std::string_view::npos) << made;
    EXPECT_EQ(made.find_first_of("ABCDEF"), std::string::npos) << made;
  }
}

TEST(ordered_uuid, is_version_7_and_begins_with_the_time) {
  const time_point at{milliseconds{0x017f22e279b0}}; // RFC 9562, A.6
  const auto made = make_ordered_uuid(at);
  EXPECT_TRUE(is_uuid(made)) << made;
  EXPECT_TRUE(made.starts_with("017f22e2-79b0-7")) << made;
  EXPECT_NE(std::string_view{"89ab"}.find(made[19]), std::string_view::npos) << made;
  EXPECT_NE(made, make_ordered_uuid(at));
  EXPECT_LT(made, make_ordered_uuid(at + milliseconds{1}));
}

TEST(random_name, is_22_characters_of_base64url_and_never_the_same) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto made = random_name();
    EXPECT_EQ(made.size(), 22U);
    EXPECT_EQ(made.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
              std::string::npos);
    EXPECT_TRUE(seen.insert(made).second) << made;
  }
}

TEST(uuid, threads_never_make_the_same_one) {
  constexpr int threads = 4;
  constexpr int each = 5000;
  std::vector<std::vector<std::string>> made(threads);
  std::vector<std::thread> running;
  for (auto& mine : made)
    running.emplace_back([&mine] {
      for (int i = 0; i < each; ++i)
        mine.push_back(make_uuid());
    });
  for (auto& thread : running)
    thread.join();
  std::set<std::string> all;
  for (const auto& mine : made)
    all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), static_cast<std::size_t>(threads * each));
}

TEST(uuid, is_recognised_in_either_case_and_nothing_else_is) {
  EXPECT_TRUE(is_uuid("6e0b8f4e-1b52-4f0e-8a59-5f6cf4f7b0aa"));
  EXPECT_TRUE(is_uuid("6E0B8F4E-1B52-1F0E-0A59-5F6CF4F7B0AA"));
  for (const auto* wrong : {"", "6e0b8f4e-1b52-4f0e-8a59-5f6cf4f7b0a", "6e0b8f4e-1b52-4f0e-8a59-5f6cf4f7b0aa0",
                            "6e0b8f4e+1b52-4f0e-8a59-5f6cf4f7b0aa", "6e0b8f4e-1b52-4f0e-8a59-5f6cf4f7b0ag",
                            "{e0b8f4e-1b52-4f0e-8a59-5f6cf4f7b0a}"})
    EXPECT_FALSE(is_uuid(wrong)) << wrong;
}

TEST(random, bytes_look_random_over_the_edge_of_the_buffer) {
  std::array<std::byte, 10000> bytes{};
  fill_random(bytes);
  std::array<int, 256> seen{};
  for (auto b : bytes)
    ++seen[std::to_integer<unsigned>(b)];
  for (int count : seen) { // expected 39; 6 standard deviations either way
    EXPECT_GT(count, 1);
    EXPECT_LT(count, 78);
  }
}

TEST(identity, takes_visible_ascii_without_the_marks_of_topics_and_routes) {
  EXPECT_TRUE(is_identity("call-789"));
  EXPECT_TRUE(is_identity("~!@$%^&()=+[]{}"));
  EXPECT_TRUE(is_identity(std::string(128, 'x')));
  EXPECT_FALSE(is_identity(std::string(129, 'x')));
  for (const auto* wrong : {"", " ", "a b", "a:b", "*", "a#", "a/b", "a\n", "caf\xc3\xa9", "\x7f"})
    EXPECT_FALSE(is_identity(wrong)) << wrong;
  EXPECT_FALSE(is_identity(std::string_view{"a\0b", 3}));
}

TEST(identity, is_a_type_for_each_resource) {
  static_assert(!std::is_convertible_v<call_id, agent_id>);
  static_assert(!std::is_convertible_v<std::string, call_id>);
  const auto read = call_id::from("call-789");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->str(), "call-789");
  EXPECT_EQ(*read, *call_id::from("call-789"));
  EXPECT_LT(*read, *call_id::from("call-79"));
  EXPECT_EQ(call_id::from("call:789").error().code, errc::bad_format);
  EXPECT_TRUE(call_id{}.empty());
}

} // namespace
} // namespace switchboard
