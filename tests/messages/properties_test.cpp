#include "messages/properties.hpp"

#include <gtest/gtest.h>

#include "tests/golden/golden.hpp"
#include "tests/golden/mutate.hpp"

namespace switchboard {
namespace {

/// What tests/golden/properties.hex says.
basic_properties all_of_them() {
  basic_properties made;
  made.content_type = "text/json";
  made.content_encoding = "utf8";
  made.headers.emplace().set("a", 7);
  made.delivery_mode = 2;
  made.priority = 9;
  made.correlation_id = "corr-1";
  made.reply_to = "reply";
  made.expiration = "60000";
  made.message_id = "m-1";
  made.timestamp = 1768910400;
  made.type = "call";
  made.user_id = "guest";
  made.app_id = "pika";
  made.cluster_id = "c";
  return made;
}

TEST(properties, read_the_golden_bytes) {
  const auto read = decode_properties(golden::bytes("properties.hex"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, all_of_them());
}

TEST(properties, write_the_golden_bytes) {
  EXPECT_EQ(encode_properties(all_of_them()), golden::bytes("properties.hex"));
}

TEST(properties, glance_finds_what_a_session_needs) {
  const auto bytes = golden::bytes("properties.hex");
  const auto seen = glance_properties(bytes);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_TRUE(seen->persistent);
  EXPECT_EQ(seen->priority, 9);
  EXPECT_EQ(seen->correlation_id, "corr-1");
  EXPECT_EQ(seen->reply_to, "reply");
  EXPECT_TRUE(seen->has_expiration);
  EXPECT_EQ(seen->expiration, "60000");
  EXPECT_EQ(seen->message_id, "m-1");
  EXPECT_TRUE(seen->has_user_id);
  EXPECT_EQ(seen->user_id, "guest");
  const auto headers = decode_fields(seen->headers);
  ASSERT_TRUE(headers);
  EXPECT_EQ(*headers, *all_of_them().headers);
  EXPECT_GE(seen->reply_to.data(), bytes.data()); // a view, not a copy
  EXPECT_LT(seen->reply_to.data(), bytes.data() + bytes.size());
}

TEST(properties, none_at_all_is_two_bytes) {
  EXPECT_EQ(encode_properties({}), std::string(2, '\0'));
  const auto seen = glance_properties(std::string_view("\0\0", 2));
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->persistent || seen->has_expiration || seen->has_user_id);
  EXPECT_TRUE(seen->headers.empty());
}

TEST(properties, every_subset_comes_back_and_both_readers_agree) {
  const auto whole = all_of_them();
  for (unsigned subset = 0; subset < 1U << 14; ++subset) {
    basic_properties some;
    const auto pick = [&, bit = 0](auto member) mutable {
      if (subset >> bit++ & 1U)
        some.*member = whole.*member;
    };
    auto each = pick;
    each(&basic_properties::content_type), each(&basic_properties::content_encoding), each(&basic_properties::headers);
    each(&basic_properties::delivery_mode), each(&basic_properties::priority), each(&basic_properties::correlation_id);
    each(&basic_properties::reply_to), each(&basic_properties::expiration), each(&basic_properties::message_id);
    each(&basic_properties::timestamp), each(&basic_properties::type), each(&basic_properties::user_id);
    each(&basic_properties::app_id), each(&basic_properties::cluster_id);
    const auto bytes = encode_properties(some);
    const auto read = decode_properties(bytes);
    ASSERT_TRUE(read) << subset;
    ASSERT_EQ(*read, some) << subset;
    const auto seen = glance_properties(bytes);
    ASSERT_TRUE(seen) << subset;
    ASSERT_EQ(seen->persistent, some.delivery_mode.has_value());
    ASSERT_EQ(seen->user_id, some.user_id.value_or(""));
    ASSERT_EQ(seen->has_expiration, some.expiration.has_value());
    ASSERT_EQ(seen->message_id, some.message_id.value_or(""));
  }
}

TEST(properties, cut_off_anywhere_are_refused_by_both_readers) {
  const auto whole = golden::bytes("properties.hex");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto part = whole.substr(0, size);
    ASSERT_FALSE(decode_properties(part)) << size;
    ASSERT_FALSE(glance_properties(part)) << size;
    EXPECT_EQ(glance_properties(part).error().code, errc::bad_format);
  }
}

TEST(properties, left_over_bytes_and_unknown_flags_are_refused) {
  for (const auto& bytes : {golden::bytes("properties.hex") + "x", std::string("\0\1", 2), std::string("\0\2", 2),
                            std::string("\0\1\0\0", 4)}) {
    EXPECT_EQ(decode_properties(bytes).error().code, errc::bad_format);
    EXPECT_EQ(glance_properties(bytes).error().code, errc::bad_format);
  }
}

TEST(properties, only_delivery_mode_2_is_persistent) {
  for (std::uint8_t mode : {0, 1, 2, 3, 255}) {
    basic_properties one;
    one.delivery_mode = mode;
    EXPECT_EQ(glance_properties(encode_properties(one))->persistent, mode == 2) << int{mode};
  }
}

TEST(properties, short_strings_are_cut_at_255_bytes) {
  basic_properties long_one;
  long_one.message_id = std::string(300, 'm');
  const auto read = decode_properties(encode_properties(long_one));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->message_id->size(), 255U);
}

TEST(properties, mutated_bytes_never_crash_and_what_is_read_is_stable) {
  const auto whole = golden::bytes("properties.hex");
  std::mt19937 dice{4712};
  int readable = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto bytes = golden::mutate(whole, dice);
    const auto read = decode_properties(bytes);
    if (!read)
      continue;
    ++readable;
    ASSERT_TRUE(glance_properties(bytes));
    const auto again = encode_properties(*read);
    const auto reread = decode_properties(again);
    ASSERT_TRUE(reread);
    EXPECT_EQ(encode_properties(*reread), again);
  }
  EXPECT_GT(readable, 100);
}

} // namespace
} // namespace switchboard
