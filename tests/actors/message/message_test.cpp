// A text message: every status × report alone, the gateway played by the test; then whole flows with the loopback
// gateway.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/loopback_gateway/loopback_gateway.hpp"
#include "actors/message/message.hpp"
#include "sdk/testing.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* tenant = "customer-1";

class message_world : public ::testing::Test {
protected:
  message_world() { world_.add(sdk::abi_of<&message_type>()); }
  ~message_world() override { EXPECT_EQ(world_.failures().size(), expected_failures_); }

  sdk::test_kit::answer post(json body) { return world_.request("POST", "/v1/messages", body, tenant); }
  std::string send_to(const std::string& number) {
    const auto answer = post({{"source", "+15551234567"}, {"destinations", {number}}, {"text", "hello"}});
    EXPECT_EQ(answer.status, 200) << answer.text;
    return answer.body.value("id", "");
  }
  std::string status(const std::string& id, std::size_t target = 0) {
    const auto shown = world_.view("message", id);
    return shown.is_null() ? "gone" : shown["targets"][target]["status"].get<std::string>();
  }

  sdk::test_kit::world world_;
  std::size_t expected_failures_ = 0;
};

class message_alone : public message_world {
protected:
  void put(const std::string& status) {
    world_.put("message", "m",
               {{"id", "m"},
                {"customer_id", tenant},
                {"direction", "outbound"},
                {"source", "+15551234567"},
                {"text", "hello"},
                {"encoding", "gsm7"},
                {"segments", 1},
                {"targets",
                 {{{"number", "+15559876543"}, {"status", status}, {"attempts", 1}, {"reason", ""}, {"updated", 1}}}},
                {"simulated", false},
                {"created", 1},
                {"updated", 1}});
  }
};

const std::vector<std::string> statuses{"queued",   "sent",       "delivered",  "failed",
                                        "received", "gw_timeout", "dlr_timeout"};

TEST_F(message_alone, every_status_and_report_has_one_outcome) {
  const std::string q = "queued", s = "sent", d = "delivered", f = "failed", r = "received", g = "gw_timeout",
                    t = "dlr_timeout";
  struct {
    const char* name;
    json body;
    std::vector<std::string> next;
  } const table[] = {
      {"submitted", json::object(), {s, s, d, f, r, s, t}},
      {"refused", {{"reason", "blocked"}}, {f, f, d, f, r, f, f}},
      {"refused", {{"transient", true}}, {q, f, d, f, r, f, f}},
      {"delivery_report", {{"delivered", true}}, {d, d, d, f, r, d, d}},
      {"delivery_report", {{"delivered", false}}, {f, f, d, f, r, f, f}},
      {"received", json::object(), {q, s, d, f, r, g, t}},
      {"no such message", json::object(), {q, s, d, f, r, g, t}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      world_.tell({"message", "m"}, row.name, row.body, {"sms_gateway", "m.1"});
      world_.settle();
      EXPECT_EQ(status("m"), row.next[i]) << row.name << " while " << statuses[i];
      put(statuses[i]);
      world_.tell({"message", "m"}, row.name, row.body, {"sms_gateway", "m.2"});
      world_.settle();
      EXPECT_EQ(status("m"), statuses[i]) << row.name << " of a target it doesn't have";
    }
  }
}

TEST_F(message_alone, timers_of_another_time_do_nothing) {
  const std::string q = "queued", s = "sent", d = "delivered", f = "failed", r = "received", g = "gw_timeout",
                    t = "dlr_timeout";
  struct {
    const char* name;
    json payload;
    std::vector<std::string> next;
  } const table[] = {
      {"gateway:0", json::object(), {g, s, d, f, r, g, t}},
      {"report:0", json::object(), {q, t, d, f, r, g, t}},
      {"gateway:7", json::object(), {q, s, d, f, r, g, t}},
      {"retry:0", {{"attempts", 9}}, {q, s, d, f, r, g, t}},
      {"retry:0", {{"attempts", 1}}, {q, s, d, f, r, g, t}},
      {"forget", json::object(), {q, s, "gone", "gone", "gone", "gone", "gone"}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      world_.expire({"message", "m"}, row.name, row.payload);
      world_.settle();
      EXPECT_EQ(status("m"), row.next[i]) << row.name << " while " << statuses[i];
    }
  }
}

TEST_F(message_alone, the_gateway_gets_each_target_once) {
  const auto made =
      post({{"source", {{"type", "tel"}, {"target", "+15551234567"}}},
            {"destinations", {{{"type", "tel"}, {"target", "+15559876543"}}, "+15559870001", "+15559876543"}},
            {"text", "Grüße"}});
  ASSERT_EQ(made.status, 200) << made.text;
  world_.settle();
  const auto id = made.body["id"].get<std::string>();
  ASSERT_EQ(world_.outside().size(), 2U) << "a number given twice is one target";
  EXPECT_EQ(world_.outside()[0].to, (sdk::entity_ref{"sms_gateway", id + ".1"}));
  const auto body = json::parse(world_.outside()[1].body);
  EXPECT_EQ(body["destination"], "+15559870001");
  EXPECT_EQ(body["text"], "Grüße");
  EXPECT_EQ(body["attempt"], 1);
  EXPECT_EQ(made.body["segments"], 1);
  EXPECT_EQ(made.body["encoding"], "gsm7");
  EXPECT_EQ(made.body["targets"].size(), 2U);
}

TEST_F(message_alone, what_is_wrong_is_said_and_nothing_is_sent) {
  const json good{{"source", "+15551234567"}, {"destinations", {"+15559876543"}}, {"text", "hello"}};
  const auto changed = [&](const char* name, json value) {
    auto body = good;
    body[name] = std::move(value);
    return body;
  };
  json many = json::array();
  for (int i = 0; i < 51; ++i)
    many.push_back("+1555987" + std::to_string(1000 + i));
  const std::pair<json, const char*> table[] = {
      {changed("source", nullptr), "source is missing"},
      {changed("source", "nobody at all"), "source must be"},
      {changed("destinations", nullptr), "destinations must be a list"},
      {changed("destinations", json::array()), "destinations must be a list"},
      {changed("destinations", many), "destinations must be a list"},
      {changed("destinations", {"+15559876543", "5559876543"}), "destinations[1] must be"},
      {changed("destinations", {{{"type", "sip"}, {"target", "+15559876543"}}}), "destinations[0] must be"},
      {changed("destination", "0"), "destination must be"},
      {changed("text", nullptr), "text must be"},
      {changed("text", ""), "text must be"},
      {changed("text", 7), "text must be"},
      {changed("text", std::string(1531, 'a')), "at most 10 segments"},
      {changed("direction", "up"), "direction must be"},
      {changed("id", std::string(121, 'i')), "id must have"},
      {changed("customer_id", "another"), "customer_id"},
  };
  for (const auto& [body, why] : table) {
    const auto answer = post(body);
    EXPECT_TRUE(answer.status == 400 || answer.status == 403) << body.dump();
    EXPECT_THAT(answer.text, ::testing::HasSubstr(why)) << body.dump();
  }
  world_.settle();
  EXPECT_THAT(world_.outside(), IsEmpty());
  EXPECT_EQ(post(changed("text", std::string(1530, 'a'))).body["segments"], 10);
}

TEST_F(message_alone, without_a_gateway_it_is_over_after_its_timeout) {
  const auto id = send_to("+15559876543");
  world_.advance(10s);
  EXPECT_EQ(status(id), "gw_timeout");
  EXPECT_EQ(world_.last_event("sms.failed")->data["status"], "gw_timeout");
  world_.advance(24h);
  EXPECT_EQ(status(id), "gone");
}

TEST_F(message_alone, another_tenant_sees_none_of_it) {
  const auto id = send_to("+15559876543");
  EXPECT_EQ(world_.request("GET", "/v1/messages/" + id, nullptr, "another").status, 404);
  EXPECT_EQ(world_.request("DELETE", "/v1/messages/" + id, nullptr, "another").status, 404);
  EXPECT_THAT(world_.request("GET", "/v1/messages", nullptr, "another").body["result"], IsEmpty());
  EXPECT_EQ(world_.request("GET", "/v1/messages", nullptr, tenant).body["result"].size(), 1U);
}

TEST_F(message_alone, what_an_outside_gateway_received_is_posted_as_inbound) {
  const auto made =
      post({{"direction", "inbound"}, {"source", "+15559876543"}, {"destinations", {"+15551234567"}}, {"text", "hi"}});
  EXPECT_EQ(made.body["targets"][0]["status"], "received");
  EXPECT_THAT(world_.event_types(), ElementsAre("message.created", "sms.received"));
  world_.settle();
  EXPECT_THAT(world_.outside(), IsEmpty());
  world_.advance(24h);
  EXPECT_EQ(status(made.body["id"]), "gone");
}

TEST_F(message_alone, a_gateways_message_that_cannot_be_read_is_a_dead_letter) {
  world_.tell({"message", "x"}, "received", {{"customer_id", tenant}}, {"sms_gateway", "g"});
  world_.settle();
  EXPECT_FALSE(world_.exists("message", "x"));
  expected_failures_ = 1;
}

class message_scenario : public message_world {
protected:
  message_scenario() { world_.add(sdk::abi_of<&loopback_gateway_type>()); }
  ~message_scenario() override { EXPECT_THAT(world_.outside(), IsEmpty()); }
};

TEST_F(message_scenario, a_message_is_sent_and_delivered) {
  const auto id = send_to("+15559876543");
  EXPECT_EQ(status(id), "queued");
  world_.advance(100ms);
  EXPECT_EQ(status(id), "sent");
  world_.advance(1s);
  EXPECT_EQ(status(id), "delivered");
  EXPECT_THAT(world_.event_types(), ElementsAre("message.created", "sms.sent", "sms.delivered"));
  const auto* delivered = world_.last_event("sms.delivered");
  EXPECT_EQ(delivered->customer_id, tenant);
  EXPECT_EQ(delivered->data["destination"], "+15559876543");
  EXPECT_EQ(delivered->data["simulated"], true);
  EXPECT_THAT(world_.ids("sms_gateway"), IsEmpty());
}

TEST_F(message_scenario, every_phone_of_the_loopback_gateway) {
  world_.add(sdk::abi_of<&message_type>(), {{"keep_ms", 3 * 24 * 3600 * 1000}});
  const struct {
    const char* number;
    const char* status;
    std::vector<std::string> events;
  } table[] = {
      {"+15559870200", "failed", {"sms.failed"}},
      {"+15559870300", "dlr_timeout", {"sms.sent"}},
      {"+15559870400", "gw_timeout", {"sms.failed"}},
      {"+15559870500", "failed", {"sms.sent", "sms.failed"}},
      {"+15559870600", "delivered", {"sms.sent", "sms.delivered"}},
      {"+15559870703", "delivered", {"sms.sent", "sms.delivered"}},
      {"+15559870706", "delivered", {"sms.sent", "sms.delivered"}},
      {"+15559870707", "failed", {"sms.failed"}}, // seven attempts are all there are
  };
  for (const auto& row : table) {
    const auto id = send_to(row.number);
    world_.advance(25h);
    EXPECT_EQ(status(id), row.status) << row.number;
    EXPECT_EQ(world_.event_types("sms.", id), row.events) << row.number;
    world_.advance(72h);
    EXPECT_EQ(status(id), "gone");
  }
}

TEST_F(message_scenario, a_refusal_for_now_is_tried_again_on_the_seeds_schedule) {
  const auto id = send_to("+15559870703");
  const auto attempts = [&] { return world_.view("message", id)["targets"][0]["attempts"].get<int>(); };
  const auto since = world_.now();
  std::vector<long> seconds;
  for (int last = 1; last < 4;) {
    world_.advance(100ms);
    if (attempts() != last) {
      seconds.push_back(std::chrono::duration_cast<std::chrono::seconds>(world_.now() - since).count());
      last = attempts();
    }
  }
  EXPECT_THAT(seconds, ElementsAre(1, 3, 7));
  EXPECT_EQ(world_.view("message", id)["targets"][0]["reason"], "throttled");
  world_.advance(2s);
  EXPECT_EQ(status(id), "delivered");
}

TEST_F(message_scenario, an_answer_comes_in_as_a_message_of_its_own) {
  const auto id = send_to("+15559870600");
  world_.advance(2s);
  const auto* heard = world_.last_event("sms.received");
  ASSERT_TRUE(heard);
  EXPECT_NE(heard->resource_id, id);
  EXPECT_EQ(heard->customer_id, tenant);
  const auto view = world_.view("message", heard->resource_id);
  EXPECT_EQ(view["direction"], "inbound");
  EXPECT_EQ(view["source"]["target"], "+15559870600");
  EXPECT_EQ(view["targets"][0]["destination"]["target"], "+15551234567");
  EXPECT_EQ(view["text"], "hello");
}

TEST_F(message_scenario, a_deleted_message_is_not_tried_again) {
  const auto id = send_to("+15559870750");
  world_.advance(500ms);
  EXPECT_EQ(world_.request("DELETE", "/v1/messages/" + id, nullptr, tenant).status, 200);
  world_.advance(10min);
  EXPECT_THAT(world_.event_types(), ElementsAre("message.created", "message.deleted"));
}

} // namespace
} // namespace switchboard::telephony
