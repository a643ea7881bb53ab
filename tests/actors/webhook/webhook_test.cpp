// A webhook: what customers may set and see, what the bridge alone may see, and what its reports make of it.
#include "actors/webhook/webhook.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sdk/testing.hpp"

namespace switchboard::telephony {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* mine = "customer-1";
const json good{{"id", "w"}, {"uri", "https://hooks.example.com/x"}, {"secret", "0123456789abcdef"}};

class webhook_alone : public ::testing::Test {
protected:
  webhook_alone() { world_.add(sdk::abi_of<&webhook_type>()); }
  ~webhook_alone() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  void make() { ASSERT_EQ(world_.request("POST", "/v1/webhooks", good, mine).status, 200); }
  void report(const char* name, const json& body = json::object()) {
    world_.tell({"webhook", "w"}, name, body, {"webhook_bridge", "w"});
    world_.settle();
  }
  std::vector<std::string> events() {
    std::vector<std::string> types;
    for (const auto& one : world_.events())
      types.push_back(one.type);
    return types;
  }
  json shown() { return world_.view("webhook", "w"); }

  sdk::test_kit::world world_;
};

TEST_F(webhook_alone, hears_everything_unless_it_is_told_what) {
  make();
  EXPECT_EQ(shown()["event_types"], json::array({"*"}));
  EXPECT_EQ(shown()["status"], "unknown");
  EXPECT_EQ(world_.request("PUT", "/v1/webhooks/w", {{"event_types", {"call.*", "queue.serviced"}}}, mine).status, 200);
  EXPECT_EQ(shown()["event_types"], json::array({"call.*", "queue.serviced"}));
  EXPECT_EQ(shown()["uri"], "https://hooks.example.com/x");
}

TEST_F(webhook_alone, never_shows_its_secret_to_a_customer) {
  make();
  world_.request("PUT", "/v1/webhooks/w", {{"secret", "another-secret-of-mine"}}, mine);
  for (const auto& one : world_.events())
    EXPECT_EQ(one.data.dump().find("secret"), std::string::npos);
  EXPECT_FALSE(shown().contains("secret"));
  EXPECT_EQ(world_.request("GET", "/v1/webhooks/w/target", nullptr, mine).status, 404);
  EXPECT_EQ(world_.request("GET", "/v1/webhooks/w/target", nullptr, "customer-2").status, 404);
  const auto inside = world_.request("GET", "/v1/webhooks/w/target");
  EXPECT_EQ(inside.status, 200);
  EXPECT_EQ(inside.body["secret"], "another-secret-of-mine");
}

TEST_F(webhook_alone, refuses_what_could_not_be_delivered_or_signed) {
  const auto with = [&](const char* name, json value) {
    auto body = good;
    body[name] = std::move(value);
    return world_.request("POST", "/v1/webhooks", body, mine).status;
  };
  EXPECT_EQ(with("uri", "ftp://a.b/"), 400);
  EXPECT_EQ(with("uri", nullptr), 400);
  EXPECT_EQ(with("secret", "short"), 400);
  EXPECT_EQ(with("secret", nullptr), 400);
  EXPECT_EQ(with("secret", "with a space in it, too"), 400);
  EXPECT_EQ(with("event_types", json::array()), 400);
  EXPECT_EQ(with("event_types", {"call"}), 400);
  EXPECT_EQ(with("event_types", "call.*"), 400);
  EXPECT_EQ(with("enabled", "yes"), 400);
  EXPECT_THAT(world_.events(), IsEmpty());
}

TEST_F(webhook_alone, announces_when_its_target_begins_and_ceases_to_fail) {
  make();
  report("delivered");
  EXPECT_EQ(shown()["status"], "delivering");
  report("delivery_failed", {{"error", "503 Service Unavailable"}, {"http_status", 503}, {"transient", true}});
  report("delivery_failed", {{"error", "connect: refused"}, {"transient", true}});
  EXPECT_EQ(shown()["status"], "failing");
  EXPECT_EQ(shown()["last_error"], "connect: refused");
  report("delivered");
  EXPECT_THAT(events(), ElementsAre("webhook.created", "webhook.failing", "webhook.recovered"));
}

TEST_F(webhook_alone, counts_and_announces_what_was_given_up) {
  make();
  report("delivery_failed", {{"error", "410 Gone"},
                             {"http_status", 410},
                             {"transient", false},
                             {"dead", true},
                             {"attempts", 1},
                             {"event_id", "e-1"},
                             {"event_type", "call.ended"}});
  EXPECT_EQ(shown()["dead_letters"], 1);
  EXPECT_THAT(events(), ElementsAre("webhook.created", "webhook.failing", "webhook.delivery_dead"));
  const auto& data = world_.events().back().data;
  EXPECT_EQ(data["event_id"], "e-1");
  EXPECT_EQ(data["http_status"], 410);
  EXPECT_EQ(data["id"], "w");
  EXPECT_EQ(data["customer_id"], mine);
}

TEST_F(webhook_alone, knows_nothing_of_a_new_target) {
  make();
  report("delivery_failed", {{"error", "x"}});
  world_.request("PUT", "/v1/webhooks/w", {{"uri", "https://other.example.com/"}}, mine);
  EXPECT_EQ(shown()["status"], "unknown");
  EXPECT_EQ(shown()["last_error"], "");
  report("delivered"); // which is no recovery of this target
  EXPECT_THAT(events(), ElementsAre("webhook.created", "webhook.failing", "webhook.updated"));
}

TEST_F(webhook_alone, is_gone_when_it_is_deleted_and_late_reports_are_ignored) {
  make();
  EXPECT_EQ(world_.request("DELETE", "/v1/webhooks/w", nullptr, mine).status, 200);
  report("delivered");
  EXPECT_TRUE(shown().is_null());
  EXPECT_THAT(events(), ElementsAre("webhook.created", "webhook.deleted"));
}

} // namespace
} // namespace switchboard::telephony
