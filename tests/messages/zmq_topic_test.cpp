#include "messages/zmq_topic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchboard {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

event make_event(std::string type, std::string id, json data = json::object()) {
  event made;
  made.event_type = std::move(type);
  made.resource_type = made.event_type.substr(0, made.event_type.find('.'));
  made.resource_id = std::move(id);
  made.customer_id = "customer-123";
  made.timestamp = *from_iso8601("2026-01-20T12:00:01.000Z");
  made.data = std::move(data);
  return made;
}

TEST(zmq_topic, a_call_shows_its_state_in_the_documented_words) {
  const auto expected_of = [](const char* status) {
    return zmq_message{"call.state", std::string{R"({"call_id":"call-789","status":")"} + status +
                                         R"(","timestamp":"2026-01-20T12:00:01.000Z","customer_id":"customer-123"})"};
  };
  const json progressing{{"status", "progressing"}};
  EXPECT_THAT(zmq_messages(make_event("call.answered", "call-789", progressing)), ElementsAre(expected_of("answered")));
  EXPECT_THAT(zmq_messages(make_event("call.ringing", "call-789")), ElementsAre(expected_of("ringing")));
  EXPECT_THAT(zmq_messages(make_event("call.ended", "call-789")), ElementsAre(expected_of("ended")));
  EXPECT_THAT(zmq_messages(make_event("call.created", "call-789")), ElementsAre(expected_of("created")));
  EXPECT_THAT(zmq_messages(make_event("call.held", "call-789", {{"status", "hold"}})),
              ElementsAre(expected_of("hold")));
  EXPECT_THAT(zmq_messages(make_event("call.dtmf", "call-789")), IsEmpty());
}

TEST(zmq_topic, an_agent_shows_its_presence_and_logins) {
  const auto expected_of = [](const char* topic, const char* status) {
    return zmq_message{topic, std::string{R"({"agent_id":"agent-456","status":")"} + status +
                                  R"(","timestamp":"2026-01-20T12:00:01.000Z","customer_id":"customer-123"})"};
  };
  const json available{{"status", "available"}};
  EXPECT_THAT(zmq_messages(make_event("agent.status_change", "agent-456", available)),
              ElementsAre(expected_of("agent.presence", "available")));
  EXPECT_THAT(zmq_messages(make_event("agent.login", "agent-456", available)),
              ElementsAre(expected_of("agent.login", "available"), expected_of("agent.presence", "available")));
  EXPECT_THAT(zmq_messages(make_event("agent.logout", "agent-456")),
              ElementsAre(expected_of("agent.logout", "offline"), expected_of("agent.presence", "offline")));
  EXPECT_THAT(zmq_messages(make_event("agent.deleted", "agent-456")), IsEmpty());
}

TEST(zmq_topic, a_queue_shows_its_numbers) {
  const json numbers{{"queue_id", "queue-456"}, {"waiting", 5}, {"active", 3}};
  EXPECT_THAT(zmq_messages(make_event("queue.stats", "", numbers)),
              ElementsAre(zmq_message{"queue.stats", R"({"queue_id":"queue-456","waiting":5,"active":3})"}));
  const json unnamed{{"waiting", 0}, {"active", 0}};
  EXPECT_THAT(zmq_messages(make_event("queue.stats", "queue-456", unnamed)),
              ElementsAre(zmq_message{"queue.stats", R"({"queue_id":"queue-456","waiting":0,"active":0})"}));
  EXPECT_THAT(zmq_messages(make_event("queue.stats", "queue-456", {{"waiting", "5"}, {"active", 3}})), IsEmpty());
  EXPECT_THAT(zmq_messages(make_event("queue.stats", "queue-456", nullptr)), IsEmpty());
  EXPECT_THAT(zmq_messages(make_event("queue.updated", "queue-456", numbers)), IsEmpty());
}

TEST(zmq_topic, metrics_pass_with_their_time) {
  EXPECT_THAT(zmq_messages(make_event("call.metrics", "", {{"active", 7}})),
              ElementsAre(zmq_message{"call.metrics", R"({"active":7,"timestamp":"2026-01-20T12:00:01.000Z"})"}));
  EXPECT_THAT(zmq_messages(make_event("call.metrics", "", 7)), IsEmpty());
}

TEST(zmq_topic, conferences_show_who_joins) {
  EXPECT_THAT(
      zmq_messages(make_event("conference.participant_joined", "conf-999", {{"call_id", "call-789"}})),
      ElementsAre(zmq_message{
          "conference.participant_joined",
          R"({"conference_id":"conf-999","call_id":"call-789","timestamp":"2026-01-20T12:00:01.000Z","customer_id":"customer-123"})"}));
}

TEST(zmq_topic, other_events_have_none) {
  for (const auto* type : {"sms.sent", "callx.ringing", "call", "", "agents.login"})
    EXPECT_THAT(zmq_messages(make_event(type, "x", {{"status", "s"}})), IsEmpty()) << type;
}

TEST(zmq_topic, bad_utf8_is_replaced_not_thrown) {
  const auto made = zmq_messages(make_event("call.held", "call-789", {{"status", "\xff"}}));
  ASSERT_EQ(made.size(), 1U);
  EXPECT_TRUE(parse_json(made[0].payload));
}

} // namespace
} // namespace switchboard
