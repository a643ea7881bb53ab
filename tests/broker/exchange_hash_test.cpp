#include "broker/exchange_hash.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "broker/routing_table_builder.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {
namespace {

TEST(hash_weights, are_positive_integers) {
  EXPECT_EQ(*hash_weight("1"), 1);
  EXPECT_EQ(*hash_weight("+5"), 5);
  EXPECT_EQ(*hash_weight("007"), 7);
  EXPECT_TRUE(std::isfinite(*hash_weight(std::string(255, '9'))));
  EXPECT_EQ(hash_weight("").error().what, "PRECONDITION_FAILED - The binding key must be an integer: <<>>");
  for (const auto* key : {"abc", "1.5", " 5", "5 ", "-", "+"})
    EXPECT_EQ(hash_weight(key).error().what,
              "PRECONDITION_FAILED - The binding key must be an integer: <<\"" + std::string{key} + "\">>");
  for (const auto* key : {"0", "-1", "00"})
    EXPECT_EQ(hash_weight(key).error().what, "PRECONDITION_FAILED - The binding key must be greater than 0");
}

field_table single_argument(std::string name, field_value value) {
  field_table made;
  made.append(std::move(name), std::move(value));
  return made;
}

TEST(hash_inputs, are_checked) {
  EXPECT_TRUE(hash_input::check({}));
  EXPECT_TRUE(hash_input::check(single_argument("hash-header", "a")));
  for (const auto* property : {"message_id", "correlation_id", "timestamp"})
    EXPECT_TRUE(hash_input::check(single_argument("hash-property", property)));
  EXPECT_EQ(hash_input::check(single_argument("hash-property", "app_id")).error().what,
            "PRECONDITION_FAILED - Unsupported property: app_id");
  auto both = single_argument("hash-property", "message_id");
  both.append("hash-header", "a");
  EXPECT_EQ(hash_input::check(both).error().what,
            "PRECONDITION_FAILED - hash-header and hash-property are mutually exclusive");
  EXPECT_FALSE(hash_input::check(single_argument("hash-header", std::int32_t{5})));
  EXPECT_FALSE(hash_input::check(single_argument("hash-property", std::int32_t{5})));
}

class hash_exchange : public testing::Test {
protected:
  void exchange(field_table arguments = {}) {
    builder_.add_exchange({.name = "H", .type = "x-consistent-hash", .arguments = std::move(arguments)});
  }
  void bind(const std::string& queue, const std::string& weight) {
    builder_.add_queue(std::make_shared<const endpoint>(++number_, queue, false));
    builder_.bind({.source = "H", .destination = queue, .routing_key = weight});
  }
  void unbind(const std::string& queue, const std::string& weight) {
    builder_.unbind({.source = "H", .destination = queue, .routing_key = weight});
  }
  /// The one queue that gets it; "" if none, "several" if not one.
  std::string to(const std::string& key, const basic_properties& properties = {}) {
    const auto what = make_message("H", key, encode_properties(properties), "", false);
    std::string headers;
    if (properties.headers)
      encode_fields(*properties.headers, headers);
    std::vector<const endpoint*> found;
    builder_.snapshot()->route("H", key, headers, found, true, {}, &*what);
    return found.empty() ? "" : found.size() == 1 ? found.front()->name : "several";
  }
  std::map<std::string, std::string> all() {
    std::map<std::string, std::string> owners;
    for (int i = 0; i < keys; ++i)
      owners.emplace("key." + std::to_string(i), to("key." + std::to_string(i)));
    return owners;
  }
  static std::map<std::string, int> shares(const std::map<std::string, std::string>& owners) {
    std::map<std::string, int> counts;
    for (const auto& [key, owner] : owners)
      ++counts[owner];
    return counts;
  }
  static constexpr int keys = 12'000;

  routing_table_builder builder_;
  queue_number number_ = 0;
};

TEST_F(hash_exchange, gives_each_queue_its_share) {
  exchange();
  EXPECT_EQ(to("k"), "");
  bind("a", "1");
  EXPECT_EQ(to("k"), "a");
  bind("b", "2");
  bind("c", "3");
  const auto found = shares(all());
  // Five standard deviations of a fair draw.
  EXPECT_NEAR(found.at("a"), keys / 6, 5 * std::sqrt(keys * 5 / 36.));
  EXPECT_NEAR(found.at("b"), keys / 3, 5 * std::sqrt(keys * 2 / 9.));
  EXPECT_NEAR(found.at("c"), keys / 2, 5 * std::sqrt(keys / 4.));
}

TEST_F(hash_exchange, moves_only_what_it_must) {
  exchange();
  for (const auto* queue : {"a", "b", "c", "d"})
    bind(queue, "10");
  const auto before = all();
  bind("e", "10");
  const auto with_e = all();
  for (const auto& [key, owner] : with_e)
    EXPECT_TRUE(owner == before.at(key) || owner == "e") << key;
  EXPECT_GT(shares(with_e).at("e"), keys / 5 - 250);
  unbind("e", "10");
  EXPECT_EQ(all(), before);
  unbind("b", "10");
  for (const auto& [key, owner] : all())
    EXPECT_TRUE(owner == before.at(key) || before.at(key) == "b") << key;
}

TEST_F(hash_exchange, hashes_what_it_is_told) {
  exchange(single_argument("hash-header", "call"));
  for (const auto* queue : {"a", "b", "c", "d"})
    bind(queue, "1");
  const auto with_header = [](field_value value) {
    basic_properties properties;
    properties.headers = single_argument("call", std::move(value));
    return properties;
  };
  std::map<std::string, int> counts;
  for (int i = 0; i < 200; ++i) {
    const auto owner = to(std::to_string(i), with_header(std::to_string(i)));
    EXPECT_EQ(owner, to("other key", with_header(std::to_string(i))));
    ++counts[owner];
  }
  EXPECT_EQ(counts.size(), 4u);
  EXPECT_EQ(to("k", with_header(std::int32_t{7})), to("k", with_header(std::int64_t{7})));
  EXPECT_EQ(to("k"), to("another, without a header"));
}

TEST_F(hash_exchange, hashes_properties) {
  for (const auto* name : {"message_id", "correlation_id", "timestamp"}) {
    builder_ = {};
    exchange(single_argument("hash-property", name));
    for (const auto* queue : {"a", "b", "c"})
      bind(queue, "1");
    std::map<std::string, int> counts;
    for (std::uint64_t i = 0; i < 100; ++i) {
      basic_properties properties;
      properties.message_id = properties.correlation_id = std::to_string(i);
      properties.timestamp = i;
      ++counts[to("same key", properties)];
    }
    EXPECT_EQ(counts.size(), 3u) << name;
    EXPECT_EQ(counts.count("several"), 0u) << name;
  }
}

TEST_F(hash_exchange, counts_a_queue_bound_twice_once) {
  exchange();
  bind("a", "1");
  bind("b", "1");
  builder_.bind({.source = "H", .destination = "a", .routing_key = "9"});
  const auto found = shares(all());
  EXPECT_NEAR(found.at("a"), keys / 2, 5 * std::sqrt(keys / 4.));
  unbind("a", "1"); // now the other one says its weight
  EXPECT_GT(shares(all()).at("a"), keys * 8 / 10);
  unbind("a", "9");
  EXPECT_EQ(shares(all()).at("b"), keys);
}

TEST_F(hash_exchange, looks_at_the_first_key_only) {
  exchange();
  for (const auto* queue : {"a", "b", "c"})
    bind(queue, "1");
  const auto what = make_message("H", "first", encode_properties({}), "", false);
  for (const auto* copy : {"cc.1", "cc.2", "cc.3", "cc.4", "cc.5"}) {
    std::vector<const endpoint*> found;
    builder_.snapshot()->route("H", copy, {}, found, true, {}, &*what);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found.front()->name, to("first"));
  }
}

} // namespace
} // namespace switchboard::broker
