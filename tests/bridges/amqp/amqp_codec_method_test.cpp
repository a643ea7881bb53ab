#include "bridges/amqp/amqp_codec_method.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "tests/bridges/amqp/amqp_codec_samples.hpp"

namespace switchboard::amqp {
namespace {

using samples::join;
using samples::octets;
using samples::payload_of;

struct golden_arguments {
  std::string_view name;
  method_id id;
  std::string_view hex;
};

// Arguments of every method as numbering_filler fills them. RabbitMQ 3.10.8's own decoder
// (rabbit_framing_amqp_0_9_1:decode_method_fields) read each line back as the values expected.
constexpr std::array golden{std::to_array<golden_arguments>({
    {"connection.start", {10, 10}, "010200000004016b7401000000026c34000000026c35"},
    {"connection.start-ok", {10, 11}, "00000004016b7401027332000000026c33027334"},
    {"connection.secure", {10, 20}, "000000026c31"},
    {"connection.secure-ok", {10, 21}, "000000026c31"},
    {"connection.tune", {10, 30}, "0101010203020103"},
    {"connection.tune-ok", {10, 31}, "0101010203020103"},
    {"connection.open", {10, 40}, "02733102733201"},
    {"connection.open-ok", {10, 41}, "027331"},
    {"connection.close", {10, 50}, "010102733201030104"},
    {"connection.close-ok", {10, 51}, ""},
    {"connection.blocked", {10, 60}, "027331"},
    {"connection.unblocked", {10, 61}, ""},
    {"connection.update-secret", {10, 70}, "000000026c31027332"},
    {"connection.update-secret-ok", {10, 71}, ""},
    {"channel.open", {20, 10}, "027331"},
    {"channel.open-ok", {20, 11}, "000000026c31"},
    {"channel.flow", {20, 20}, "01"},
    {"channel.flow-ok", {20, 21}, "01"},
    {"channel.close", {20, 40}, "010102733201030104"},
    {"channel.close-ok", {20, 41}, ""},
    {"access.request", {30, 10}, "02733115"},
    {"access.request-ok", {30, 11}, "0101"},
    {"exchange.declare", {40, 10}, "01010273320273331500000004016b7401"},
    {"exchange.declare-ok", {40, 11}, ""},
    {"exchange.delete", {40, 20}, "010102733201"},
    {"exchange.delete-ok", {40, 21}, ""},
    {"exchange.bind", {40, 30}, "01010273320273330273340100000004016b7401"},
    {"exchange.bind-ok", {40, 31}, ""},
    {"exchange.unbind", {40, 40}, "01010273320273330273340100000004016b7401"},
    {"exchange.unbind-ok", {40, 51}, ""},
    {"queue.declare", {50, 10}, "01010273321500000004016b7401"},
    {"queue.declare-ok", {50, 11}, "0273310102030201020303"},
    {"queue.bind", {50, 20}, "01010273320273330273340100000004016b7401"},
    {"queue.bind-ok", {50, 21}, ""},
    {"queue.purge", {50, 30}, "010102733201"},
    {"queue.purge-ok", {50, 31}, "01020301"},
    {"queue.delete", {50, 40}, "010102733205"},
    {"queue.delete-ok", {50, 41}, "01020301"},
    {"queue.unbind", {50, 50}, "010102733202733302733400000004016b7401"},
    {"queue.unbind-ok", {50, 51}, ""},
    {"basic.qos", {60, 10}, "01020301010201"},
    {"basic.qos-ok", {60, 11}, ""},
    {"basic.consume", {60, 20}, "01010273320273330500000004016b7401"},
    {"basic.consume-ok", {60, 21}, "027331"},
    {"basic.cancel", {60, 30}, "02733101"},
    {"basic.cancel-ok", {60, 31}, "027331"},
    {"basic.publish", {60, 40}, "010102733202733301"},
    {"basic.return", {60, 50}, "0101027332027333027334"},
    {"basic.deliver", {60, 60}, "027331010203040506070201027333027334"},
    {"basic.get", {60, 70}, "010102733201"},
    {"basic.get-ok", {60, 71}, "01020304050607010102733202733301020304"},
    {"basic.get-empty", {60, 72}, "027331"},
    {"basic.ack", {60, 80}, "010203040506070101"},
    {"basic.reject", {60, 90}, "010203040506070101"},
    {"basic.recover-async", {60, 100}, "01"},
    {"basic.recover", {60, 110}, "01"},
    {"basic.recover-ok", {60, 111}, ""},
    {"basic.nack", {60, 120}, "010203040506070101"},
    {"basic.credit", {60, 200}, "0273310102030201"},
    {"basic.credit-ok", {60, 201}, "01020301"},
    {"basic.credit-drained", {60, 202}, "02733101020302"},
    {"confirm.select", {85, 10}, "01"},
    {"confirm.select-ok", {85, 11}, ""},
    {"tx.select", {90, 10}, ""},
    {"tx.select-ok", {90, 11}, ""},
    {"tx.commit", {90, 20}, ""},
    {"tx.commit-ok", {90, 21}, ""},
    {"tx.rollback", {90, 30}, ""},
    {"tx.rollback-ok", {90, 31}, ""},
})};

TEST(amqp_codec_method, every_method_is_written_as_rabbitmq_reads_it) {
  std::size_t seen = 0;
  samples::for_each_method([&](auto what) {
    samples::numbering_filler filler;
    what.fields(what, filler);
    const auto& expected = golden.at(seen++);
    EXPECT_EQ(what.name, expected.name);
    EXPECT_EQ(what.id, expected.id) << what.name;
    EXPECT_EQ(payload_of(what).substr(4), samples::from_hex(expected.hex)) << what.name;
  });
  EXPECT_EQ(seen, golden.size());
}

TEST(amqp_codec_method, arguments_are_written_in_the_order_they_are_declared) {
  samples::for_each_method([](auto what) {
    samples::place_recorder recorder;
    what.fields(what, recorder);
    EXPECT_TRUE(std::ranges::is_sorted(recorder.places(), std::less<const void*>{})) << what.name;
  });
}

TEST(amqp_codec_method, every_method_is_read_back_as_it_was_written) {
  samples::for_each_method([]<class Method>(Method) {
    samples::numbering_filler numbering;
    samples::largest_filler largest;
    Method numbered, large;
    Method::fields(numbered, numbering);
    Method::fields(large, largest);
    for (const auto& what : {Method{}, numbered, large}) {
      const auto payload = payload_of(what);
      const auto found = decode_method(payload);
      ASSERT_TRUE(found) << Method::name << ": " << found.error().what;
      ASSERT_TRUE(std::holds_alternative<Method>(*found)) << Method::name;
      EXPECT_EQ(std::get<Method>(*found), what) << Method::name;
      EXPECT_EQ(name(*found), Method::name);
      EXPECT_EQ(id(*found), Method::id);
      EXPECT_EQ(name(method_id_of(payload)), Method::name);
    }
  });
}

TEST(amqp_codec_method, no_two_methods_share_an_id_or_a_name) {
  std::map<std::uint32_t, std::string_view> ids;
  std::map<std::string_view, std::uint32_t> names;
  samples::for_each_method([&](auto what) {
    EXPECT_TRUE(ids.emplace(what.id.key(), what.name).second) << what.name;
    EXPECT_TRUE(names.emplace(what.name, what.id.key()).second) << what.name;
  });
}

TEST(amqp_codec_method, every_cut_off_prefix_is_an_error_and_so_is_a_byte_too_many) {
  samples::for_each_method([](auto what) {
    samples::numbering_filler filler;
    what.fields(what, filler);
    const auto payload = payload_of(what);
    for (std::size_t size = 4; size < payload.size(); ++size) {
      const samples::exact_copy cut{payload.substr(0, size)};
      const auto found = decode_method(cut.view());
      ASSERT_FALSE(found) << what.name << " cut at " << size;
      EXPECT_EQ(found.error().code, errc::bad_format);
      EXPECT_TRUE(found.error().what.starts_with("cannot decode <<")) << found.error().what;
    }
    EXPECT_FALSE(decode_method(payload + '\0')) << what.name;
  });
}

TEST(amqp_codec_method, a_payload_without_ids_is_an_unknown_method) {
  for (std::size_t size = 0; size < 4; ++size) {
    const auto found = decode_method(std::string(size, '\x0A'));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, errc::not_implemented);
  }
  basic_ack ack;
  EXPECT_FALSE(decode_as(samples::exact_copy{octets(0, 60, 0)}.view(), ack));
}

TEST(amqp_codec_method, unknown_class_and_unknown_method_differ_from_truncated_arguments) {
  const auto unknown_class = decode_method(octets(0, 99, 0, 10));
  const auto unknown_method = decode_method(octets(0, 50, 0, 99));
  const auto truncated = decode_method(octets(0, 50, 0, 10, 0));
  ASSERT_FALSE(unknown_class || unknown_method || truncated);
  EXPECT_EQ(unknown_class.error(), (error{errc::not_implemented, "unknown method 10 of class 99"}));
  EXPECT_EQ(unknown_method.error(), (error{errc::not_implemented, "unknown method 99 of class 50"}));
  EXPECT_EQ(truncated.error(), (error{errc::bad_format, "cannot decode <<0>>"}));
  EXPECT_EQ(name(method_id{99, 10}), "");
}

TEST(amqp_codec_method, undecodable_arguments_print_as_numbers_even_if_printable) {
  const auto found = decode_method(octets(0, 60, 0, 80, 'a', 'b', 'c', 0));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().what, "cannot decode <<97,98,99,0>>");
}

TEST(amqp_codec_method, string_lengths_at_and_over_what_is_left_are_checked) {
  // queue.purge: ticket, queue (short string), bits. The announced length is `size`, 20 octets follow.
  for (const unsigned size : {0U, 1U, 18U, 19U, 20U, 21U, 254U, 255U}) {
    const auto payload = octets(0, 50, 0, 30, 0, 0, size) + std::string(20, 'q');
    queue_purge purge;
    EXPECT_EQ(decode_as(payload, purge), size == 19) << size; // 19 and one octet of bits
  }
  // connection.secure-ok: one long string.
  for (const std::uint32_t size : {0U, 1U, 19U, 20U, 21U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
    std::string payload = octets(0, 10, 0, 21);
    byte_writer{payload}.number(size);
    payload += std::string(20, 'r');
    connection_secure_ok secure_ok;
    EXPECT_EQ(decode_as(payload, secure_ok), size == 20) << size;
  }
}

TEST(amqp_codec_method, unused_bits_are_ignored) {
  confirm_select select;
  ASSERT_TRUE(decode_as(octets(0, 85, 0, 10, 0xFE), select));
  EXPECT_FALSE(select.no_wait);
  ASSERT_TRUE(decode_as(octets(0, 85, 0, 10, 0xFF), select));
  EXPECT_TRUE(select.no_wait);
}

TEST(amqp_codec_method, a_short_string_over_255_bytes_is_cut_when_written) {
  const std::string long_name(256, 'n');
  const auto payload = payload_of(basic_consume_ok{long_name});
  basic_consume_ok found;
  ASSERT_TRUE(decode_as(payload, found));
  EXPECT_EQ(found.consumer_tag, long_name.substr(0, 255));
}

TEST(amqp_codec_method, golden_handshake_tune) {
  std::string out;
  append_method(out, 0, connection_tune{2047, 131072, 60});
  EXPECT_EQ(out, join({
                     octets(0x01),             // type: method
                     octets(0x00, 0x00),       // channel 0
                     octets(0, 0, 0, 12),      // payload size
                     octets(0x00, 0x0A),       // class connection
                     octets(0x00, 0x1E),       // method tune
                     octets(0x07, 0xFF),       // channel-max 2047
                     octets(0x00, 0x02, 0, 0), // frame-max 131072
                     octets(0x00, 0x3C),       // heartbeat 60 s
                     octets(0xCE),             // frame end
                 }));
}

TEST(amqp_codec_method, golden_handshake_start_ok) {
  const auto payload = join({
      octets(0x00, 0x0A),    // class connection
      octets(0x00, 0x0B),    // method start-ok
      octets(0, 0, 0, 10),   // size of client-properties
      octets(7) + "product", // name of the first field
      octets('t', 1),        // bool true
      octets(5) + "PLAIN",   // mechanism, short string
      octets(0, 0, 0, 12),   // size of the response
      octets(0) + "guest",   // no authzid, user
      octets(0) + "guest",   // password
      octets(5) + "en_US",   // locale
  });
  connection_start_ok found;
  ASSERT_TRUE(decode_as(payload, found));
  EXPECT_EQ(found.client_properties, octets(7) + "product" + octets('t', 1));
  EXPECT_EQ(found.mechanism, "PLAIN");
  EXPECT_EQ(found.response, octets(0) + "guest" + octets(0) + "guest");
  EXPECT_EQ(found.locale, "en_US");
}

TEST(amqp_codec_method, golden_queue_declare) {
  const auto payload = join({
      octets(0x00, 0x32), // class queue
      octets(0x00, 0x0A), // method declare
      octets(0x00, 0x00), // ticket, reserved
      octets(4) + "jobs", // queue
      octets(0b00010010), // passive 0, durable 1, exclusive 0, auto-delete 0, no-wait 1
      octets(0, 0, 0, 0), // no arguments
  });
  queue_declare found;
  ASSERT_TRUE(decode_as(payload, found));
  EXPECT_EQ(found, (queue_declare{0, "jobs", false, true, false, false, true, ""}));
}

TEST(amqp_codec_method, golden_publish_and_ack) {
  const auto publish = join({
      octets(0x00, 0x3C),   // class basic
      octets(0x00, 0x28),   // method publish
      octets(0x00, 0x00),   // ticket, reserved
      octets(6) + "events", // exchange
      octets(3) + "a.b",    // routing key
      octets(0b01),         // mandatory 1, immediate 0
  });
  ASSERT_EQ(method_id_of(publish), basic_publish::id);
  basic_publish found;
  ASSERT_TRUE(decode_as(publish, found));
  EXPECT_EQ(found, (basic_publish{0, "events", "a.b", true, false}));

  const auto ack = join({
      octets(0x00, 0x3C),             // class basic
      octets(0x00, 0x50),             // method ack
      octets(0, 0, 0, 0, 0, 0, 1, 2), // delivery tag 258
      octets(1),                      // multiple
  });
  basic_ack acked;
  ASSERT_TRUE(decode_as(ack, acked));
  EXPECT_EQ(acked, (basic_ack{258, true}));
}

TEST(amqp_codec_method, the_variant_and_the_typed_encoder_write_the_same) {
  std::string typed, any;
  append_method(typed, 7, queue_declare_ok{"q", 3, 1});
  encode_method(any, 7, queue_declare_ok{"q", 3, 1});
  EXPECT_EQ(typed, any);
}

TEST(amqp_codec_method, closes_carry_code_text_and_the_method_at_fault) {
  std::string out;
  append_channel_close(out, 3, reply_code::not_found, "no queue 'q' in vhost '/'", queue_declare::id);
  append_connection_close(out, reply_code::frame_error, "cannot decode <<0>>", queue_declare::id);

  const auto first = parse_frame(out, frame_min_size);
  ASSERT_EQ(first.state, frame_state::complete);
  EXPECT_EQ(first.channel, 3);
  channel_close of_channel;
  ASSERT_TRUE(decode_as(first.payload, of_channel));
  EXPECT_EQ(of_channel, (channel_close{404, "NOT_FOUND - no queue 'q' in vhost '/'", {50, 10}}));

  const auto second = parse_frame(std::string_view{out}.substr(first.size), frame_min_size);
  ASSERT_EQ(second.state, frame_state::complete);
  EXPECT_EQ(second.channel, 0);
  connection_close of_connection;
  ASSERT_TRUE(decode_as(second.payload, of_connection));
  EXPECT_EQ(of_connection, (connection_close{501, "FRAME_ERROR - cannot decode <<0>>", {50, 10}}));
}

} // namespace
} // namespace switchboard::amqp
