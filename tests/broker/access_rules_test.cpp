#include "broker/access_rules.hpp"

#include <gtest/gtest.h>

#include "broker/access_control.hpp"
#include "tests/support/controlled_log.hpp"

namespace switchboard::broker {
namespace {

access_rules with_alice(std::string configure = "^a-", std::string write = ".*", std::string read = "") {
  access_rules rules;
  EXPECT_TRUE(rules.put_vhost("/", "", {}));
  EXPECT_TRUE(rules.put_user("alice", hash_password("secret"), {"management"}));
  EXPECT_TRUE(rules.set_permission("alice", "/", std::move(configure), std::move(write), std::move(read)));
  return rules;
}

TEST(password_hash, is_salted_and_tells_passwords_apart) {
  const auto one = hash_password("secret"), other = hash_password("secret");
  EXPECT_NE(one.hash, other.hash);
  EXPECT_TRUE(is_password("secret", one));
  EXPECT_FALSE(is_password("secre", one));
  EXPECT_FALSE(is_password("", one));
  EXPECT_FALSE(is_password("", hash_password("")));
}

// The example of RabbitMQ's page "Credentials and Passwords": salt 908DC60A, password test12.
TEST(password_hash, is_rabbitmqs) {
  const password_hash kept{"kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"};
  EXPECT_TRUE(check_password_hash(kept));
  EXPECT_TRUE(is_password("test12", kept));
  EXPECT_FALSE(is_password("test13", kept));
}

TEST(password_hash, says_what_is_no_hash) {
  EXPECT_FALSE(check_password_hash({"not base64!", std::string{default_password_algorithm}}));
  EXPECT_FALSE(check_password_hash({"AAAA", std::string{default_password_algorithm}}));
  EXPECT_FALSE(check_password_hash({"AAAA", "rot13"}));
  EXPECT_FALSE(is_password("x", {"AAAA", "rot13"}));
}

TEST(access_rules, authenticates_by_password_only) {
  const auto rules = with_alice();
  EXPECT_TRUE(rules.authenticate("alice", "secret"));
  EXPECT_FALSE(rules.authenticate("alice", "Secret"));
  EXPECT_FALSE(rules.authenticate("bob", "secret"));
  EXPECT_FALSE(rules.authenticate("alice", ""));
}

TEST(access_rules, match_names_by_expressions_that_are_not_anchored) {
  const auto rules = with_alice("^a-", "b", "");
  EXPECT_TRUE(rules.may("alice", "/", action::configure, "a-queue"));
  EXPECT_FALSE(rules.may("alice", "/", action::configure, "xa-queue"));
  EXPECT_TRUE(rules.may("alice", "/", action::write, "abc"));
  EXPECT_FALSE(rules.may("alice", "/", action::write, "acd"));
  EXPECT_FALSE(rules.may("alice", "/", action::read, "anything"));
  EXPECT_FALSE(rules.may("alice", "/", action::read, ""));
  EXPECT_FALSE(rules.may("alice", "other", action::write, "abc"));
  EXPECT_FALSE(rules.may("bob", "/", action::write, "abc"));
}

TEST(access_rules, an_expression_that_takes_for_ever_matches_nothing) {
  const auto pattern = name_pattern::make("^(a+)+$");
  ASSERT_TRUE(pattern);
  EXPECT_TRUE(pattern->matches("aaaa"));
  EXPECT_FALSE(pattern->matches(std::string(250, 'a') + "!"));
}

TEST(access_rules, refuse_what_is_no_expression_and_change_nothing) {
  auto rules = with_alice();
  const auto refused = rules.set_permission("alice", "/", "(", ".*", ".*");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::bad_format);
  EXPECT_TRUE(rules.may("alice", "/", action::configure, "a-"));
  EXPECT_EQ(rules.set_permission("bob", "/", "", "", "").error().code, errc::not_found);
  EXPECT_EQ(rules.set_permission("alice", "x", "", "", "").error().code, errc::not_found);
  EXPECT_EQ(rules.delete_user("bob").error().code, errc::not_found);
  EXPECT_EQ(rules.delete_vhost("x").error().code, errc::not_found);
  EXPECT_FALSE(rules.put_user("", {}, {}));
  EXPECT_FALSE(rules.put_user(std::string(256, 'x'), {}, {}));
  EXPECT_FALSE(rules.put_user("\xff", {}, {}));
  EXPECT_FALSE(rules.set_user_limit("alice", "max-queues", 1));
}

TEST(access_rules, topic_permissions_know_user_and_vhost_and_leave_other_exchanges_open) {
  auto rules = with_alice();
  ASSERT_TRUE(rules.set_topic_permission("alice", "/", "events", "^{username}\\.", "^{vhost}$"));
  EXPECT_TRUE(rules.may_topic("alice", "/", action::write, "events", "alice.call"));
  EXPECT_FALSE(rules.may_topic("alice", "/", action::write, "events", "bob.call"));
  EXPECT_TRUE(rules.may_topic("alice", "/", action::read, "events", "/"));
  EXPECT_TRUE(rules.may_topic("alice", "/", action::write, "others", "bob.call"));
  ASSERT_TRUE(rules.clear_topic_permission("alice", "/", "events"));
  EXPECT_TRUE(rules.may_topic("alice", "/", action::write, "events", "bob.call"));
}

TEST(access_rules, a_new_password_leaves_permissions_and_limits) {
  auto rules = with_alice();
  ASSERT_TRUE(rules.set_user_limit("alice", "max-connections", 3));
  ASSERT_TRUE(rules.put_user("alice", hash_password("other"), {}));
  EXPECT_TRUE(rules.may_enter("alice", "/"));
  EXPECT_EQ(limit_of(rules.find_user("alice")->limits, "max-connections"), 3);
  EXPECT_FALSE(rules.find_user("alice")->has_tag("management"));
}

TEST(access_rules, a_vhost_takes_its_permissions_along) {
  auto rules = with_alice();
  ASSERT_TRUE(rules.put_vhost("test", "for tests", {"a", "b"}));
  ASSERT_TRUE(rules.set_permission("alice", "test", "", "", ""));
  EXPECT_TRUE(rules.may_enter("alice", "test"));
  const auto changes = rules.delete_vhost("test");
  ASSERT_TRUE(changes);
  EXPECT_EQ(changes->size(), 2u);
  EXPECT_FALSE(rules.may_enter("alice", "test"));
  EXPECT_TRUE(rules.may_enter("alice", "/"));
}

TEST(access_rules, come_back_from_their_records) {
  auto rules = with_alice();
  std::map<std::string, std::string> log;
  const auto keep = [&](expected<record_changes> changes) {
    ASSERT_TRUE(changes);
    for (const auto& each : *changes)
      each.bytes ? void(log[each.key] = *each.bytes) : void(log.erase(each.key));
  };
  keep(rules.put_vhost("/", "standard", {"tag"}));
  keep(rules.set_vhost_limit("/", "max-queues", 7));
  keep(rules.set_user_limit("alice", "max-channels", 5));
  keep(rules.set_topic_permission("alice", "/", "events", "^{username}", ".*"));
  access_rules again;
  for (const auto& [key, bytes] : log) {
    ASSERT_TRUE(access_rules::is_record(key));
    ASSERT_TRUE(again.restore(key, bytes));
  }
  EXPECT_TRUE(again.authenticate("alice", "secret"));
  EXPECT_TRUE(again.may("alice", "/", action::configure, "a-queue"));
  EXPECT_FALSE(again.may("alice", "/", action::configure, "b-queue"));
  EXPECT_FALSE(again.may_topic("alice", "/", action::write, "events", "bob"));
  EXPECT_EQ(again.find_user("alice")->topic_permissions.at("/").at("events").write_text, "^{username}");
  EXPECT_EQ(limit_of(again.find_user("alice")->limits, "max-channels"), 5);
  EXPECT_EQ(limit_of(again.find_vhost("/")->limits, "max-queues"), 7);
  EXPECT_EQ(again.find_vhost("/")->description, "standard");
}

TEST(access_rules, name_a_damaged_record) {
  access_rules rules;
  for (const auto* bytes : {"", "[]", "{}", R"({"version":2})", R"({"version":1})", R"({"version":1,"tags":3})"}) {
    const auto read = rules.restore("user/alice", bytes);
    ASSERT_FALSE(read) << bytes;
    EXPECT_EQ(read.error().code, errc::corrupt);
    EXPECT_NE(read.error().what.find("user/alice"), std::string::npos);
    EXPECT_FALSE(rules.restore("vhost/x", bytes));
  }
  EXPECT_TRUE(rules.users().empty());
}

TEST(access_view, answers_by_the_rules_of_its_last_refresh) {
  access_control control{std::make_shared<test::controlled_log>(), with_alice("^a-", "", "")};
  access_view view{control, "alice", "/"};
  view.refresh();
  EXPECT_TRUE(view.may(action::configure, "a-1"));
  EXPECT_FALSE(view.may(action::configure, "b-1"));
  EXPECT_FALSE(view.may(action::write, "a-1"));
  ASSERT_TRUE(control.change([](access_rules& now) { return now.set_permission("alice", "/", ".*", ".*", ".*"); }));
  EXPECT_FALSE(view.may(action::write, "a-1"));
  view.refresh();
  EXPECT_TRUE(view.may(action::write, "a-1"));
  ASSERT_TRUE(control.change([](access_rules& now) { return now.delete_user("alice"); }));
  view.refresh();
  EXPECT_FALSE(view.may(action::write, "a-1"));
}

TEST(access_control, a_change_that_fails_changes_nothing) {
  access_control control{std::make_shared<test::controlled_log>(), with_alice()};
  const auto before = control.rules();
  EXPECT_FALSE(control.change([](access_rules& now) { return now.delete_user("bob"); }));
  EXPECT_EQ(control.rules(), before);
}

} // namespace
} // namespace switchboard::broker
