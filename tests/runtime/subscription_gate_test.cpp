// Which events come to a subscriber at all.
#include "runtime/subscription_gate.hpp"

#include <gtest/gtest.h>

#include <set>

namespace switchboard::runtime {
namespace {

class subscription_gates : public ::testing::Test {
protected:
  subscription_gates() {
    type_.subscriptions = rows_;
    type_.subscription_count = 3;
  }
  bool passes(std::string_view event) {
    return may_tell_somebody(event, type_, [&](const std::string& id) { return existing_.contains(id); });
  }

  const sb_subscription rows_[3] = {{"call.ended", "customer_id"}, {"call.ended", "owner_id"}, {"sms.sent", nullptr}};
  sb_entity_type type_{};
  std::set<std::string> existing_{"ann", "bob"};
};

TEST_F(subscription_gates, are_open_for_events_that_name_an_entity_there_is) {
  EXPECT_TRUE(passes(R"({"event_type":"call.ended","customer_id":"x","data":{"customer_id":"ann"}})"));
  EXPECT_TRUE(passes(R"({"event_type":"call.ended","data":{"customer_id":"eve","owner_id":"bob"}})"));
  EXPECT_FALSE(passes(R"({"event_type":"call.ended","customer_id":"eve","data":{"customer_id":"eve"}})"));
  EXPECT_FALSE(passes(R"({"event_type":"call.ended","data":{}})"));
}

TEST_F(subscription_gates, are_shut_for_events_nobody_subscribed_to) {
  EXPECT_FALSE(passes(R"({"event_type":"call.created","customer_id":"ann","data":{"customer_id":"ann"}})"));
}

TEST_F(subscription_gates, are_open_for_events_that_may_tell_somebody_new) {
  EXPECT_TRUE(passes(R"({"event_type":"sms.sent","data":{}})"));
}

TEST_F(subscription_gates, are_open_where_it_takes_a_parser_to_tell) {
  EXPECT_TRUE(passes(R"({"event_type":"call.ended","data":{"customer\u005fid":"ann"}})"));
  EXPECT_TRUE(passes("no event at all")) << "the subscriber makes it a dead letter";
  EXPECT_TRUE(passes(""));
}

TEST_F(subscription_gates, know_events_as_voipbin_writes_them) {
  EXPECT_TRUE(passes(R"({"type":"call_ended","data":{"customer_id":"ann","event_type":"x"}})"));
  EXPECT_TRUE(passes(R"({"type":"call_ended","data":{"customer_id":"eve"}})")) << "that is for the subscriber to read";
  EXPECT_FALSE(passes(R"({"type":"call_ended","data":{"customer_id":"eve","event_type":"x"}})"));
  EXPECT_FALSE(passes(R"({"type":"call_created","data":{"customer_id":"ann","event_type":"x"}})"));
}

} // namespace
} // namespace switchboard::runtime
