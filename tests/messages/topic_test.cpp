#include "messages/topic.hpp"

#include <gtest/gtest.h>

#include "tests/golden/golden.hpp"

namespace switchboard {
namespace {

topic_pattern parsed(std::string_view text) {
  auto read = topic_pattern::parse(text);
  EXPECT_TRUE(read) << text << ": " << (read ? "" : read.error().what);
  return read ? *read : topic_pattern{};
}

TEST(topic, of_four_fields_selects_one_resource) {
  const auto topic = parsed("customer_id:123:call:call-789");
  EXPECT_TRUE(topic.matches("123", "call", "call-789"));
  EXPECT_FALSE(topic.matches("124", "call", "call-789"));
  EXPECT_FALSE(topic.matches("123", "queue", "call-789"));
  EXPECT_FALSE(topic.matches("123", "call", "call-78"));
  EXPECT_FALSE(topic.matches("123", "call", "call-7890"));
}

TEST(topic, wildcards_stand_for_whole_fields) {
  EXPECT_TRUE(parsed("customer_id:123:call:*").matches("123", "call", "call-789"));
  EXPECT_FALSE(parsed("customer_id:123:call:*").matches("123", "callx", "call-789"));
  EXPECT_TRUE(parsed("customer_id:123:*:x-1").matches("123", "queue", "x-1"));
  EXPECT_FALSE(parsed("customer_id:123:*:x-1").matches("123", "queue", "x-2"));
  EXPECT_TRUE(parsed("customer_id:123:*:*").matches("123", "queue", "x-2"));
}

TEST(topic, shorter_forms_mean_everything_below) {
  EXPECT_TRUE(parsed("customer_id:123").matches("123", "call", "call-789"));
  EXPECT_TRUE(parsed("customer_id:123:call").matches("123", "call", "call-789"));
  EXPECT_FALSE(parsed("customer_id:123:call").matches("123", "conference", "c"));
}

TEST(topic, no_tenant_is_the_prefix_of_another) {
  EXPECT_FALSE(parsed("customer_id:1").matches("12", "call", "c"));
  EXPECT_FALSE(parsed("customer_id:12").matches("1", "call", "c"));
  EXPECT_FALSE(parsed("customer_id:1").matches("", "call", "c"));
  EXPECT_FALSE(parsed("customer_id:1.").matches("12", "call", "c")); // a dot is no regular expression
}

TEST(topic, says_why_it_is_refused) {
  for (const auto* wrong : {"",
                            "customer_id",
                            "customer_id:",
                            "customer_id:*",
                            "customer_id:*:call:1",
                            "customer_id:1:",
                            "customer_id:1:call:",
                            "customer_id:1::2",
                            "customer_id::call:1",
                            "customer_id:1:call:1:2",
                            "customer_id:1:ca*",
                            "customer_id:1:call:*1",
                            "customer_id:1:call:**",
                            "customer_id:1:#",
                            "customer_id:a b",
                            "customer_id:1:call:a/b",
                            "CUSTOMER_ID:1",
                            "*:1",
                            " customer_id:1",
                            "customer_id:1 ",
                            "customer:1",
                            "customer_id:1\n"}) {
    const auto read = topic_pattern::parse(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code, errc::bad_format) << wrong;
    EXPECT_FALSE(read.error().what.empty());
  }
  EXPECT_FALSE(topic_pattern::parse("customer_id:" + std::string(600, '1')));
  EXPECT_FALSE(topic_pattern::parse(std::string(100000, ':')));
}

TEST(topic, prints_its_shortest_form) {
  const std::pair<const char*, const char*> forms[] = {{"customer_id:1", "customer_id:1"},
                                                       {"customer_id:1:*:*", "customer_id:1"},
                                                       {"customer_id:1:call:*", "customer_id:1:call"},
                                                       {"customer_id:1:*:x", "customer_id:1:*:x"},
                                                       {"agent_id:7:call:c-1", "agent_id:7:call:c-1"}};
  for (const auto& [text, shortest] : forms) {
    EXPECT_EQ(parsed(text).str(), shortest);
    EXPECT_EQ(parsed(shortest), parsed(text));
  }
}

TEST(topic, of_an_agent_selects_what_the_agent_owns) {
  const auto topic = parsed("agent_id:agent-456:call:*");
  const event_address owned{"123", "agent-456", "call", "call-789"};
  EXPECT_TRUE(topic.matches(owned));
  EXPECT_FALSE(topic.matches(event_address{"123", "agent-457", "call", "call-789"}));
  EXPECT_FALSE(topic.matches(event_address{"123", "", "call", "call-789"}));
  EXPECT_FALSE(topic.matches("agent-456", "call", "call-789")); // the id of an agent is not that of a customer
  EXPECT_FALSE(parsed("customer_id:agent-456").matches(owned));
}

TEST(event_address, finds_everybody_whom_a_chat_belongs_to) {
  event value;
  value.customer_id = "1";
  value.resource_type = "chatmessage";
  value.resource_id = "chat-1";
  value.data = {{"agent_id", "sender"}, {"agent_ids", {"ann", 7, "bob"}}};
  const auto at = address_of(value);
  EXPECT_EQ(at.agent_id, "sender");
  EXPECT_EQ(at.more_agents, (std::vector<std::string_view>{"ann", "bob"}));
  for (const auto* agent : {"sender", "ann", "bob"})
    EXPECT_TRUE(topic_pattern::parse("agent_id:" + std::string{agent} + ":chatmessage")->matches(at)) << agent;
  EXPECT_FALSE(topic_pattern::parse("agent_id:eve")->matches(at));
  value.data["agent_ids"] = "ann";
  EXPECT_TRUE(address_of(value).more_agents.empty());
}

TEST(event_address, finds_the_agent_of_an_event) {
  auto value = *decode_event(golden::text("event.text"));
  EXPECT_EQ(address_of(value).customer_id, "customer-123");
  EXPECT_EQ(address_of(value).resource_id, "call-789");
  EXPECT_EQ(address_of(value).agent_id, "");
  value.data["owner_id"] = "agent-1";
  EXPECT_EQ(address_of(value).agent_id, ""); // an owner that isn't said to be an agent
  value.data["owner_type"] = "agent";
  EXPECT_EQ(address_of(value).agent_id, "agent-1");
  value.data["agent_id"] = "agent-2";
  EXPECT_EQ(address_of(value).agent_id, "agent-2");
  value.resource_type = "agent";
  EXPECT_EQ(address_of(value).agent_id, "call-789");
  value.data = 7;
  value.resource_type = "call";
  EXPECT_EQ(address_of(value).agent_id, "");
}

} // namespace
} // namespace switchboard
