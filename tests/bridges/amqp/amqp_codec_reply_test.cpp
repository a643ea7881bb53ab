#include "bridges/amqp/amqp_codec_reply.hpp"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "tests/bridges/amqp/amqp_codec_samples.hpp"

namespace switchboard::amqp {
namespace {

using samples::octets;

TEST(amqp_codec_reply, codes_have_rabbitmqs_names_and_scopes) {
  struct row {
    int number;
    std::string_view name;
    bool ends_connection;
  };
  // As rabbit_framing_amqp_0_9_1:lookup_amqp_exception has them.
  const auto rows = std::to_array<row>({
      {311, "CONTENT_TOO_LARGE", false},
      {312, "NO_ROUTE", false},
      {313, "NO_CONSUMERS", false},
      {320, "CONNECTION_FORCED", true},
      {402, "INVALID_PATH", true},
      {403, "ACCESS_REFUSED", false},
      {404, "NOT_FOUND", false},
      {405, "RESOURCE_LOCKED", false},
      {406, "PRECONDITION_FAILED", false},
      {501, "FRAME_ERROR", true},
      {502, "SYNTAX_ERROR", true},
      {503, "COMMAND_INVALID", true},
      {504, "CHANNEL_ERROR", true},
      {505, "UNEXPECTED_FRAME", true},
      {506, "RESOURCE_ERROR", true},
      {530, "NOT_ALLOWED", true},
      {540, "NOT_IMPLEMENTED", true},
      {541, "INTERNAL_ERROR", true},
  });
  for (const auto& row : rows) {
    const auto code = static_cast<reply_code>(row.number);
    EXPECT_EQ(name(code), row.name);
    EXPECT_EQ(is_connection_error(code), row.ends_connection) << row.name;
  }
}

TEST(amqp_codec_reply, a_text_is_name_and_explanation) {
  EXPECT_EQ(reply_text(reply_code::not_found, "no queue 'q' in vhost '/'"), "NOT_FOUND - no queue 'q' in vhost '/'");
}

TEST(amqp_codec_reply, a_text_over_255_bytes_is_cut_as_rabbitmq_cuts_it) {
  const std::string prefix = "NOT_FOUND - ";
  const std::string fits(255 - prefix.size(), 'x');
  EXPECT_EQ(reply_text(reply_code::not_found, fits), prefix + fits);
  const auto cut = reply_text(reply_code::not_found, fits + 'y');
  EXPECT_EQ(cut, (prefix + fits).substr(0, 252) + "...");
}

TEST(amqp_codec_reply, a_text_is_never_cut_inside_a_character) {
  // Each "ä" takes two bytes; byte 252 is the second half of one for one of the two paddings.
  for (const std::string padding : {"", "x"}) {
    std::string name = padding;
    for (int count = 0; count < 200; ++count)
      name += "ä";
    const auto text = reply_text(reply_code::not_found, name);
    EXPECT_LE(text.size(), 255U);
    EXPECT_TRUE(text.ends_with("ä...")) << text;
  }
}

TEST(amqp_codec_reply, octets_print_as_erlang_prints_a_binary) {
  EXPECT_EQ(octets_text(""), "<<>>");
  EXPECT_EQ(octets_text(octets(0)), "<<0>>");
  EXPECT_EQ(octets_text("abc" + octets(0, 255)), "<<97,98,99,0,255>>");
  EXPECT_EQ(printable_octets_text(""), "<<>>");
  EXPECT_EQ(printable_octets_text("abc"), "<<\"abc\">>");
  // Seen from Erlang/OTP 25: io_lib:format("~p", [<<"a\"b\\c\n\e\t">>]) and [<<8,12,11,13>>].
  EXPECT_EQ(printable_octets_text("a\"b\\c\n\x1B\t"), R"(<<"a\"b\\c\n\e\t">>)");
  EXPECT_EQ(printable_octets_text(octets(8, 12, 11, 13)), R"(<<"\b\f\v\r">>)");
  EXPECT_EQ(printable_octets_text(octets('a', 127)), "<<97,127>>");
  EXPECT_EQ(printable_octets_text(octets('a', 0xE4)), "<<97,228>>"); // Erlang prints Latin-1 here; we stay ASCII
}

TEST(amqp_codec_reply, long_payloads_show_their_first_16_octets) {
  EXPECT_EQ(payload_snippet("abcdefghijklmnop"), "all octets = <<\"abcdefghijklmnop\">>");
  EXPECT_EQ(payload_snippet("abcdefghijklmnopq"), "first 16 octets = <<\"abcdefghijklmnop\">>");
  EXPECT_EQ(octets_text(std::string(1 << 20, '\0')).size(), 4 + 2 * 128 - 1U); // bounded whatever comes
}

} // namespace
} // namespace switchboard::amqp
