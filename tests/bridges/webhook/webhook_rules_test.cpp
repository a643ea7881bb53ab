// The pure parts of the webhook bridge: addresses, signatures, requests and answers, whose turn it is, who wants what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridges/webhook/webhook_addresses.hpp"
#include "bridges/webhook/webhook_codec.hpp"
#include "bridges/webhook/webhook_signature.hpp"
#include "bridges/webhook/webhook_targets.hpp"
#include "bridges/webhook/webhook_turns.hpp"

namespace switchboard::webhook {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

bool reachable(const char* text) { return is_public(boost::asio::ip::make_address(text)); }

TEST(webhook_addresses, of_the_public_internet_are_reachable) {
  for (const auto* text :
       {"1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
        "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"})
    EXPECT_TRUE(reachable(text)) << text;
}

TEST(webhook_addresses, of_special_networks_are_not) {
  for (const auto* text :
       {"0.0.0.0",     "0.255.255.255",   "10.0.0.1",        "10.255.255.255", "100.64.0.1",     "100.127.255.255",
        "127.0.0.1",   "127.255.255.254", "169.254.169.254", "172.16.0.1",     "172.31.255.255", "192.0.0.8",
        "192.0.2.1",   "192.88.99.1",     "192.168.0.1",     "198.18.0.1",     "198.19.255.255", "198.51.100.1",
        "203.0.113.1", "224.0.0.1",       "239.255.255.255", "240.0.0.1",      "255.255.255.255"})
    EXPECT_FALSE(reachable(text)) << text;
  for (const auto* text : {"::",
                           "::1",
                           "fe80::1",
                           "fec0::1",
                           "fc00::1",
                           "fdff::1",
                           "ff02::1",
                           "2001::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "3fff::1",
                           "100::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "::ffff:169.254.169.254",
                           "64:ff9b::127.0.0.1",
                           "64:ff9b::10.0.0.1",
                           "64:ff9b:1::1",
                           "::7f00:1",
                           "4000::1"})
    EXPECT_FALSE(reachable(text)) << text;
}

TEST(webhook_signature, is_hmac_sha256) {
  // RFC 4231, test cases 2 and 1.
  EXPECT_EQ(hmac_sha256("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(std::string(20, '\x0b'), "Hi ", "There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(webhook_signature, covers_body_and_time) {
  const time_point now{1'700'000'000'999ms};
  EXPECT_EQ(signature("key", now, "body"), "t=1700000000,v1=" + hmac_sha256("key", "1700000000.body"));
  EXPECT_EQ(voipbin_signature("key", "body"), "sha256=" + hmac_sha256("key", "body"));
}

TEST(webhook_codec, says_what_is_delivered_and_by_whom) {
  const auto fields =
      request_fields(*parse_http_url("https://a.b:8443/x"), {"w", "e", "call.ended", 3, "t=1,v1=aa", "sha256=bb"});
  EXPECT_THAT(fields,
              ElementsAre(http_field{"Host", "a.b:8443"}, http_field{"User-Agent", "Switchboard-Webhook/1"},
                          http_field{"Content-Type", "application/json"}, http_field{"Accept", "*/*"},
                          http_field{"Connection", "close"}, http_field{"X-Switchboard-Webhook-Id", "w"},
                          http_field{"X-Switchboard-Event-Id", "e"},
                          http_field{"X-Switchboard-Event-Type", "call.ended"},
                          http_field{"X-Switchboard-Attempt", "3"}, http_field{"X-Switchboard-Signature", "t=1,v1=aa"},
                          http_field{"X-VoIPBIN-Signature", "sha256=bb"}));
}

TEST(webhook_codec, lets_nobody_write_headers_by_an_id) {
  const auto fields = request_fields(*parse_http_url("http://a.b/"), {"w", "e\r\nX-Evil: 1", "t\n", 1, "", ""});
  for (const auto& [name, value] : fields)
    EXPECT_EQ(value.find_first_of("\r\n"), std::string::npos) << name;
}

TEST(webhook_codec, judges_by_the_status) {
  for (const int status : {200, 201, 202, 204, 299})
    EXPECT_EQ(judge(status), verdict::delivered) << status;
  for (const int status : {408, 425, 429, 500, 502, 503, 504, 599})
    EXPECT_EQ(judge(status), verdict::transient) << status;
  for (const int status : {100, 301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422})
    EXPECT_EQ(judge(status), verdict::permanent) << status;
  EXPECT_EQ(describe(503, "Busy\x01"), "503 Busy?");
  EXPECT_EQ(describe(302, "Found"), "302 Found (redirects are not followed)");
}

class webhook_turns : public ::testing::Test {
protected:
  std::vector<turns::ticket> all_next() {
    std::vector<turns::ticket> got;
    while (const auto one = turns_.next(now_))
      got.push_back(*one);
    return got;
  }
  /// The target does not answer until nobody is let through any more.
  void kill(const char* origin) {
    for (turns::ticket who = 1000;; ++who) {
      turns_.join(who, origin);
      if (all_next().empty())
        break;
      turns_.over(who, false, now_, 0);
    }
  }

  turns turns_{2};
  turns::clock_time now_{1h};
};

TEST_F(webhook_turns, say_nothing_of_a_target_that_was_not_asked) {
  for (turns::ticket who = 1; who <= 20; ++who) {
    turns_.join(who, "a");
    ASSERT_THAT(all_next(), ElementsAre(who));
    turns_.not_asked(who);
  }
  EXPECT_EQ(turns_.open_circuits(), 0U);
  kill("a");
  now_ += 1h;
  const auto probe = all_next();
  ASSERT_EQ(probe.size(), 1U);
  turns_.not_asked(probe.front());
  EXPECT_EQ(turns_.open_circuits(), 1U);
  turns_.join(50, "a");
  EXPECT_THAT(all_next(), ElementsAre(50)) << "the next probe";
}

TEST_F(webhook_turns, go_first_come_first_served_and_so_many_at_once) {
  for (turns::ticket who : {1, 2, 3, 4})
    turns_.join(who, "a");
  EXPECT_THAT(all_next(), ElementsAre(1, 2));
  turns_.over(2, true, now_, 0);
  EXPECT_THAT(all_next(), ElementsAre(3));
  EXPECT_TRUE(turns_.leave(4));
  EXPECT_FALSE(turns_.leave(4));
  turns_.over(1, true, now_, 0);
  EXPECT_THAT(all_next(), IsEmpty());
  EXPECT_EQ(turns_.under_way(), 1U);
}

TEST_F(webhook_turns, are_not_spent_on_a_target_that_is_dead) {
  kill("dead");
  EXPECT_EQ(turns_.open_circuits(), 1U);
  for (turns::ticket who : {1, 2, 3})
    turns_.join(who, "dead");
  turns_.join(4, "alive");
  EXPECT_THAT(all_next(), ElementsAre(4));
  EXPECT_TRUE(turns_.leave(2));
}

TEST_F(webhook_turns, let_one_probe_through_and_all_after_an_answer) {
  kill("dead");
  turns_.join(1, "dead");
  turns_.join(2, "dead");
  EXPECT_THAT(all_next(), IsEmpty());
  ASSERT_TRUE(turns_.next_look());
  now_ = *turns_.next_look();
  const auto probe = all_next();
  ASSERT_EQ(probe.size(), 1U);
  turns_.over(probe[0], true, now_, 0);
  EXPECT_EQ(turns_.open_circuits(), 0U);
  EXPECT_EQ(all_next().size(), 2U); // without waiting
}

TEST_F(webhook_turns, wait_longer_after_a_probe_that_failed) {
  kill("dead"); // which leaves one waiting
  auto opened = now_;
  for (int round = 0; round < 8; ++round) {
    auto probe = all_next();
    while (probe.empty()) {
      ASSERT_TRUE(turns_.next_look());
      now_ = *turns_.next_look();
      probe = all_next();
    }
    ASSERT_EQ(probe.size(), 1U);
    EXPECT_GE(now_ - opened, round < 5 ? 800ms * (1 << round) : 24s) << round;
    EXPECT_LE(now_ - opened, 31s) << round;
    turns_.over(probe[0], false, now_, 0);
    opened = now_;
    turns_.join(2000 + static_cast<turns::ticket>(round), "dead");
  }
}

target_ptr made(const char* id, const char* customer, std::vector<std::string> types, bool enabled = true) {
  return std::make_shared<const target>(
      target{id, customer, *parse_http_url("http://a.b/"), "s", std::move(types), enabled});
}

class webhook_targets : public ::testing::Test {
protected:
  std::vector<std::string> wanting(const char* customer, const char* type) {
    event what;
    what.customer_id = customer;
    what.event_type = type;
    std::vector<std::string> ids;
    for (const auto& one : targets_.wanting(what))
      ids.push_back(one->id);
    return ids;
  }
  targets targets_;
};

TEST_F(webhook_targets, get_what_they_want_of_their_customers) {
  targets_.put(made("1", "a", {"*"}));
  targets_.put(made("2", "a", {"call.ended", "queue.*"}));
  targets_.put(made("3", "b", {"*"}));
  targets_.put(made("4", "a", {"*"}, false));
  EXPECT_THAT(wanting("a", "call.ended"), ElementsAre("1", "2"));
  EXPECT_THAT(wanting("a", "call.created"), ElementsAre("1"));
  EXPECT_THAT(wanting("b", "queue.serviced"), ElementsAre("3"));
  EXPECT_THAT(wanting("c", "call.ended"), IsEmpty());
  EXPECT_THAT(wanting("", "call.ended"), IsEmpty());
}

TEST_F(webhook_targets, change_and_go) {
  targets_.put(made("1", "a", {"*"}));
  targets_.put(made("1", "a", {"agent.*"}));
  EXPECT_THAT(wanting("a", "call.ended"), IsEmpty());
  EXPECT_THAT(wanting("a", "agent.login"), ElementsAre("1"));
  targets_.remove("1");
  targets_.remove("1");
  EXPECT_FALSE(targets_.has_customer("a"));
  EXPECT_EQ(targets_.size(), 0U);
}

TEST_F(webhook_targets, are_read_strictly) {
  const json good{{"id", "1"},     {"customer_id", "a"},   {"uri", "http://a.b/"},
                  {"secret", "s"}, {"event_types", {"*"}}, {"enabled", true}};
  ASSERT_TRUE(read_target(good));
  for (const auto& [name, value] : good.items()) {
    auto less = good;
    less.erase(name);
    EXPECT_FALSE(read_target(less)) << name;
  }
  auto bad = good;
  bad["event_types"] = {"call"};
  EXPECT_FALSE(read_target(bad));
}

} // namespace
} // namespace switchboard::webhook
