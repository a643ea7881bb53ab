#include "actors/message/message_rules.hpp"

#include <gtest/gtest.h>

#include <string>

namespace switchboard::telephony {
namespace {

std::string times(std::size_t count, const char* text) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i)
    all += text;
  return all;
}

TEST(target_status, changes_only_towards_the_truth) {
  // rows: from, columns: to; in the order of the enum
  const char* const table[] = {
      ".xxx.x.", // queued
      "..xx..x", // sent
      ".......", // delivered
      ".......", // failed
      ".......", // received
      ".xxx...", // gw_timeout
      "..xx...", // dlr_timeout
  };
  for (int from = 0; from < 7; ++from)
    for (int to = 0; to < 7; ++to)
      EXPECT_EQ(may_change(static_cast<target_status>(from), static_cast<target_status>(to)), table[from][to] == 'x')
          << from << " -> " << to;
}

TEST(retry_wait, is_the_seeds_schedule) {
  for (int attempts = 1; attempts <= 6; ++attempts)
    EXPECT_EQ(retry_wait(attempts), std::chrono::seconds{1 << (attempts - 1)});
  for (const int attempts : {-1, 0, 7, 8, 100})
    EXPECT_EQ(retry_wait(attempts), std::nullopt) << attempts;
}

TEST(e164, is_a_plus_and_seven_to_fifteen_digits) {
  for (const char* good : {"+1234567", "+15559876543", "+123456789012345"})
    EXPECT_TRUE(is_e164(good)) << good;
  for (const char* bad : {"", "+", "15559876543", "+123456", "+1234567890123456", "+05559876543", "+1555987654a",
                          "+1 555 987 6543", "++15559876543", "0015559876543"})
    EXPECT_FALSE(is_e164(bad)) << bad;
}

TEST(sender, is_a_number_a_short_code_or_a_name) {
  for (const char* good : {"+15559876543", "123", "12345678", "Sales", "My Shop 24", "A1234567890"})
    EXPECT_TRUE(is_sender(good)) << good;
  for (const char* bad : {"", "12", "123456789", "A12345678901", "Caf\xc3\xa9", "a+b", "   "})
    EXPECT_FALSE(is_sender(bad)) << bad;
}

TEST(cut, counts_septets_and_parts) {
  const auto gsm = text_encoding::gsm7;
  const struct {
    std::string text;
    segmented parts;
  } table[] = {
      {"", {gsm, 0, 0}},
      {"hello", {gsm, 5, 1}},
      {times(160, "a"), {gsm, 160, 1}},
      {times(161, "a"), {gsm, 161, 2}},
      {times(306, "a"), {gsm, 306, 2}},
      {times(307, "a"), {gsm, 307, 3}},
      {times(80, "€"), {gsm, 160, 1}}, // an escape and a septet each
      {times(77, "€"), {gsm, 154, 1}},
      {times(152, "a") + "€" + times(10, "a"), {gsm, 164, 2}},  // the escape moves to the second part
      {times(152, "a") + "€" + times(152, "a"), {gsm, 306, 3}}, // … which leaves no room for the last letter
      {"{[~]}\\|^", {gsm, 16, 1}},
      {"ÄÖÜ äöü ß ñ Δ @£$", {gsm, 17, 1}},
      {"line\r\nline", {gsm, 10, 1}},
  };
  for (const auto& [text, parts] : table) {
    const auto made = cut(text);
    ASSERT_TRUE(made) << text;
    EXPECT_EQ(made->encoding, parts.encoding) << text;
    EXPECT_EQ(made->units, parts.units) << text;
    EXPECT_EQ(made->segments, parts.segments) << text;
  }
}

TEST(cut, takes_utf16_for_what_the_alphabet_lacks) {
  const auto ucs2 = text_encoding::ucs2;
  EXPECT_EQ(cut("ç"), (segmented{ucs2, 1, 1}));
  EXPECT_EQ(cut("`"), (segmented{ucs2, 1, 1}));
  EXPECT_EQ(cut("a\tb"), (segmented{ucs2, 3, 1}));
  EXPECT_EQ(cut(times(70, "я")), (segmented{ucs2, 70, 1}));
  EXPECT_EQ(cut(times(71, "я")), (segmented{ucs2, 71, 2}));
  EXPECT_EQ(cut(times(134, "я")), (segmented{ucs2, 134, 2}));
  EXPECT_EQ(cut(times(135, "я")), (segmented{ucs2, 135, 3}));
  EXPECT_EQ(cut("😀"), (segmented{ucs2, 2, 1}));
  EXPECT_EQ(cut(times(35, "😀")), (segmented{ucs2, 70, 1}));
  EXPECT_EQ(cut(times(67, "😀")), (segmented{ucs2, 134, 3})); // 33 pairs to a part: none is cut in two
}

TEST(cut, refuses_what_is_not_utf8) {
  for (const char* bad : {"\xff", "\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                          "\xf0\x80\x80\x80", "ok\xe2\x82"})
    EXPECT_EQ(cut(bad), std::nullopt);
}

} // namespace
} // namespace switchboard::telephony
