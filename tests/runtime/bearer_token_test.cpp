#include "runtime/bearer_token.hpp"

#include <gtest/gtest.h>

namespace switchboard::runtime {
namespace {

TEST(bearer_token, comes_from_the_header_and_else_from_the_query) {
  EXPECT_EQ(bearer_token("Bearer a.b.c", "/ws"), "a.b.c");
  EXPECT_EQ(bearer_token("bEaReR   a.b.c", "/ws?token=other"), "a.b.c");
  EXPECT_EQ(bearer_token("", "/ws?token=a.b.c"), "a.b.c");
  EXPECT_EQ(bearer_token("", "/ws?x=1&token=a%2Eb&token=second"), "a.b");
}

TEST(bearer_token, nothing_is_nothing_but_a_bad_credential_is_not) {
  EXPECT_EQ(bearer_token("", "/ws"), std::nullopt);
  EXPECT_EQ(bearer_token("", "/ws?tokens=1&xtoken=2"), std::nullopt);
  EXPECT_EQ(bearer_token("", "/token=1"), std::nullopt);
  for (const auto* bad : {"Basic Z3Vlc3Q6Z3Vlc3Q=", "Bearer", "Bearer ", "BearerX a", "a.b.c"})
    EXPECT_EQ(bearer_token(bad, "/ws?token=a.b.c"), "") << bad;
  EXPECT_EQ(bearer_token("", "/ws?token="), "");
  EXPECT_EQ(bearer_token("", "/ws?token"), "");
}

TEST(without_token, removes_every_spelling_of_the_token_and_nothing_else) {
  EXPECT_EQ(without_token("/v1/calls"), "/v1/calls");
  EXPECT_EQ(without_token("/v1/calls?token=x"), "/v1/calls");
  EXPECT_EQ(without_token("/v1/calls?a=1&token=x&b=%20&token=y"), "/v1/calls?a=1&b=%20");
  EXPECT_EQ(without_token("/v1/calls?%74oken=x&a=1"), "/v1/calls?a=1");
  EXPECT_EQ(without_token("/v1/calls?tokens=x&&"), "/v1/calls?tokens=x&");
}

TEST(query_parameter, decodes_the_first_of_that_name) {
  EXPECT_EQ(query_parameter("/api?prefix=%2Famqp&limit=5", "prefix"), "/amqp");
  EXPECT_EQ(query_parameter("/api?prefix=a+b", "prefix"), "a b");
  EXPECT_EQ(query_parameter("/api?prefix=%", "prefix"), "%");
  EXPECT_EQ(query_parameter("/api?prefix=%4", "prefix"), "%4");
  EXPECT_EQ(query_parameter("/api?prefix=%zz", "prefix"), "%zz");
  EXPECT_EQ(query_parameter("/api?", "prefix"), std::nullopt);
}

} // namespace
} // namespace switchboard::runtime
