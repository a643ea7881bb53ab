#include "bridges/amqp/amqp_codec_content.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bridges/amqp/amqp_codec_method.hpp"
#include "tests/bridges/amqp/amqp_codec_samples.hpp"

namespace switchboard::amqp {
namespace {

using samples::frame_max;
using samples::join;
using samples::octets;

/// delivery-mode 2
constexpr std::string_view persistent{"\x10\x00\x02", 3};

/// What a peer with that frame_max would see.
std::vector<frame_result> all_frames(std::string_view bytes, std::uint32_t peer_frame_max) {
  std::vector<frame_result> frames;
  while (!bytes.empty()) {
    const auto found = parse_frame(bytes, peer_frame_max);
    EXPECT_EQ(found.state, frame_state::complete);
    if (found.state != frame_state::complete)
      break;
    frames.push_back(found);
    bytes.remove_prefix(found.size);
  }
  return frames;
}

TEST(amqp_codec_content, golden_deliver) {
  std::string out;
  append_deliver(out, 1, "tag", 258, true, "events", "a.b", persistent, "body", frame_max);
  EXPECT_EQ(out, join({
                     octets(0x01),                   // type: method
                     octets(0x00, 0x01),             // channel 1
                     octets(0, 0, 0, 28),            // payload size
                     octets(0x00, 0x3C),             // class basic
                     octets(0x00, 0x3C),             // method deliver
                     octets(3) + "tag",              // consumer tag
                     octets(0, 0, 0, 0, 0, 0, 1, 2), // delivery tag 258
                     octets(1),                      // redelivered
                     octets(6) + "events",           // exchange
                     octets(3) + "a.b",              // routing key
                     octets(0xCE),                   // frame end
                     octets(0x02),                   // type: header
                     octets(0x00, 0x01),             // channel 1
                     octets(0, 0, 0, 15),            // payload size
                     octets(0x00, 0x3C),             // class basic
                     octets(0x00, 0x00),             // weight
                     octets(0, 0, 0, 0, 0, 0, 0, 4), // body size
                     octets(0x10, 0x00),             // property flags: delivery-mode
                     octets(2),                      // persistent
                     octets(0xCE),                   // frame end
                     octets(0x03),                   // type: body
                     octets(0x00, 0x01),             // channel 1
                     octets(0, 0, 0, 4),             // payload size
                     "body",                         // payload
                     octets(0xCE),                   // frame end
                 }));
}

TEST(amqp_codec_content, golden_acks) {
  std::string out;
  append_ack(out, 2, 7, true);
  append_nack(out, 2, 8, false, true);
  EXPECT_EQ(out, join({
                     octets(0x01, 0x00, 0x02),       // method, channel 2
                     octets(0, 0, 0, 13),            // payload size
                     octets(0x00, 0x3C, 0x00, 0x50), // basic.ack
                     octets(0, 0, 0, 0, 0, 0, 0, 7), // delivery tag
                     octets(1),                      // multiple
                     octets(0xCE),                   // frame end
                     octets(0x01, 0x00, 0x02),       // method, channel 2
                     octets(0, 0, 0, 13),            // payload size
                     octets(0x00, 0x3C, 0x00, 0x78), // basic.nack
                     octets(0, 0, 0, 0, 0, 0, 0, 8), // delivery tag
                     octets(0b10),                   // multiple 0, requeue 1
                     octets(0xCE),                   // frame end
                 }));
}

TEST(amqp_codec_content, golden_content_header) {
  const auto payload = join({
      octets(0x00, 0x3C),             // class basic
      octets(0x00, 0x05),             // weight, ignored
      octets(1, 2, 3, 4, 5, 6, 7, 8), // body size
      std::string{persistent},        // flags and list
  });
  content_header found;
  ASSERT_TRUE(decode_content_header(payload, found));
  EXPECT_EQ(found.class_id, basic_class);
  EXPECT_EQ(found.weight, 5);
  EXPECT_EQ(found.body_size, 0x0102030405060708U);
  EXPECT_EQ(found.properties, persistent);
  for (std::size_t size = 0; size < 12; ++size)
    EXPECT_FALSE(decode_content_header(payload.substr(0, size), found)) << size;
}

TEST(amqp_codec_content, the_fast_writers_agree_with_the_method_structs) {
  const content what{"ex", "key", persistent, ""};
  const auto method_frame = [](const auto& method) {
    std::string out;
    append_method(out, 9, method);
    return out;
  };
  const auto header_frame =
      samples::framed(frame_type::header, 9, octets(0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) + std::string{persistent});
  std::string out;
  append_deliver(out, 9, "tag", 1, false, what, frame_max);
  EXPECT_EQ(out, method_frame(basic_deliver{"tag", 1, false, "ex", "key"}) + header_frame);
  out.clear();
  append_get_ok(out, 9, 2, true, 3, what, frame_max);
  EXPECT_EQ(out, method_frame(basic_get_ok{2, true, "ex", "key", 3}) + header_frame);
  out.clear();
  append_return(out, 9, reply_code::no_route, what, frame_max);
  EXPECT_EQ(out, method_frame(basic_return{312, "NO_ROUTE", "ex", "key"}) + header_frame);
  out.clear();
  append_publish(out, 9, true, what, frame_max);
  EXPECT_EQ(out, method_frame(basic_publish{0, "ex", "key", true, false}) + header_frame);
  out.clear();
  append_ack(out, 9, ~0ULL, true);
  append_nack(out, 9, ~0ULL, true, true);
  EXPECT_EQ(out, method_frame(basic_ack{~0ULL, true}) + method_frame(basic_nack{~0ULL, true, true}));
}

TEST(amqp_codec_content, an_empty_body_has_no_body_frame) {
  std::string out;
  append_deliver(out, 1, "t", 1, false, "", "q", persistent, "", frame_max);
  EXPECT_EQ(all_frames(out, frame_max).size(), 2U);
}

TEST(amqp_codec_content, empty_properties_are_written_as_no_property_set) {
  std::string out;
  append_deliver(out, 1, "t", 1, false, "", "q", "", "x", frame_max);
  content_header header;
  ASSERT_TRUE(decode_content_header(all_frames(out, frame_max).at(1).payload, header));
  EXPECT_EQ(header.properties, octets(0, 0));
}

TEST(amqp_codec_content, bodies_are_split_at_the_frame_limit_and_come_together_again) {
  for (const std::uint32_t limit : {frame_min_size, frame_max}) {
    const std::size_t part = limit - 8;
    for (const std::size_t size : {std::size_t{1}, part - 1, part, part + 1, 2 * part, 2 * part + 1, 10 * part}) {
      std::string body(size, '\0');
      for (std::size_t at = 0; at < size; ++at)
        body[at] = static_cast<char>(at * 31 + at / 251);
      std::string out = "before";
      append_deliver(out, 1, "t", 1, false, "", "q", persistent, body, limit);
      ASSERT_TRUE(out.starts_with("before"));
      const auto frames = all_frames(std::string_view{out}.substr(6), limit);
      ASSERT_EQ(frames.size(), 2 + (size + part - 1) / part) << size;
      std::string together;
      for (std::size_t at = 2; at < frames.size(); ++at) {
        EXPECT_EQ(frames[at].kind(), frame_type::body);
        EXPECT_LE(frames[at].size, limit); // the book's limit, not RabbitMQ's generous one
        together += frames[at].payload;
      }
      EXPECT_EQ(together, body) << size;
    }
  }
}

TEST(amqp_codec_content, a_frame_max_under_the_protocols_minimum_counts_as_the_minimum) {
  const std::string body(5000, 'b');
  std::string least, zero, seven;
  append_deliver(least, 1, "t", 1, false, "", "q", persistent, body, frame_min_size);
  append_deliver(zero, 1, "t", 1, false, "", "q", persistent, body, 0);
  append_deliver(seven, 1, "t", 1, false, "", "q", persistent, body, 7);
  EXPECT_EQ(least, zero);
  EXPECT_EQ(least, seven);
}

TEST(amqp_codec_content, names_of_255_bytes_pass_and_longer_ones_are_cut) {
  for (const std::size_t size : {std::size_t{254}, std::size_t{255}, std::size_t{256}, std::size_t{70000}}) {
    const std::string name(size, 'n');
    std::string out;
    append_deliver(out, 1, name, 1, false, name, name, persistent, "x", frame_max);
    const auto frames = all_frames(out, frame_max);
    ASSERT_EQ(frames.size(), 3U);
    basic_deliver found;
    ASSERT_TRUE(decode_as(frames[0].payload, found));
    const auto cut = name.substr(0, 255);
    EXPECT_EQ(found, (basic_deliver{cut, 1, false, cut, cut}));
  }
}

} // namespace
} // namespace switchboard::amqp
