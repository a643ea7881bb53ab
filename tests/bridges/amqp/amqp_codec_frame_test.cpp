#include "bridges/amqp/amqp_codec_frame.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/bridges/amqp/amqp_codec_samples.hpp"

namespace switchboard::amqp {
namespace {

using samples::frame_max;
using samples::framed;
using samples::join;
using samples::octets;

std::string head(unsigned type, std::uint32_t payload_size) {
  return octets(type, 0, 1, payload_size >> 24, payload_size >> 16, payload_size >> 8, payload_size);
}

TEST(amqp_codec_frame, golden_method_frame) {
  const auto bytes = join({
      octets(0x01),       // type: method
      octets(0x12, 0x34), // channel 0x1234
      octets(0, 0, 0, 5), // payload size
      octets(0x00, 0x14), // class channel
      octets(0x00, 0x0A), // method open
      octets(0x00),       // reserved, empty short string
      octets(0xCE),       // frame end
      octets(0x08, 0x00), // the beginning of the next frame
  });
  const auto found = parse_frame(bytes, frame_max);
  ASSERT_EQ(found.state, frame_state::complete);
  EXPECT_EQ(found.kind(), frame_type::method);
  EXPECT_EQ(found.channel, 0x1234);
  EXPECT_EQ(found.payload, octets(0, 0x14, 0, 0x0A, 0));
  EXPECT_EQ(found.payload.data(), bytes.data() + 7); // a view, no copy
  EXPECT_EQ(found.size, 13U);
  EXPECT_FALSE(found.failed());
}

TEST(amqp_codec_frame, golden_heartbeat) {
  std::string out;
  append_heartbeat(out);
  EXPECT_EQ(out, join({
                     octets(0x08),       // type: heartbeat
                     octets(0, 0),       // channel 0
                     octets(0, 0, 0, 0), // no payload
                     octets(0xCE),       // frame end
                 }));
  const auto found = parse_frame(out, frame_max);
  EXPECT_EQ(found.state, frame_state::complete);
  EXPECT_EQ(found.kind(), frame_type::heartbeat);
}

TEST(amqp_codec_frame, every_cut_off_prefix_needs_more_and_says_how_much) {
  const auto bytes = framed(frame_type::body, 1, "some body");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const samples::exact_copy cut{bytes.substr(0, size)};
    const auto found = parse_frame(cut.view(), frame_max);
    EXPECT_EQ(found.state, frame_state::need_more) << size;
    EXPECT_EQ(found.size, size < frame_head_size ? frame_head_size : bytes.size()) << size;
    EXPECT_FALSE(found.failed());
  }
}

TEST(amqp_codec_frame, lengths_around_the_limit) {
  for (const std::uint32_t size : {0U, 1U, frame_max - 8, frame_max - 1, frame_max}) {
    const auto bytes = framed(frame_type::body, 1, std::string(size, 'b'));
    const auto found = parse_frame(bytes, frame_max);
    EXPECT_EQ(found.state, frame_state::complete) << size;
    EXPECT_EQ(found.payload.size(), size);
    EXPECT_EQ(found.size, bytes.size());
  }
  for (const std::uint32_t size : {frame_max + 1, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
    const auto bytes = head(3, size); // known from the head alone
    const auto found = parse_frame(bytes, frame_max);
    EXPECT_EQ(found.state, frame_state::too_large) << size;
    EXPECT_TRUE(found.stream_lost());
    EXPECT_EQ(found.size, std::size_t{size} + 8);
    EXPECT_EQ(frame_error_text(found, bytes, frame_max),
              "type 3, all octets = <<>>: {frame_too_large," + std::to_string(size) + ",131064}");
  }
}

TEST(amqp_codec_frame, lengths_are_right_with_the_largest_and_the_smallest_frame_max) {
  EXPECT_EQ(parse_frame(head(3, 0xFFFFFFFF), 0xFFFFFFFF).state, frame_state::need_more);
  EXPECT_EQ(parse_frame(head(3, 0xFFFFFFFF), 0xFFFFFFFF).size, 0x100000007U);
  EXPECT_EQ(parse_frame(head(3, 0) + octets(0xCE), 0).state, frame_state::complete);
  const auto refused = head(3, 1);
  EXPECT_EQ(frame_error_text(parse_frame(refused, 0), refused, 0), "type 3, all octets = <<>>: {frame_too_large,1,0}");
}

TEST(amqp_codec_frame, a_frame_larger_than_frame_max_is_refused_in_rabbitmqs_words) {
  const auto bytes = head(3, 200000);
  const auto found = parse_frame(bytes, frame_max);
  ASSERT_TRUE(found.failed());
  EXPECT_EQ(reply_text(reply_code::frame_error, frame_error_text(found, bytes, frame_max)),
            "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,200000,131064}");
}

TEST(amqp_codec_frame, a_bad_end_octet_is_refused_in_rabbitmqs_words) {
  const auto bytes = head(1, 5) + octets(0, 20, 0, 10, 0) + octets(0);
  const auto found = parse_frame(bytes, frame_max);
  ASSERT_EQ(found.state, frame_state::bad_end);
  EXPECT_TRUE(found.stream_lost());
  EXPECT_EQ(reply_text(reply_code::frame_error, frame_error_text(found, bytes, frame_max)),
            "FRAME_ERROR - type 1, all octets = <<0,20,0,10,0>>: {invalid_frame_end_marker,0}");
}

TEST(amqp_codec_frame, an_unknown_type_is_refused_in_rabbitmqs_words_and_the_stream_goes_on) {
  const auto bytes = head(7, 3) + "abc" + octets(0xCE);
  const auto found = parse_frame(bytes, frame_max);
  ASSERT_EQ(found.state, frame_state::unknown);
  EXPECT_FALSE(found.stream_lost());
  EXPECT_EQ(found.size, bytes.size());
  EXPECT_EQ(reply_text(reply_code::frame_error, frame_error_text(found, bytes, frame_max)),
            "FRAME_ERROR - type 7, all octets = <<\"abc\">>: unknown_frame");
}

TEST(amqp_codec_frame, every_type_but_four_is_unknown) {
  for (unsigned type = 0; type < 256; ++type) {
    const auto bytes = head(type, 12) + std::string(12, '\0') + octets(0xCE);
    const bool takes_payload = type == 1 || type == 2 || type == 3;
    EXPECT_EQ(parse_frame(bytes, frame_max).state, takes_payload ? frame_state::complete : frame_state::unknown)
        << type;
  }
}

TEST(amqp_codec_frame, a_payload_too_short_for_its_type_is_unknown_as_rabbitmq_has_it) {
  for (std::size_t size = 0; size < 16; ++size) {
    const std::string payload(size, '\0');
    const auto state = [&](frame_type type) { return parse_frame(framed(type, 1, payload), frame_max).state; };
    EXPECT_EQ(state(frame_type::method), size < 4 ? frame_state::unknown : frame_state::complete) << size;
    EXPECT_EQ(state(frame_type::header), size < 12 ? frame_state::unknown : frame_state::complete) << size;
    EXPECT_EQ(state(frame_type::body), frame_state::complete) << size;
    EXPECT_EQ(state(frame_type::heartbeat), size > 0 ? frame_state::unknown : frame_state::complete) << size;
  }
}

TEST(amqp_codec_frame, frames_that_come_unexpected_are_told_in_rabbitmqs_words) {
  EXPECT_EQ(reply_text(reply_code::unexpected_frame, unexpected_frame_text(8, "")),
            "UNEXPECTED_FRAME - type 8, all octets = <<>>");
  EXPECT_EQ(reply_text(reply_code::unexpected_frame, unexpected_frame_text(3, "abc")),
            "UNEXPECTED_FRAME - type 3, all octets = <<\"abc\">>");
}

TEST(amqp_codec_frame, protocol_headers) {
  const auto parse = [](const std::string& bytes) { return parse_protocol_header(bytes); };
  EXPECT_EQ(parse("AMQP" + octets(0, 0, 9, 1)), protocol_version::v0_9_1);
  EXPECT_EQ(parse("AMQP" + octets(1, 1, 0, 9)), protocol_version::v0_9);
  EXPECT_EQ(parse("AMQP" + octets(1, 1, 8, 0)), protocol_version::v0_8);
  EXPECT_EQ(parse("AMQP" + octets(0, 0, 9, 1) + "more"), protocol_version::v0_9_1);
  EXPECT_EQ(parse("AMQP" + octets(0, 1, 0, 0)), protocol_version::refused); // AMQP 1.0
  EXPECT_EQ(parse("AMQP" + octets(3, 1, 0, 0)), protocol_version::refused); // AMQP 1.0 with SASL
  EXPECT_EQ(parse("GET / HTTP/1.1\r\n"), protocol_version::refused);
  EXPECT_EQ(parse("G"), protocol_version::refused); // known at the first wrong byte
  EXPECT_EQ(protocol_header, "AMQP" + octets(0, 0, 9, 1));
  for (std::size_t size = 0; size < 8; ++size)
    EXPECT_EQ(parse_protocol_header(protocol_header.substr(0, size)), protocol_version::need_more) << size;
}

} // namespace
} // namespace switchboard::amqp
