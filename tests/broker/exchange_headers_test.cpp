#include "broker/exchange_headers.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "broker/amqp_reply.hpp"

namespace switchboard::broker {
namespace {

field_table table(std::initializer_list<field_table::field> fields) {
  field_table made;
  for (const auto& [name, value] : fields)
    made.append(name, value);
  return made;
}

bool matches(const field_table& arguments, const field_table& headers) {
  std::string bytes;
  encode_fields(headers, bytes);
  std::vector<header_field> read;
  read_headers(bytes, read);
  return header_pattern{arguments}.matches(read);
}

struct example {
  const char* name;
  field_table arguments;
  field_table headers;
  bool matches;
};

const example examples[] = {
    {"all of one", table({{"a", 1}}), table({{"a", 1}}), true},
    {"all, one missing", table({{"a", 1}, {"b", 2}}), table({{"a", 1}}), false},
    {"all, more headers than asked", table({{"b", 2}}), table({{"a", 1}, {"b", 2}, {"c", 3}}), true},
    {"all, another value", table({{"a", 1}}), table({{"a", 2}}), false},
    {"all of nothing", table({}), table({{"a", 1}}), true},
    {"all of nothing, no headers", table({{"x-match", "all"}}), table({}), true},
    {"any, first", table({{"x-match", "any"}, {"a", 1}, {"b", 2}}), table({{"a", 1}}), true},
    {"any, last", table({{"x-match", "any"}, {"a", 1}, {"b", 2}}), table({{"b", 2}}), true},
    {"any, none", table({{"x-match", "any"}, {"a", 1}, {"b", 2}}), table({{"a", 2}, {"b", 1}}), false},
    {"any of nothing", table({{"x-match", "any"}}), table({{"a", 1}}), false},
    {"order of names is no matter", table({{"b", 2}, {"a", 1}}), table({{"a", 1}, {"b", 2}}), true},
    {"no value asks for presence", table({{"a", {}}}), table({{"a", "whatever"}}), true},
    {"no value, not there", table({{"a", {}}}), table({{"b", 1}}), false},
    {"no value in any", table({{"x-match", "any"}, {"a", {}}}), table({{"a", 1}}), true},
    {"a header without value is no number", table({{"a", 0}}), table({{"a", {}}}), false},
    {"width of a number is no matter", table({{"a", std::int8_t{7}}}), table({{"a", std::int64_t{7}}}), true},
    {"sign is", table({{"a", std::int8_t{-1}}}), table({{"a", std::uint8_t{255}}}), false},
    {"largest unsigned", table({{"a", std::numeric_limits<std::uint64_t>::max()}}),
     table({{"a", std::numeric_limits<std::uint64_t>::max()}}), true},
    {"largest unsigned is not -1", table({{"a", std::numeric_limits<std::uint64_t>::max()}}), table({{"a", -1}}),
     false},
    {"whole real equals integer", table({{"a", 2}}), table({{"a", 2.0}}), true},
    {"float equals double", table({{"a", 0.5F}}), table({{"a", 0.5}}), true},
    {"2^53+1 is not 2^53", table({{"a", std::int64_t{9007199254740993}}}), table({{"a", 9007199254740992.0}}), false},
    {"true is not 1", table({{"a", true}}), table({{"a", 1}}), false},
    {"text and bytes are the same", table({{"a", "x"}}), table({{"a", byte_array{"x"}}}), true},
    {"text is not a number", table({{"a", "1"}}), table({{"a", 1}}), false},
    {"time equals its seconds", table({{"a", timestamp{5}}}), table({{"a", 5}}), true},
    {"equal arrays", table({{"a", field_array{1, "x"}}}), table({{"a", field_array{1, "x"}}}), true},
    {"other arrays", table({{"a", field_array{1, "x"}}}), table({{"a", field_array{1, "y"}}}), false},
    {"equal tables", table({{"a", table({{"k", 1}})}}), table({{"a", table({{"k", 1}})}}), true},
    {"equal decimals", table({{"a", decimal{1, 2}}}), table({{"a", decimal{1, 2}}}), true},
    {"other decimals", table({{"a", decimal{1, 2}}}), table({{"a", decimal{2, 2}}}), false},
    {"x- takes no part in all", table({{"x-a", 1}, {"b", 2}}), table({{"b", 2}}), true},
    {"x- takes no part in any", table({{"x-match", "any"}, {"x-a", 1}}), table({{"x-a", 1}}), false},
    {"x- counts with all-with-x", table({{"x-match", "all-with-x"}, {"x-a", 1}}), table({{"b", 2}}), false},
    {"x- matches with all-with-x", table({{"x-match", "all-with-x"}, {"x-a", 1}}), table({{"x-a", 1}}), true},
    {"x- matches with any-with-x", table({{"x-match", "any-with-x"}, {"x-a", 1}}), table({{"x-a", 1}}), true},
    {"x-match itself never counts", table({{"x-match", "any-with-x"}}), table({{"x-match", "any-with-x"}}), false},
};

TEST(exchange_headers, match_as_rabbitmq_matches) {
  for (const auto& each : examples)
    EXPECT_EQ(matches(each.arguments, each.headers), each.matches) << each.name;
}

TEST(exchange_headers, many_headers_are_found_wherever_they_stand) {
  field_table headers;
  for (int i = 0; i < 200; ++i)
    headers.append("h" + std::to_string(i * 7 % 200), i * 7 % 200);
  EXPECT_TRUE(matches(table({{"h199", 199}, {"h0", 0}, {"h57", 57}}), headers));
  EXPECT_FALSE(matches(table({{"h199", 199}, {"h200", 200}}), headers));
}

TEST(exchange_headers, headers_that_break_off_count_as_far_as_they_can_be_read) {
  std::string bytes;
  encode_fields(table({{"a", 1}, {"b", "text"}, {"c", field_array{1, 2}}}), bytes);
  std::vector<header_field> whole;
  read_headers(bytes, whole);
  ASSERT_EQ(whole.size(), 3u);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::vector<header_field> read;
    const std::string cut = bytes.substr(0, size); // its own memory: a sanitizer sees a read past its end
    read_headers(cut, read);
    ASSERT_LT(read.size(), 3u);
    for (std::size_t i = 0; i < read.size(); ++i)
      EXPECT_TRUE(read[i].name == whole[i].name && same_value(read[i], whole[i]));
  }
}

TEST(exchange_headers, an_unknown_type_letter_ends_the_headers) {
  std::vector<header_field> read;
  read_headers(std::string_view{"\1a?zzzz", 7}, read);
  EXPECT_TRUE(read.empty());
}

TEST(exchange_headers, x_match_is_one_of_four_words) {
  for (const auto* word : {"all", "any", "all-with-x", "any-with-x"})
    EXPECT_TRUE(header_pattern::check(table({{"x-match", word}}))) << word;
  EXPECT_TRUE(header_pattern::check(table({{"a", 1}})));
  EXPECT_EQ(header_pattern::check(table({{"x-match", "nope"}})).error().what,
            "PRECONDITION_FAILED - Invalid x-match field value <<\"nope\">>; expected all, any, all-with-x, or "
            "any-with-x");
  const auto wrong = header_pattern::check(table({{"x-match", 1}})).error();
  EXPECT_EQ(wrong.what, "PRECONDITION_FAILED - Invalid x-match field type signedint (value 1); expected longstr");
  EXPECT_EQ(reply_code(wrong), 406);
}

} // namespace
} // namespace switchboard::broker
