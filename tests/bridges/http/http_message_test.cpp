#include "bridges/http/http_message.hpp"

#include <gtest/gtest.h>

namespace switchboard::http {
namespace {

TEST(http_message, headers_are_found_in_any_case) {
  const http_request what{"GET", "/", {{"Content-Type", "a"}, {"content-type", "b"}}, "", false};
  EXPECT_EQ(what.header("CONTENT-TYPE"), "a");
  EXPECT_EQ(what.header("Content-Typ"), "");
}

TEST(http_message, loopback_hosts_are_told_from_names_that_look_like_them) {
  for (const auto* host :
       {"localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:8080", "127.1.2.3", "[::1]", "[::1]:80"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const auto* host :
       {"", "localhost.evil.example", "127.0.0.1.evil.example", "127.evil.example:80", "evil.example", "10.0.0.1",
        "128.0.0.1", "[::2]", "[::1", "[::1]x", "::1", "127.0.0.", "127.0.1"})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

TEST(http_message, json_types) {
  for (const auto* type :
       {"application/json", "Application/JSON; charset=utf-8", "application/json ;x", "application/merge-patch+json"})
    EXPECT_TRUE(is_json_type(type)) << type;
  for (const auto* type :
       {"", "text/plain", "application/jsonx", "text/json+json", "application/x-www-form-urlencoded", "json"})
    EXPECT_FALSE(is_json_type(type)) << type;
}

TEST(http_message, errors_are_json_with_the_headers_their_status_wants) {
  const auto answer = error_answer(503, "stopping", "the node is \"stopping\"");
  EXPECT_EQ(answer.body,
            R"({"error":{"message":"the node is \"stopping\"","reason":"stopping","status":"UNAVAILABLE"}})");
  EXPECT_EQ(answer.headers, (header_list{{"Retry-After", "1"}}));
  EXPECT_EQ(error_answer(401, "x", "").headers, (header_list{{"WWW-Authenticate", "Bearer"}}));
}

} // namespace
} // namespace switchboard::http
