// The texts are RabbitMQ 3.10.8's, taken from its answers on the wire.
#include "broker/topology_rules.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "broker/amqp_reply.hpp"
#include "broker/topology_terms.hpp"

namespace switchboard::broker {
namespace {

field_table table(std::initializer_list<field_table::field> fields) {
  field_table made;
  for (const auto& [name, value] : fields)
    made.append(name, value);
  return made;
}

std::string what(const expected<void>& result) { return result ? "ok" : result.error().what; }

/// What follows "PRECONDITION_FAILED - invalid arg '<name>' for queue 'Q' in vhost '/'".
struct argument_row {
  field_table arguments;
  const char* name;
  const char* wrong;
};

const argument_row argument_rows[] = {
    {table({{"x-message-ttl", -100000}}), "x-message-ttl", ": {value_negative,-100000}"},
    {table({{"x-message-ttl", "10"}}), "x-message-ttl", ": \"expected integer, got longstr\""},
    {table({{"x-message-ttl", std::int64_t{315360000001}}}), "x-message-ttl", ": {value_too_large,315360000001}"},
    {table({{"x-message-ttl", std::numeric_limits<std::uint64_t>::max()}}), "x-message-ttl",
     ": {value_too_large,18446744073709551615}"},
    {table({{"x-expires", 0}}), "x-expires", ": {value_zero,0}"},
    {table({{"x-expires", -1}}), "x-expires", ": {value_negative,-1}"},
    {table({{"x-expires", 1.0}}), "x-expires", ": \"expected integer, got double\""},
    {table({{"x-max-length", -100000}}), "x-max-length", ": {value_negative,-100000}"},
    {table({{"x-max-length-bytes", "a"}}), "x-max-length-bytes", ": \"expected integer, got longstr\""},
    {table({{"x-overflow", "nope"}}), "x-overflow", ": invalid_overflow"},
    {table({{"x-overflow", 1}}), "x-overflow", ": {unacceptable_type,signedint}"},
    {table({{"x-queue-type", "nope"}}), "x-queue-type", ": \"unsupported queue type 'nope'\""},
    {table({{"x-queue-type", 1}}), "x-queue-type", ": {unacceptable_type,signedint}"},
    {table({{"x-max-priority", std::int16_t{256}}}), "x-max-priority", ": {max_value_exceeded,256}"},
    {table({{"x-max-priority", -100000}}), "x-max-priority", ": {value_negative,-100000}"},
    {table({{"x-dead-letter-routing-key", "k"}}), "x-dead-letter-routing-key", ": routing_key_but_no_dlx_defined"},
    {table({{"x-dead-letter-routing-key", 1}, {"x-dead-letter-exchange", "e"}}), "x-dead-letter-routing-key",
     ": {unacceptable_type,signedint}"},
    {table({{"x-single-active-consumer", "yes"}}), "x-single-active-consumer", ": {unacceptable_type,longstr}"},
    {table({{"x-queue-mode", "nope"}}), "x-queue-mode", ": \"unsupported queue mode 'nope'\""},
    {table({{"x-queue-version", 3}}), "x-queue-version", ": \"unsupported queue version '3'\""},
    // arguments that belong to other types of queue
    {table({{"x-delivery-limit", 3}}), "x-delivery-limit", " of queue type rabbit_classic_queue"},
    {table({{"x-max-age", "1D"}}), "x-max-age", " of queue type rabbit_classic_queue"},
    {table({{"x-queue-type", "quorum"}, {"x-max-priority", 5}}), "x-max-priority",
     " of queue type rabbit_quorum_queue"},
    {table({{"x-queue-type", "stream"}, {"x-expires", 5}}), "x-expires", " of queue type rabbit_stream_queue"},
    // of quorum queues and streams
    {table({{"x-queue-type", "quorum"}, {"x-dead-letter-strategy", "maybe"}}), "x-dead-letter-strategy",
     ": invalid_dlx_strategy"},
    {table({{"x-queue-type", "quorum"}, {"x-quorum-initial-group-size", 0}}), "x-quorum-initial-group-size",
     ": {value_zero,0}"},
    {table({{"x-queue-type", "quorum"}, {"x-queue-leader-locator", "here"}}), "x-queue-leader-locator",
     ": invalid_queue_locator_arg"},
    {table({{"x-queue-type", "stream"}, {"x-max-age", "7"}}), "x-max-age", ": invalid_max_age"},
    {table({{"x-queue-type", "stream"}, {"x-max-age", "0D"}}), "x-max-age", ": invalid_max_age"},
    {table({{"x-queue-type", "stream"}, {"x-max-age", "1DD"}}), "x-max-age", ": invalid_max_age"},
    {table({{"x-queue-type", "stream"}, {"x-max-age", 1}}), "x-max-age", ": {unacceptable_type,signedint}"},
    {table({{"x-queue-type", "stream"}, {"x-stream-max-segment-size-bytes", -1}}), "x-stream-max-segment-size-bytes",
     ": {value_negative,-1}"},
};

TEST(topology_rules, wrong_queue_arguments_are_refused_in_rabbitmqs_words) {
  for (const auto& each : argument_rows) {
    const auto result = check_new_queue({.name = "Q", .durable = true, .arguments = each.arguments}, "/");
    EXPECT_EQ(what(result), std::string{"PRECONDITION_FAILED - invalid arg '"} + each.name +
                                "' for queue 'Q' in vhost '/'" + each.wrong);
    if (!result) {
      EXPECT_EQ(reply_code(result.error()), 406);
      EXPECT_EQ(result.error().code, errc::precondition_failed);
    }
  }
}

TEST(topology_rules, right_queue_arguments_are_taken) {
  const field_table right[] = {
      table({}),
      table({{"x-unknown", 1}, {"x-message-ttl", 0}, {"x-expires", std::uint8_t{1}}}),
      table({{"x-message-ttl", std::int64_t{315360000000}}}),
      table({{"x-max-length", 0}, {"x-max-length-bytes", std::int64_t{1} << 40}, {"x-overflow", "reject-publish"}}),
      table({{"x-dead-letter-exchange", ""}, {"x-dead-letter-routing-key", "k"}}),
      table({{"x-max-priority", 255}, {"x-single-active-consumer", true}, {"x-queue-mode", "lazy"}}),
      table({{"x-queue-type", "classic"}, {"x-queue-version", 2}, {"x-queue-master-locator", "min-masters"}}),
      table({{"x-queue-type", "quorum"}, {"x-delivery-limit", 3}, {"x-dead-letter-strategy", "at-least-once"}}),
      table({{"x-queue-type", "stream"}, {"x-max-age", "7D"}, {"x-queue-leader-locator", "balanced"}}),
  };
  for (const auto& each : right)
    EXPECT_EQ(what(check_new_queue({.name = "Q", .durable = true, .arguments = each}, "/")), "ok");
}

TEST(topology_rules, the_dead_letter_exchange_is_a_name_and_is_looked_at_first) {
  const auto arguments = table({{"x-queue-type", "nope"}, {"x-dead-letter-exchange", std::int8_t{1}}});
  EXPECT_EQ(what(check_new_queue({.name = "Q", .arguments = arguments}, "/")),
            "PRECONDITION_FAILED - invalid type 'byte' for arg 'x-dead-letter-exchange' in queue 'Q' in vhost '/'");
}

TEST(topology_rules, quorum_queues_and_streams_are_durable_shared_and_named_by_the_client) {
  for (const auto* type : {"quorum", "stream"}) {
    const auto arguments = table({{"x-queue-type", type}});
    const std::string prefix = "PRECONDITION_FAILED - invalid property '";
    EXPECT_EQ(what(check_new_queue({.name = "Q", .arguments = arguments}, "/")),
              prefix + "non-durable' for queue 'Q' in vhost '/'");
    EXPECT_EQ(what(check_new_queue({.name = "Q", .durable = true, .auto_delete = true, .arguments = arguments}, "/")),
              prefix + "auto-delete' for queue 'Q' in vhost '/'");
    EXPECT_EQ(what(check_new_queue({.name = "Q", .exclusive = true, .arguments = arguments}, "/")),
              prefix + "exclusive-owner' for queue 'Q' in vhost '/'");
    EXPECT_EQ(what(check_server_named({.arguments = arguments})),
              std::string{"PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_"} + type +
                  "_queue");
  }
  EXPECT_EQ(what(check_server_named({})), "ok");
  EXPECT_EQ(what(check_new_queue({.name = "Q",
                                  .durable = true,
                                  .arguments = table({{"x-queue-type", "stream"},
                                                      {"x-stream-max-segment-size-bytes", std::int64_t{3000000001}}})},
                                 "/")),
            "PRECONDITION_FAILED - Exceeded max value for x-stream-max-segment-size-bytes");
}

struct equality_row {
  field_table current;
  field_table wanted;
  const char* wrong; ///< after "PRECONDITION_FAILED - inequivalent arg '"; "ok" if equal
};

const equality_row equality_rows[] = {
    {table({}), table({{"x-message-ttl", std::int16_t{1000}}}),
     "x-message-ttl' for queue 'Q' in vhost '/': received the value '1000' of type 'short' but current is none"},
    {table({{"x-message-ttl", 1}}), table({}),
     "x-message-ttl' for queue 'Q' in vhost '/': received none but current is the value '1' of type 'signedint'"},
    {table({{"x-message-ttl", 1}}), table({{"x-message-ttl", 2}}),
     "x-message-ttl' for queue 'Q' in vhost '/': received '2' but current is '1'"},
    {table({{"x-message-ttl", 0}}), table({{"x-message-ttl", std::monostate{}}}),
     "x-message-ttl' for queue 'Q' in vhost '/': received none but current is '0'"},
    {table({{"x-overflow", "drop-head"}}), table({{"x-overflow", "reject-publish"}}),
     "x-overflow' for queue 'Q' in vhost '/': received 'reject-publish' but current is 'drop-head'"},
    {table({}), table({{"x-dead-letter-exchange", "e"}}),
     "x-dead-letter-exchange' for queue 'Q' in vhost '/': received the value 'e' of type 'longstr' but current is "
     "none"},
    {table({}), table({{"x-single-active-consumer", true}}),
     "x-single-active-consumer' for queue 'Q' in vhost '/': received the value 'true' of type 'bool' but current is "
     "none"},
    {table({}), table({{"x-queue-type", "quorum"}}),
     "x-queue-type' for queue 'Q' in vhost '/': received the value 'quorum' of type 'longstr' but current is none"},
    {table({{"x-queue-master-locator", 1}}), table({{"x-queue-master-locator", 1.0}}),
     "x-queue-master-locator' for queue 'Q' in vhost '/': received '1.0' but current is '1'"},
    {table({{"x-message-ttl", std::int8_t{5}}}), table({{"x-message-ttl", std::int64_t{5}}}), "ok"},
    {table({{"x-overflow", "drop-head"}}), table({{"x-overflow", byte_array{"drop-head"}}}), "ok"},
    {table({}), table({{"x-queue-type", "classic"}}), "ok"},
    {table({{"x-queue-type", "classic"}}), table({}), "ok"},
    {table({{"x-unknown", 1}}), table({{"x-unknown", 2}}), "ok"},
    {table({{"a", 1}, {"x-max-length", 1}}), table({{"x-max-length", 1}}), "ok"},
};

TEST(topology_rules, arguments_of_a_redeclared_queue_are_compared_by_value) {
  for (const auto& each : equality_rows) {
    const auto result =
        check_same_queue({.name = "Q", .arguments = each.current}, {.name = "Q", .arguments = each.wanted}, "/");
    EXPECT_EQ(what(result), result ? each.wrong : std::string{"PRECONDITION_FAILED - inequivalent arg '"} + each.wrong);
  }
}

TEST(topology_rules, properties_of_a_redeclared_queue_are_compared_before_arguments) {
  const auto arguments = table({{"x-message-ttl", 1}});
  EXPECT_EQ(what(check_same_queue({.name = "Q"}, {.name = "Q", .durable = true, .arguments = arguments}, "/")),
            "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'Q' in vhost '/': received 'true' but current "
            "is 'false'");
  EXPECT_EQ(what(check_same_queue({.name = "Q"}, {.name = "Q", .auto_delete = true, .arguments = arguments}, "/v")),
            "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'Q' in vhost '/v': received 'true' but "
            "current is 'false'");
}

TEST(topology_rules, a_redeclared_exchange_is_compared) {
  const exchange_spec current{.name = "E", .type = "direct"};
  const auto text = [&](exchange_spec wanted) {
    wanted.name = "E";
    if (wanted.type.empty())
      wanted.type = "direct";
    return what(check_same_exchange(current, wanted, "/"));
  };
  const std::string prefix = "PRECONDITION_FAILED - inequivalent arg '";
  const std::string flags = "' for exchange 'E' in vhost '/': received 'true' but current is 'false'";
  EXPECT_EQ(text({}), "ok");
  EXPECT_EQ(text({.type = "fanout"}),
            prefix + "type' for exchange 'E' in vhost '/': received 'fanout' but current is 'direct'");
  EXPECT_EQ(text({.durable = true}), prefix + "durable" + flags);
  EXPECT_EQ(text({.auto_delete = true}), prefix + "auto_delete" + flags);
  EXPECT_EQ(text({.internal = true}), prefix + "internal" + flags);
  EXPECT_EQ(text({.arguments = table({{"whatever", 1}})}), "ok");
  EXPECT_EQ(text({.arguments = table({{"alternate-exchange", "a"}})}),
            prefix + "alternate-exchange' for exchange 'E' in vhost '/': received the value 'a' of type 'longstr' but "
                     "current is none");
}

TEST(topology_rules, names_lose_line_ends_and_may_not_look_like_ours) {
  EXPECT_EQ(clean_name("a\r\nb\n"), "ab");
  EXPECT_EQ(what(check_new_name("queue", "amq.probe")),
            "ACCESS_REFUSED - queue name 'amq.probe' contains reserved prefix 'amq.*'");
  EXPECT_EQ(what(check_new_name("exchange", "amq.")),
            "ACCESS_REFUSED - exchange name 'amq.' contains reserved prefix 'amq.*'");
  EXPECT_EQ(what(check_new_name("queue", "amqp")), "ok");
  EXPECT_EQ(what(check_new_name("queue", std::string(255, 'a'))), "ok");
  EXPECT_EQ(what(check_new_name("queue", std::string(256, 'a'))),
            "PRECONDITION_FAILED - queue name is longer than 255 bytes");
}

TEST(topology_terms, values_are_printed_as_erlang_prints_them) {
  const struct {
    field_value value;
    const char* term;
  } rows[] = {
      {{}, "undefined"},
      {true, "true"},
      {std::int8_t{-1}, "-1"},
      {std::uint8_t{200}, "200"},
      {std::numeric_limits<std::uint64_t>::max(), "18446744073709551615"},
      {1.5, "1.5"},
      {2.0, "2.0"},
      {1e22, "1.0e22"},
      {1.5e-7, "1.5e-7"},
      {decimal{2, 5}, "{2,5}"},
      {"a\"b\\", "<<\"a\\\"b\\\\\">>"},
      {"", "<<>>"},
      {byte_array{"x"}, "<<\"x\">>"},
      {timestamp{9}, "9"},
      {field_array{}, "[]"},
      {field_array{1, "a"}, "[{signedint,1},{longstr,<<\"a\">>}]"},
      {table({{"k", 1}, {"l", true}}), "[{<<\"k\">>,signedint,1},{<<\"l\">>,bool,true}]"},
  };
  for (const auto& each : rows)
    EXPECT_EQ(erlang_term(each.value), each.term);
  EXPECT_EQ(erlang_text("plain \"text\""), "plain \"text\"");
  EXPECT_EQ(erlang_text(byte_array{"b"}), "b");
  EXPECT_EQ(erlang_text(7), "7");
}

} // namespace
} // namespace switchboard::broker
