#include "node/cli_requests.hpp"

#include <gtest/gtest.h>

namespace switchboard::node {
namespace {

void expect(const client_request& made, const std::string& method, const std::string& target, const json& body) {
  EXPECT_EQ(made.method, method);
  EXPECT_EQ(made.target, target);
  EXPECT_EQ(made.body, body);
}

TEST(cli_requests, each_command_is_one_request) {
  expect(create_call({"", "c1", "+1", "alice@example.com", false}), "POST", "/v1/calls",
         json::parse(R"({"customer_id":"c1","source":{"type":"tel","target":"+1"},
                         "destinations":[{"type":"sip","target":"alice@example.com"}]})"));
  EXPECT_EQ(create_call({"", "c1", "+1", "+2", true}).body["direction"], "incoming");
  expect(hang_up_call("7"), "POST", "/v1/calls/7/hangup", nullptr);
  expect(create_agent({"", "c1", "Ann", "+3"}), "POST", "/v1/agents",
         json::parse(R"({"customer_id":"c1","name":"Ann","addresses":[{"type":"tel","target":"+3"}]})"));
  EXPECT_FALSE(create_agent({"", "c1", "Ann", ""}).body.contains("addresses"));
  expect(log_in_agent("7"), "POST", "/v1/agents/7/login", nullptr);
  expect(log_out_agent("7"), "POST", "/v1/agents/7/logout", nullptr);
  expect(set_agent_status("7", "away"), "PUT", "/v1/agents/7/status", {{"status", "away"}});
  expect(create_queue({"", "c1", "sales"}), "POST", "/v1/queues", {{"customer_id", "c1"}, {"name", "sales"}});
  EXPECT_EQ(create_call({"7", "c1", "+1", "+2", false}).body["id"], "7");
  EXPECT_EQ(create_agent({"7", "c1", "Ann", ""}).body["id"], "7");
  EXPECT_EQ(create_queue({"7", "c1", "sales"}).body["id"], "7");
  expect(add_queue_agent("q", "a"), "POST", "/v1/queues/q/agents", {{"agent_id", "a"}});
  expect(add_queue_caller("q", "c"), "POST", "/v1/queues/q/calls", {{"call_id", "c"}});
  expect(list_queue_callers("q"), "GET", "/v1/queues/q/calls", nullptr);
  expect(show_one("calls", "7"), "GET", "/v1/calls/7", nullptr);
  expect(list_all("agents", 5), "GET", "/v1/agents?page_size=5", nullptr);
  expect(list_plugins(), "GET", "/api/plugins", nullptr);
  expect(load_plugin("/a/call-v2.so"), "POST", "/api/plugins", {{"path", "/a/call-v2.so"}});
  expect(roll_back_plugin("call"), "POST", "/api/plugins/call/rollback", json::object());
  expect(show_history({"call", "a/b", "", 7}), "GET", "/api/entities/call/a%2Fb/history?limit=7", nullptr);
  expect(show_history({"call", "c", "12", 7, true}), "GET", "/api/entities/call/c/history?limit=7&after=12&states=1",
         nullptr);
  expect(show_history({"call", "c", "", 7, false, true}), "GET", "/api/entities/call/c/history?replay=1", nullptr);
  expect(list_actors("/call &", 5), "GET", "/api/actors?prefix=%2Fcall%20%26&limit=5", nullptr);
}

TEST(cli_requests, an_id_cannot_reach_another_route) {
  EXPECT_EQ(show_one("calls", "../agents/7?x").target, "/v1/calls/..%2Fagents%2F7%3Fx");
  EXPECT_EQ(hang_up_call("7\r\nX: y").target, "/v1/calls/7%0D%0AX%3A%20y/hangup");
}

TEST(cli_requests, a_free_request_is_checked) {
  const auto good = free_request("POST", "/v1/x?a=b", R"({"a":[1]})");
  ASSERT_TRUE(good);
  expect(*good, "POST", "/v1/x?a=b", {{"a", {1}}});
  EXPECT_TRUE(free_request("GET", "/v1/x", ""));
  EXPECT_FALSE(free_request("get", "/v1/x", ""));
  EXPECT_FALSE(free_request("PATCH", "/v1/x", ""));
  EXPECT_FALSE(free_request("GET", "v1/x", ""));
  EXPECT_FALSE(free_request("GET", "/v1/x HTTP/1.1\r\nA: b", ""));
  EXPECT_FALSE(free_request("POST", "/v1/x", "{a}"));
}

TEST(cli_requests, tail_takes_short_and_full_topics) {
  EXPECT_EQ(tail_topic("", "c1"), "customer_id:c1");
  EXPECT_EQ(tail_topic("call", "c1"), "customer_id:c1:call");
  EXPECT_EQ(tail_topic("call:7", "c1"), "customer_id:c1:call:7");
  EXPECT_EQ(tail_topic("customer_id:c2:call:*", "c1"), "customer_id:c2:call:*");
  EXPECT_EQ(tail_topic("agent_id:a", "c1"), "agent_id:a");
}

} // namespace
} // namespace switchboard::node
