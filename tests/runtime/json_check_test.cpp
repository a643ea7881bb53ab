#include "runtime/json_check.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "messages/envelope.hpp"

namespace switchboard::runtime {
namespace {

constexpr std::size_t bytes_max = 1 << 20;

void expect_same(const std::string& text, int depth_max = envelope_depth_max) {
  EXPECT_EQ(is_json_quickly(text, bytes_max, depth_max), is_json(text, bytes_max, depth_max))
      << text.substr(0, 200) << " (" << text.size() << " bytes)";
}

std::string nested(std::size_t depth, const std::string& inside) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i)
    text += i % 2 ? "{\"a\":" : "[";
  text += inside;
  for (std::size_t i = depth; i-- > 0;)
    text += i % 2 ? "}" : "]";
  return text;
}

TEST(json_check, says_what_the_parser_says) {
  using namespace std::string_literals;
  for (const auto& text : {
           ""s,
           " "s,
           "null"s,
           "{}"s,
           "[]"s,
           "{\"a\":1,\"a\":2}"s,
           "{\"a\":[1,-0,1.5e3,true,false,null,\"x\"]}"s,
           "{\"a\":1,}"s,
           "{a:1}"s,
           "{} {}"s,
           "[1,2"s,
           "01"s,
           "1."s,
           "-"s,
           "1e400"s,
           "18446744073709551615"s,
           "18446744073709551616"s,
           "123456789012345678901234567890"s,
           "NaN"s,
           "\"\\ud800\""s,
           "\"\\udc00\""s,
           "\"\\ud83d\\ude00\""s,
           "\"\\u12g4\""s,
           "\"\\x\""s,
           "\"a\tb\""s,
           "\"\x7f\""s,
           "\"\xc3\xa9\""s,
           "\"\xc3\""s,
           "\"\xed\xa0\x80\""s,
           "\xef\xbb\xbf{}"s,
           "{}\0"s,
           "\"\0\""s,
           "\0"s,
           "[1\0]"s,
           "[true\0x]"s,
           "[1\x0c]"s,
       })
    expect_same(text);
}

TEST(json_check, has_the_same_limit_of_depth) {
  for (std::size_t depth = 60; depth < 70; ++depth)
    for (const auto* inside : {"", "1", "\"[[[[[[[[[[[[[[\""})
      expect_same(nested(depth, depth % 2 == 0 && !*inside ? "1" : inside));
  expect_same("[[1]]", 1);
  expect_same("[[1]]", 2);
  expect_same("[[]]", 1);
}

TEST(json_check, has_the_limit_of_size_to_the_byte) {
  const auto text_of = [](std::size_t bytes) { return '"' + std::string(bytes - 2, 'x') + '"'; };
  for (const std::size_t bytes : {32767U, 32768U, 32769U, 1U << 20})
    expect_same(text_of(bytes));
  EXPECT_TRUE(is_json_quickly(text_of(100), 100, 3));
  EXPECT_FALSE(is_json_quickly(text_of(101), 100, 3));
}

// What was parsed before must not show through.
TEST(json_check, forgets_the_text_before) {
  for (const auto* text : {"null", "nul", "[[1]]", "[[1]", "{\"a\":1}", "{\"a\":", "\"xyz\"", "\"xy", "true", "t"})
    expect_same(text);
}

// simdjson takes it for 1.2e295 if it gets it; to the parser it is infinite, and refused.
TEST(json_check, is_not_misled_by_an_exponent_that_it_does_not_read) {
  for (const std::size_t zeros : {30'000U, 32'000U, 65'240U})
    expect_same("[0." + std::string(zeros, '0') + "12345678901234567890123e655360]");
}

/// Damaged in a few bytes: neither may believe what the other doesn't. Without \u, which is not looked at quickly.
TEST(json_check, agrees_on_random_texts) {
  std::mt19937_64 dice{7};
  const std::string good =
      R"({"id":"call-1","n":[1,-2.5e-3,{"é":"\"\\\/\b𝄞"}],"t":true,"f":false,"z":null,"e":[],"o":{}})";
  constexpr std::string_view bytes{"{}[]\",:\\012389deE+-.tfn \t\n\0\x01\x0c\x80\xc3\xed\xef\xf0\xff", 35};
  std::size_t accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    auto text = good;
    for (auto changes = dice() % 3; changes-- > 0;) {
      const auto at = dice() % text.size();
      const char what = bytes[dice() % bytes.size()];
      switch (dice() % 3) {
      case 0:
        text[at] = what;
        break;
      case 1:
        text.insert(at, 1, what);
        break;
      default:
        text.erase(at, 1 + dice() % 4);
      }
    }
    expect_same(text);
    accepted += is_json(text, bytes_max, envelope_depth_max) && text.find("\\u") == std::string::npos ? 1 : 0;
  }
  EXPECT_GT(accepted, 50'000U);
  EXPECT_LT(accepted, 190'000U);
}

} // namespace
} // namespace switchboard::runtime
