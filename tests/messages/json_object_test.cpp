#include "messages/json_object.hpp"

#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "messages/envelope.hpp"

namespace switchboard {
namespace {

std::string library(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

std::string written(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(json_text, is_what_the_library_writes) {
  for (const auto& value :
       {json(), json(true), json(false), json(0), json(-1), json(std::numeric_limits<std::int64_t>::min()),
        json(std::numeric_limits<std::uint64_t>::max()), json(1.5), json(1e300), json::array(), json::object(),
        json{{"a", {1, 2, {{"b", nullptr}}}}, {"", json::array({json::object()})}}})
    EXPECT_EQ(dump(value), library(value));
}

TEST(json_text, escapes_texts_as_the_library_does) {
  for (const std::string text : {"", "plain", "\"", "\\", "a\"b\\c\"", "\\\\\"\"", "line\nbreak", "\t", "\x01", "\x7f",
                                 "grün", "日本", "\xff", "cut \xe2\x82", "</script>"})
    EXPECT_EQ(written(text), library(json(text))) << text;
  EXPECT_EQ(written({"a\0b", 3}), "\"a\\u0000b\"");
}

TEST(json_text, is_what_the_library_writes_of_random_bytes_too) {
  std::mt19937 dice{7};
  for (int round = 0; round < 2000; ++round) {
    std::string text(dice() % 12, ' ');
    for (auto& c : text)
      c = dice() % 3 == 0 ? static_cast<char>(dice() % 256) : "\"\\ab"[dice() % 4];
    ASSERT_EQ(written(text), library(json(text)));
    ASSERT_EQ(dump(json{{text, text}}), library(json{{text, text}}));
  }
}

TEST(json_text, of_an_object_keeps_the_order_of_its_fields) {
  json_object out;
  out.text("z", "\"").number("b", -5).raw("a", "[1]").raw("none", "").field("f", json{{"x", 1}});
  EXPECT_EQ(std::move(out).finish(), R"({"z":"\"","b":-5,"a":[1],"none":null,"f":{"x":1}})");
  EXPECT_EQ(json_object{}.finish(), "{}");
}

TEST(json_text, is_known_without_being_read) {
  EXPECT_TRUE(is_json(R"({"a":[1,"x",null]})"));
  EXPECT_TRUE(is_json("3"));
  EXPECT_FALSE(is_json(""));
  EXPECT_FALSE(is_json("{"));
  EXPECT_FALSE(is_json("\"\xff\""));
  EXPECT_FALSE(is_json({"{}\0", 3})) << "the library takes it for the end";
  EXPECT_FALSE(is_json("\xef\xbb\xbf{}")) << "the library skips it";
  EXPECT_FALSE(parse_json({"{}\0", 3}));
  EXPECT_FALSE(parse_json("\xef\xbb\xbf{}"));
  EXPECT_FALSE(is_json("[1]", 2));
  EXPECT_FALSE(is_json("[[[1]]]", 100, 2));
}

TEST(json_text, goes_into_an_envelope_as_it_stands) {
  event fact;
  fact.event_type = "call.created";
  fact.data = {{"a", 1}};
  EXPECT_EQ(encode(fact, R"({"a":1})"), encode(fact));
  EXPECT_EQ(json::parse(encode(fact, ""))["data"], nullptr);
  for (const auto form : {dialect::documented, dialect::voipbin}) {
    response answer;
    answer.dialect = form;
    answer.body = {{"a", 1}};
    EXPECT_EQ(encode(answer, R"({"a":1})"), encode(answer));
  }
}

} // namespace
} // namespace switchboard
