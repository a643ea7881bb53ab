// Which events come to the sorter of webhooks at all.
#include "bridges/webhook/webhook_gate.hpp"

#include <gtest/gtest.h>

#include "messages/properties.hpp"

namespace switchboard::webhook {
namespace {

message_ptr an_event(const std::string& exchange, const std::string& customer) {
  basic_properties properties;
  properties.content_type = "application/json";
  if (!customer.empty()) {
    properties.headers.emplace();
    properties.headers->append("customer_id", customer);
  }
  return make_message(exchange, "", encode_properties(properties), "{}", true);
}
bool passes(gate& in, const std::string& exchange, const std::string& customer) {
  return in.admits(*an_event(exchange, customer));
}

TEST(webhook_gate, is_open_until_all_webhooks_are_known) {
  gate one;
  EXPECT_TRUE(passes(one, "call.events", "a"));
  one.close({"a"});
  EXPECT_TRUE(passes(one, "call.events", "a"));
  EXPECT_FALSE(passes(one, "call.events", "b"));
  EXPECT_TRUE(passes(one, "call.events", "")) << "whose it is stands in the body alone";
  one.open();
  EXPECT_TRUE(passes(one, "call.events", "b"));
  one.close({});
  EXPECT_TRUE(passes(one, "call.events", "a")) << "a webhook of his may be on its way";
}

TEST(webhook_gate, lets_nothing_pass_while_nobody_has_a_webhook) {
  gate one;
  one.close({});
  EXPECT_FALSE(passes(one, "call.events", "a"));
  EXPECT_FALSE(passes(one, "call.events", ""));
}

TEST(webhook_gate, opens_for_a_customer_as_his_webhook_is_announced) {
  gate one;
  one.close({});
  EXPECT_TRUE(passes(one, "webhook.events", "a"));
  EXPECT_TRUE(passes(one, "call.events", "a"));
  EXPECT_FALSE(passes(one, "call.events", "b"));
}

TEST(webhook_gate, keeps_whom_it_learned_of_while_webhooks_were_being_listed) {
  gate one;
  one.open();
  EXPECT_TRUE(passes(one, "webhook.events", "a"));
  one.close({"b"});
  EXPECT_TRUE(passes(one, "call.events", "a"));
  EXPECT_TRUE(passes(one, "call.events", "b"));
  EXPECT_FALSE(passes(one, "call.events", "c"));
}

TEST(webhook_gate, stays_open_if_a_webhook_does_not_say_whose_it_is) {
  gate one;
  one.close({});
  EXPECT_TRUE(passes(one, "webhook.events", ""));
  EXPECT_TRUE(passes(one, "call.events", "b"));
  one.close({"a"});
  EXPECT_TRUE(passes(one, "call.events", "b"));
}

} // namespace
} // namespace switchboard::webhook
