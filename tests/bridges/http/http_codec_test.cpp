#include "bridges/http/http_codec.hpp"

#include <gtest/gtest.h>

#include "base/ids.hpp"
#include "tests/bridges/http/http_samples.hpp"

namespace switchboard::http {
namespace {

constexpr time_point now{std::chrono::seconds{1'800'000'000}};
using samples::secret;

std::shared_ptr<const runtime::jwt_verifier> tokens() {
  static const auto made = *runtime::jwt_verifier::make({.hs256_secret = secret});
  return made;
}
std::string token(const std::string& customer, const std::string& agent = {},
                  milliseconds life = std::chrono::hours{1}) {
  return runtime::sign_hs256({customer, agent, now + life}, secret, now);
}

/// A request from a program on this machine.
http_request local(std::string method, std::string target, std::string body = {}, header_list more = {}) {
  http_request made{std::move(method), std::move(target), {{"Host", "127.0.0.1:8080"}}, std::move(body), true};
  if (!made.body.empty())
    made.headers.emplace_back("Content-Type", "application/json");
  made.headers.insert(made.headers.end(), more.begin(), more.end());
  return made;
}
http_request remote(header_list more = {}, std::string target = "/v1/calls") {
  auto made = local("GET", std::move(target), "", std::move(more));
  made.headers.front().second = "api.example";
  made.from_loopback = false;
  return made;
}

gateway_call passed(const http_request& what, gateway_rules rules = {}) {
  auto read = decode_request(what, rules, {}, tokens().get(), now);
  if (const auto* answer = std::get_if<http_answer>(&read)) {
    ADD_FAILURE() << answer->status << " " << answer->body;
    return {};
  }
  return std::get<gateway_call>(read);
}

int status(const http_request& what, gateway_rules rules = {}) {
  const auto read = decode_request(what, rules, {}, tokens().get(), now);
  return std::holds_alternative<http_answer>(read) ? std::get<http_answer>(read).status : 0;
}

TEST(http_codec, a_request_becomes_the_envelope_of_its_service) {
  const auto made =
      passed(local("POST", "/v1/calls?x=1", R"({"destinations":[]})", {{"X-Customer-Id", "customer-123"}}));
  EXPECT_EQ(made.call.service, "call");
  EXPECT_EQ(made.call.what.method, "POST");
  EXPECT_EQ(made.call.what.route, "/v1/calls?x=1");
  EXPECT_EQ(made.call.what.timestamp, now);
  EXPECT_EQ(made.call.what.headers, json({{"customer_id", "customer-123"}}));
  EXPECT_EQ(made.call.what.body, json::parse(R"({"destinations":[]})"));
  EXPECT_TRUE(is_uuid(made.message_id));
  EXPECT_EQ(made.call.what.message_id, made.message_id);
  EXPECT_EQ(made.call.timeout, milliseconds{3000});
}

TEST(http_codec, a_token_says_who_asks_and_is_not_passed_on) {
  for (const auto& what : {remote({{"Authorization", "Bearer " + token("c-1", "a-1")}, {"X-Customer-Id", "c-2"}}),
                           remote({}, "/v1/calls?token=" + token("c-1", "a-1"))}) {
    const auto made = passed(what);
    EXPECT_EQ(made.call.what.headers, json({{"customer_id", "c-1"}, {"agent_id", "a-1"}}));
    EXPECT_EQ(made.call.what.route, "/v1/calls");
  }
  EXPECT_EQ(passed(remote({{"Authorization", "Bearer " + token("c-1")}})).call.what.headers,
            json({{"customer_id", "c-1"}}));
}

TEST(http_codec, an_invalid_token_is_401_wherever_it_comes_from) {
  for (const auto& bad :
       {token("c-1", {}, -std::chrono::hours{1}), token("c-1") + "x", std::string{"x"}, std::string{}}) {
    EXPECT_EQ(status(local("GET", "/v1/calls", "", {{"Authorization", "Bearer " + bad}})), 401) << bad;
    EXPECT_EQ(status(local("GET", "/v1/calls?token=" + bad)), 401) << bad;
    EXPECT_EQ(status(local("GET", "/nonsense?token=" + bad)), 401) << bad;
  }
  EXPECT_EQ(status(local("GET", "/v1/calls", "", {{"Authorization", "Basic Z3Vlc3Q6Z3Vlc3Q="}})), 401);
  const auto read = decode_request(remote({{"Authorization", "Bearer " + token("c-1")}}), {}, {}, nullptr, now);
  EXPECT_EQ(std::get<http_answer>(read).status, 401) << "a node without keys takes no token";
}

TEST(http_codec, only_programs_on_this_machine_act_without_a_token) {
  EXPECT_EQ(status(local("GET", "/v1/calls")), 0);
  EXPECT_EQ(status(local("GET", "/v1/calls"), {.anonymous_from_loopback = false}), 401);
  EXPECT_EQ(status(remote()), 401);
  auto rebound = local("GET", "/v1/calls");
  rebound.headers.front().second = "evil.example:8080";
  EXPECT_EQ(status(rebound), 401) << "a browser whose DNS was rebound";
  rebound.headers.clear();
  EXPECT_EQ(status(rebound), 401) << "no Host at all";
  EXPECT_EQ(status(local("GET", "/v1/calls", "", {{"Origin", "https://evil.example"}})), 401);
  EXPECT_EQ(status(local("GET", "/v1/calls", "", {{"Origin", "null"}})), 401);
  EXPECT_EQ(status(local("GET", "/v1/calls", "", {{"Origin", "http://localhost:3000"}})), 0);
  EXPECT_EQ(status(local("GET", "/v1/calls", "", {{"X-Customer-Id", "a:*"}})), 400);
}

TEST(http_codec, routes_and_methods) {
  for (const auto* target : {"/", "/v1", "/v1/", "/v2/calls", "/v1/../etc", "/v1/%2e%2e", "/metrics", "/V1/calls"})
    EXPECT_EQ(status(local("GET", target)), 404) << target;
  EXPECT_EQ(status(local("GET", "/v1/calls\x01")), 400);
  EXPECT_EQ(status(local("GET", "/v1/calls/" + std::string(5000, 'x'))), 400);
  EXPECT_EQ(passed(local("HEAD", "/v1/calls")).call.what.method, "GET");
  EXPECT_EQ(passed(local("DELETE", "/v1/conferencecalls/7")).call.service, "conference");
  EXPECT_EQ(passed(local("PUT", "/v1/widgets/7")).call.service, "widget");
  EXPECT_EQ(status(local("OPTIONS", "/v1/calls")), 204);
  for (const auto* method : {"PATCH", "TRACE", "CONNECT", "get", ""})
    EXPECT_EQ(status(local(method, "/v1/calls")), 405) << method;
}

TEST(http_codec, bodies_are_json_within_limits) {
  EXPECT_EQ(status(local("POST", "/v1/calls", "{")), 400);
  EXPECT_EQ(status(local("POST", "/v1/calls", "\"\xff\"")), 400);
  EXPECT_EQ(status(local("POST", "/v1/calls", std::string(100, '[') + std::string(100, ']'))), 413);
  EXPECT_EQ(status(local("POST", "/v1/calls", "{\"x\":\"" + std::string(2000, 'x') + "\"}"), {.body_bytes_max = 1000}),
            413);
  auto form = local("POST", "/v1/calls");
  form.body = "{}";
  EXPECT_EQ(status(form), 415) << "no media type";
  form.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  EXPECT_EQ(status(form), 415);
  EXPECT_TRUE(passed(local("POST", "/v1/calls")).call.what.body.is_null());
}

TEST(http_codec, the_client_may_ask_for_another_timeout) {
  const auto timeout = [](const char* text) {
    return passed(local("GET", "/v1/calls", "", {{"X-Request-Timeout", text}})).call.timeout;
  };
  EXPECT_EQ(timeout("250"), milliseconds{250});
  EXPECT_EQ(timeout("999999"), milliseconds{30'000});
  for (const auto* bad : {"0", "-1", "1.5", "1s", " 1", "99999999999"})
    EXPECT_EQ(status(local("GET", "/v1/calls", "", {{"X-Request-Timeout", bad}})), 400) << bad;
}

TEST(http_codec, the_clients_key_becomes_the_message_id) {
  const auto id = [](header_list more) { return passed(local("POST", "/v1/calls", "{}", std::move(more))); };
  EXPECT_EQ(id({{"Idempotency-Key", "order-7"}}).call.what.message_id, "order-7");
  EXPECT_EQ(id({{"Idempotency-Key", "\"order-7\""}}).message_id, "order-7") << "as the draft quotes it";
  EXPECT_EQ(id({{"X-Message-Id", "order-8"}}).message_id, "order-8");
  EXPECT_NE(id({}).message_id, id({}).message_id);
  EXPECT_EQ(status(local("POST", "/v1/calls", "{}", {{"Idempotency-Key", "a b"}})), 400);
  EXPECT_EQ(status(local("POST", "/v1/calls", "{}", {{"Idempotency-Key", std::string(121, 'x')}})), 400);
}

TEST(http_codec, tenants_with_the_same_key_do_not_meet) {
  const auto of = [](const char* customer, const char* key) {
    return passed(remote({{"Authorization", "Bearer " + token(customer)}, {"Idempotency-Key", key}}));
  };
  EXPECT_EQ(of("c-1", "1").message_id, "1") << "what the client is told";
  EXPECT_NE(of("c-1", "1").call.what.message_id, of("c-2", "1").call.what.message_id);
  EXPECT_EQ(of("c-1", "1").call.what.message_id, of("c-1", "1").call.what.message_id);
  EXPECT_NE(of("c-1", "1").call.what.message_id, "1");
  const auto* uuid = "7b0d3a44-9f2e-4c1b-8a7d-0f3c2b1a9e8d";
  EXPECT_EQ(of("c-1", uuid).call.what.message_id, uuid) << "the same on every bridge";
}

TEST(http_codec, a_trace_goes_along) {
  const auto* parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  EXPECT_EQ(passed(local("GET", "/v1/calls", "", {{"traceparent", parent}})).call.what.headers["traceparent"], parent);
  EXPECT_FALSE(passed(local("GET", "/v1/calls", "", {{"traceparent", "x"}})).call.what.headers.contains("traceparent"));
}

TEST(http_codec, a_response_becomes_an_answer) {
  response from;
  from.status_code = 201;
  from.body = {{"id", "call-1"}};
  const auto made = encode_response("m-1", from);
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.body, R"({"id":"call-1"})");
  EXPECT_EQ(made.headers, (header_list{{"X-Message-Id", "m-1"}}));
  EXPECT_EQ(encode_response("m-1", {}).body, "");
  EXPECT_EQ(encode_response("m-1", {}).status, 200);
}

TEST(http_codec, a_503_says_when_to_come_back_in_whole_seconds) {
  response from;
  from.status_code = 503;
  from.error = error_object(503, "unavailable", "gateway", "the service does not answer");
  const auto retry_after = [&](milliseconds known) {
    for (const auto& [name, value] : encode_response("m", from, known).headers)
      if (name == "Retry-After")
        return value;
    return std::string{"none"};
  };
  EXPECT_EQ(retry_after(milliseconds{0}), "1");
  EXPECT_EQ(retry_after(milliseconds{1}), "1");
  EXPECT_EQ(retry_after(milliseconds{4200}), "5");
  from.error["retry_after"] = 27; // what the service itself knows
  EXPECT_EQ(retry_after(milliseconds{0}), "27");
  for (const auto& odd : {json(-1), json("soon"), json(0)}) {
    from.error["retry_after"] = odd;
    EXPECT_EQ(retry_after(milliseconds{0}), "1") << odd;
  }
}

TEST(http_codec, a_refusal_keeps_its_status_and_loses_the_services_name) {
  response from;
  from.status_code = 404;
  from.error = error_object(404, "not_found", "call-manager", "no such call");
  EXPECT_EQ(encode_response("m", from).status, 404);
  EXPECT_EQ(encode_response("m", from).body,
            R"({"error":{"message":"no such call","reason":"not_found","status":"NOT_FOUND"}})");
  from.error = nullptr;
  EXPECT_EQ(json::parse(encode_response("m", from).body)["error"]["status"], "NOT_FOUND");
  from.body = {{"why", "x"}};
  EXPECT_EQ(encode_response("m", from).body, R"({"why":"x"})");
  from.status_code = 100;
  EXPECT_EQ(encode_response("m", from).status, 502);
}

} // namespace
} // namespace switchboard::http
