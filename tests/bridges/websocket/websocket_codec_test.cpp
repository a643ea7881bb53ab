#include "bridges/websocket/websocket_codec.hpp"

#include <gtest/gtest.h>

namespace switchboard::websocket {
namespace {

command done(std::string_view text) {
  auto read = decode_command(text);
  EXPECT_TRUE(std::holds_alternative<command>(read)) << text;
  return std::holds_alternative<command>(read) ? std::get<command>(read) : command{};
}

refusal refused(std::string_view text) {
  auto read = decode_command(text);
  EXPECT_TRUE(std::holds_alternative<refusal>(read)) << text;
  return std::holds_alternative<refusal>(read) ? std::get<refusal>(read) : refusal{};
}

TEST(websocket_codec, a_subscription_is_read_and_acknowledged_in_the_clients_own_words) {
  const auto read =
      done(R"({"type":"subscribe","topics":["customer_id:123:call:*","customer_id:123:agent:a-1"],"id":7})");
  EXPECT_EQ(read.what, command::action::subscribe);
  ASSERT_EQ(read.topics.size(), 2U);
  EXPECT_EQ(read.topics[0].owner, "123");
  EXPECT_EQ(read.topics[0].resource, "call");
  EXPECT_EQ(read.topics[0].resource_id, std::nullopt);
  EXPECT_EQ(encode_done(read),
            R"({"type":"subscribed","topics":["customer_id:123:call:*","customer_id:123:agent:a-1"],"id":7})");
}

TEST(websocket_codec, an_unsubscription_without_id_is_acknowledged_without_id) {
  const auto read = done(R"({"topics":["agent_id:a-1"],"type":"unsubscribe"})");
  EXPECT_EQ(read.what, command::action::unsubscribe);
  EXPECT_EQ(encode_done(read), R"({"type":"unsubscribed","topics":["agent_id:a-1"]})");
}

TEST(websocket_codec, unusable_requests_are_refused_with_a_reason) {
  const std::string topic(600, 'x');
  for (const std::string text : {"",
                                 "x",
                                 "[]",
                                 "7",
                                 "null",
                                 "\"subscribe\"",
                                 "{",
                                 R"({"topics":["customer_id:1"]})",
                                 R"({"type":"publish","topics":["customer_id:1"]})",
                                 R"({"type":["subscribe"],"topics":["customer_id:1"]})",
                                 R"({"type":"subscribe"})",
                                 R"({"type":"subscribe","topics":[]})",
                                 R"({"type":"subscribe","topics":"customer_id:1"})",
                                 R"({"type":"subscribe","topics":[7]})",
                                 R"({"type":"subscribe","topics":["customer_id"]})",
                                 R"({"type":"subscribe","topics":["customer_id:*"]})",
                                 R"({"type":"subscribe","topics":["customer_id:1:ca*"]})",
                                 R"({"type":"subscribe","topics":["customer_id:1","bad"]})",
                                 R"({"type":"subscribe","topics":["customer_id:1"],"id":{}})",
                                 R"({"type":"subscribe","topics":["customer_id:1"],"id":1.5})",
                                 R"({"a":[[[[[[[[[]]]]]]]]]})",
                                 "\xff\xfe"}) {
    const auto why = refused(text);
    EXPECT_EQ(why.code, 400) << text;
    EXPECT_EQ(why.reason, "bad_format") << text;
    EXPECT_FALSE(why.message.empty()) << text;
  }
  EXPECT_EQ(refused(R"({"type":"subscribe","topics":["customer_id:)" + topic + "\"]}").topics.front().size(), 512U)
      << "an overlong topic is not sent back whole";
}

TEST(websocket_codec, a_refusal_names_request_and_topic) {
  const auto why = refused(R"({"type":"subscribe","topics":["customer_id:1","nonsense"],"id":"r-1"})");
  EXPECT_EQ(encode(why), R"({"type":"error","code":400,"reason":"bad_format","message":")" + why.message +
                             R"(","topics":["nonsense"],"id":"r-1"})");
}

TEST(websocket_codec, an_event_is_its_envelope_with_name_and_topic_in_front) {
  const auto what =
      decode_event(R"({"event_id":"e-1","event_type":"call.created","timestamp":"2026-01-20T12:00:00.000Z",
      "customer_id":"123","resource_type":"call","resource_id":"call-789","data":{"status":"ringing"}})");
  ASSERT_TRUE(what);
  EXPECT_EQ(encode_event(*what),
            R"({"event":"call.created","type":"event","topic":"customer_id:123:call:call-789","event_id":"e-1",)"
            R"("event_type":"call.created","timestamp":"2026-01-20T12:00:00.000Z","customer_id":"123",)"
            R"("resource_type":"call","resource_id":"call-789","data":{"status":"ringing"}})");
}

} // namespace
} // namespace switchboard::websocket
