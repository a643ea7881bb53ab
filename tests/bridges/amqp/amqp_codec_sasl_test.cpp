#include "bridges/amqp/amqp_codec_sasl.hpp"

#include <string>

#include <gtest/gtest.h>

#include "messages/field_table.hpp"
#include "tests/bridges/amqp/amqp_codec_samples.hpp"

namespace switchboard::amqp {
namespace {

using samples::octets;

std::string plain(std::string_view acts_for, std::string_view user, std::string_view password) {
  return std::string{acts_for} + '\0' + std::string{user} + '\0' + std::string{password};
}

std::string amqplain(field_value login, field_value password) {
  field_table table;
  table.set("LOGIN", std::move(login));
  table.set("PASSWORD", std::move(password));
  std::string bytes;
  encode_fields(table, bytes);
  return bytes;
}

TEST(amqp_codec_sasl, plain_has_user_and_password) {
  const auto found = parse_credentials("PLAIN", plain("", "guest", "se cret"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->user, "guest");
  EXPECT_EQ(found->password, "se cret");
  const auto empty = parse_plain(plain("", "", ""));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->user + empty->password, "");
}

TEST(amqp_codec_sasl, plain_may_name_the_user_twice_but_nobody_else) {
  EXPECT_TRUE(parse_plain(plain("guest", "guest", "guest")));
  const auto other = parse_plain(plain("admin", "guest", "guest"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, errc::access_refused);
}

TEST(amqp_codec_sasl, plain_needs_exactly_two_nuls) {
  for (const std::string& response :
       {std::string{}, std::string{"guest"}, octets(0) + "guest", octets(0, 'a', 0, 'b', 0), octets(0, 0, 0)}) {
    const auto found = parse_plain(response);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, errc::bad_format);
  }
}

TEST(amqp_codec_sasl, golden_amqplain) {
  const auto response = samples::join({
      octets(5) + "LOGIN",    // name
      octets('S'),            // a long string
      octets(0, 0, 0, 5),     // its length
      "guest",                // user
      octets(8) + "PASSWORD", // name
      octets('S'),            // a long string
      octets(0, 0, 0, 3),     // its length
      "pw" + octets(0),       // password, of any bytes
  });
  const auto found = parse_credentials("AMQPLAIN", response);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->user, "guest");
  EXPECT_EQ(found->password, "pw" + octets(0));
  EXPECT_EQ(response, amqplain("guest", std::string{"pw"} + '\0'));
  for (std::size_t size = 0; size < response.size(); ++size)
    EXPECT_FALSE(parse_amqplain(response.substr(0, size))) << size;
}

TEST(amqp_codec_sasl, amqplain_needs_two_strings) {
  EXPECT_FALSE(parse_amqplain(amqplain(true, "pw")));
  EXPECT_FALSE(parse_amqplain(amqplain("guest", std::int32_t{5})));
}

TEST(amqp_codec_sasl, a_mechanism_that_is_not_offered_is_told_apart) {
  for (const auto* mechanism : {"EXTERNAL", "plain", ""}) {
    const auto found = parse_credentials(mechanism, plain("", "guest", "guest"));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, errc::not_implemented);
  }
}

} // namespace
} // namespace switchboard::amqp
