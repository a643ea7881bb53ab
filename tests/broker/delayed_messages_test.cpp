#include "broker/delayed_messages.hpp"

#include <gtest/gtest.h>

#include "broker/routing_table_builder.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {
namespace {

message_ptr delayed(field_value delay, std::string_view body = "", bool persistent = false) {
  basic_properties properties;
  properties.headers.emplace();
  properties.headers->append("mine", 1);
  properties.headers->append("x-delay", std::move(delay));
  return make_message("X", "k", encode_properties(properties), body, persistent);
}

field_table headers_of(const message& what) {
  const auto properties = decode_properties(what.properties());
  return properties && properties->headers ? *properties->headers : field_table{};
}

TEST(delays, are_positive_numbers_that_fit_erlangs_timers) {
  const auto wait = [](field_value value) {
    const auto found = delay_of(*delayed(std::move(value)));
    return found ? found->count() : 0;
  };
  EXPECT_EQ(wait(5), 5);
  EXPECT_EQ(wait(std::int64_t{0xffff'ffff}), 0xffff'ffff);
  EXPECT_EQ(wait(std::int64_t{0x1'0000'0000}), 0);
  EXPECT_EQ(wait(std::uint8_t{200}), 200);
  EXPECT_EQ(wait(0), 0);
  EXPECT_EQ(wait(-7), 0);
  EXPECT_EQ(wait("250"), 250);
  EXPECT_EQ(wait("soon"), 0);
  EXPECT_EQ(wait(""), 0);
  EXPECT_EQ(wait(1.9), 1);
  EXPECT_EQ(wait(-1.5), 0);
  EXPECT_EQ(wait(1e300), 0);
  EXPECT_EQ(wait(true), 0);
  EXPECT_EQ(delay_of(*make_message("X", "k", encode_properties({}), "", false)), std::nullopt);
}

TEST(delays, are_kept_with_their_end_and_leave_negated) {
  const auto what = delayed(1500, "body", true);
  const time_point due{milliseconds{1'800'000'001'500}};
  const auto kept = with_due_time(*what, due);
  EXPECT_EQ(due_time_of(*kept), due);
  EXPECT_EQ(due_time_of(*what), std::nullopt);
  EXPECT_EQ(delay_of(*kept), milliseconds{1500});
  const auto out = without_delay(*kept);
  field_table expected;
  expected.append("mine", 1);
  expected.append("x-delay", std::int32_t{-1500});
  EXPECT_EQ(headers_of(*out), expected);
  EXPECT_EQ(out->body(), "body");
  EXPECT_EQ(out->routing_key(), "k");
  EXPECT_TRUE(out->persistent());
  EXPECT_EQ(delay_of(*out), std::nullopt);
  EXPECT_EQ(*headers_of(*without_delay(*delayed(std::int64_t{0xffff'ffff}))).find("x-delay"),
            field_value{std::int64_t{-0xffff'ffffll}});
}

TEST(delayed_messages, come_by_due_time_and_then_as_they_came) {
  delayed_messages waiting;
  const auto at = [](int ms) { return time_point{milliseconds{ms}}; };
  EXPECT_EQ(waiting.next(), std::nullopt);
  position next = 1;
  for (const auto& [due, body] : {std::pair{30, "c"}, {10, "a"}, {20, "b1"}, {20, "b2"}, {20, "b3"}})
    waiting.add(at(due), {delayed(due, body), next++});
  EXPECT_EQ(waiting.size(), 5u);
  EXPECT_GT(waiting.bytes(), 0u);
  EXPECT_EQ(waiting.next(), at(10));
  EXPECT_TRUE(waiting.take_due(at(9), 10).empty());
  const auto bodies = [&](int now, std::size_t count) {
    std::string all;
    for (const auto& each : waiting.take_due(at(now), count))
      all += std::string{each.message->body()} + "@" + std::to_string(each.at) + " ";
    return all;
  };
  EXPECT_EQ(bodies(25, 3), "a@2 b1@3 b2@4 ");
  EXPECT_EQ(waiting.next(), at(20));
  EXPECT_EQ(bodies(25, 3), "b3@5 ");
  EXPECT_EQ(bodies(1000, 3), "c@1 ");
  EXPECT_EQ(waiting.size(), 0u);
  EXPECT_EQ(waiting.bytes(), 0u);
}

class delayed_exchange : public testing::Test {
protected:
  delayed_exchange() {
    field_table arguments;
    arguments.append("x-delayed-type", "topic");
    builder_.add_exchange({.name = "D", .type = "x-delayed-message", .arguments = arguments}, delay_);
    builder_.add_queue(std::make_shared<const endpoint>(1, "q", false));
    builder_.bind({.source = "D", .destination = "q", .routing_key = "call.#"});
  }
  std::vector<std::string> to(const std::string& exchange, const std::string& key, std::optional<int> delay) {
    std::string headers;
    field_table table;
    if (delay)
      table.append("x-delay", *delay);
    encode_fields(table, headers);
    std::vector<const endpoint*> found;
    builder_.snapshot()->route(exchange, key, headers, found);
    std::vector<std::string> names;
    for (const auto* each : found)
      names.push_back(each->name);
    return names;
  }
  endpoint_ptr delay_ = std::make_shared<const endpoint>(9, "D", true, endpoint_kind::delay);
  routing_table_builder builder_;
};

using names_in_order = std::vector<std::string>;

TEST_F(delayed_exchange, routes_as_its_type_what_does_not_wait) {
  EXPECT_EQ(to("D", "call.1", std::nullopt), names_in_order{"q"});
  EXPECT_EQ(to("D", "call.1", 0), names_in_order{"q"});
  EXPECT_EQ(to("D", "call.1", -500), names_in_order{"q"});
  EXPECT_EQ(to("D", "agent.1", std::nullopt), names_in_order{});
}

TEST_F(delayed_exchange, lets_wait_whatever_the_bindings_are) {
  EXPECT_EQ(to("D", "call.1", 500), names_in_order{"D"});
  EXPECT_EQ(to("D", "agent.1", 500), names_in_order{"D"});
}

TEST_F(delayed_exchange, delays_behind_another_exchange_too) {
  builder_.add_exchange({.name = "F", .type = "fanout"});
  builder_.bind({.source = "F", .destination = "D", .to_exchange = true});
  builder_.add_queue(std::make_shared<const endpoint>(2, "now", false));
  builder_.bind({.source = "F", .destination = "now"});
  auto found = to("F", "call.1", 500);
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (names_in_order{"D", "now"}));
}

} // namespace
} // namespace switchboard::broker
