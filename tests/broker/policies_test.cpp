#include "broker/policies.hpp"

#include <gtest/gtest.h>

namespace switchboard::broker {
namespace {

policy made(std::string name, std::string pattern, field_table definition, std::int64_t priority = 0,
            std::string apply_to = "all") {
  return {std::move(name), *name_pattern::make(std::move(pattern)), std::move(apply_to), priority,
          std::move(definition)};
}

field_table definition_of(std::initializer_list<std::pair<std::string, field_value>> fields) {
  field_table all;
  for (const auto& [name, value] : fields)
    all.set(name, value);
  return all;
}

std::int64_t number(const field_table& from, std::string_view name) {
  const auto* value = from.find(name);
  return value && value->as_integer() ? *value->as_integer() : -1;
}

TEST(policy_set, the_highest_priority_counts) {
  policy_set all;
  all.put(policy_kind::standard, made("low", ".*", definition_of({{"max-length", std::int64_t{1}}}), 1));
  all.put(policy_kind::standard, made("high", "^q", definition_of({{"max-length", std::int64_t{2}}}), 2));
  EXPECT_EQ(all.match(policy_kind::standard, policy_target::queues, "q1")->name, "high");
  EXPECT_EQ(all.match(policy_kind::standard, policy_target::queues, "x")->name, "low");
  EXPECT_TRUE(all.remove(policy_kind::standard, "low"));
  EXPECT_FALSE(all.remove(policy_kind::standard, "low"));
  EXPECT_FALSE(all.match(policy_kind::standard, policy_target::queues, "x"));
}

TEST(policy_set, applies_to_what_it_says) {
  policy_set all;
  all.put(policy_kind::standard,
          made("alternate", ".*", definition_of({{"alternate-exchange", std::string{"ae"}}}), 0, "exchanges"));
  EXPECT_FALSE(all.match(policy_kind::standard, policy_target::queues, "q"));
  const auto effective = all.effective(policy_target::exchanges, "e", {});
  ASSERT_TRUE(effective.find("alternate-exchange"));
  EXPECT_EQ(*effective.find("alternate-exchange")->as_string(), "ae");
}

TEST(policy_set, of_two_numbers_the_smaller_counts_and_of_two_texts_the_declared) {
  policy_set all;
  all.put(policy_kind::standard, made("p", ".*",
                                      definition_of({{"message-ttl", std::int64_t{1000}},
                                                     {"dead-letter-exchange", std::string{"by-policy"}},
                                                     {"overflow", std::string{"reject-publish"}}})));
  const auto more = all.effective(
      policy_target::queues, "q",
      definition_of({{"x-message-ttl", std::int64_t{5000}}, {"x-dead-letter-exchange", std::string{"declared"}}}));
  EXPECT_EQ(number(more, "x-message-ttl"), 1000);
  EXPECT_EQ(*more.find("x-dead-letter-exchange")->as_string(), "declared");
  EXPECT_EQ(*more.find("x-overflow")->as_string(), "reject-publish");
  EXPECT_EQ(number(all.effective(policy_target::queues, "q", definition_of({{"x-message-ttl", std::int64_t{10}}})),
                   "x-message-ttl"),
            10);
}

TEST(policy_set, an_operator_policy_bounds_both) {
  policy_set all;
  all.put(policy_kind::standard, made("p", ".*", definition_of({{"max-length", std::int64_t{100}}})));
  all.put(policy_kind::bounding, made("o", ".*", definition_of({{"max-length", std::int64_t{50}}})));
  EXPECT_EQ(number(all.effective(policy_target::queues, "q", {}), "x-max-length"), 50);
  EXPECT_EQ(number(all.effective(policy_target::queues, "q", definition_of({{"x-max-length", std::int64_t{7}}})),
                   "x-max-length"),
            7);
}

TEST(check_policy, refuses_what_no_policy_knows) {
  EXPECT_TRUE(check_policy(policy_kind::standard, made("p", "", definition_of({{"expires", std::int64_t{1}}}))));
  EXPECT_FALSE(check_policy(policy_kind::standard, made("p", "", definition_of({{"expires", std::int64_t{0}}}))));
  EXPECT_FALSE(check_policy(policy_kind::standard, made("p", "", definition_of({{"expires", std::string{"1"}}}))));
  EXPECT_FALSE(check_policy(policy_kind::standard, made("p", "", definition_of({{"x-expires", std::int64_t{1}}}))));
  EXPECT_FALSE(check_policy(policy_kind::standard, made("p", "", {})));
  EXPECT_FALSE(check_policy(policy_kind::standard, made("p", "", definition_of({{"overflow", std::string{"up"}}}))));
  EXPECT_FALSE(check_policy(policy_kind::standard,
                            made("p", "", definition_of({{"max-length", std::int64_t{1}}}), 0, "streams")));
  EXPECT_FALSE(
      check_policy(policy_kind::bounding, made("p", "", definition_of({{"dead-letter-exchange", std::string{"d"}}}))));
}

} // namespace
} // namespace switchboard::broker
