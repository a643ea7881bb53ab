#include "messages/http_url.hpp"

#include <gtest/gtest.h>

#include <string>

namespace switchboard {
namespace {

TEST(http_url, is_read_into_scheme_host_port_and_target) {
  const auto read = parse_http_url("https://Hooks.Example.com/a/b?c=1");
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, (http_url{true, "hooks.example.com", false, 443, "/a/b?c=1"}));
  EXPECT_EQ(read->authority(), "hooks.example.com");
  EXPECT_EQ(read->origin(), "https://hooks.example.com:443");
}

TEST(http_url, takes_ports_addresses_and_no_path) {
  EXPECT_EQ(*parse_http_url("HTTP://192.0.2.7:8080"), (http_url{false, "192.0.2.7", false, 8080, "/"}));
  const auto six = parse_http_url("http://[2001:DB8::1]:81?q");
  ASSERT_TRUE(six);
  EXPECT_EQ(*six, (http_url{false, "2001:db8::1", true, 81, "/?q"}));
  EXPECT_EQ(six->authority(), "[2001:db8::1]:81");
  EXPECT_EQ(parse_http_url("https://a.b:443/")->authority(), "a.b");
  EXPECT_EQ(parse_http_url("https://a.b:/")->port, 443);
}

TEST(http_url, says_what_is_wrong_with_it) {
  for (const auto* text : {"",
                           "a.b",
                           "ftp://a.b/",
                           "//a.b",
                           "http:/a.b",
                           "http://",
                           "http://:80/",
                           "http:///x",
                           "http://a b/",
                           "http://a.b/\r\nX: y",
                           "http://a.b/#f",
                           "http://me@a.b/",
                           "http://me:pw@a.b/",
                           "http://a.b:0/",
                           "http://a.b:65536/",
                           "http://a.b:8x/",
                           "http://[::1/",
                           "http://[::1]x/",
                           "http://[fe80::1%25eth0]/",
                           "http://a_b!/",
                           "http://\xc3\xa4.b/",
                           "http://a\\b/"})
    EXPECT_FALSE(parse_http_url(text)) << text;
  EXPECT_FALSE(parse_http_url("http://a.b/" + std::string(http_url_bytes_max, 'x')));
}

} // namespace
} // namespace switchboard
