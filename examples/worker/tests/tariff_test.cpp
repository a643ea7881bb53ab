// The plugin in the test kit's world: requests in, answers and events out.
#include <gtest/gtest.h>

#include "sdk/testing.hpp"

namespace {

using namespace switchboard;

struct tariff_test : testing::Test {
  tariff_test() { world.add(*switchboard_plugin_entry(), {{"cents", {{"+49", 2}, {"+4915", 9}}}}); }
  sdk::test_kit::world world;
};

TEST_F(tariff_test, the_longest_beginning_of_the_number_decides) {
  EXPECT_EQ(world.request("GET", "/v1/tariffs/+49301234").body["cents_per_minute"], 2);
  EXPECT_EQ(world.request("GET", "/v1/tariffs/+49151234").body["cents_per_minute"], 9);
  EXPECT_EQ(world.request("GET", "/v1/tariffs/+1555").status, 404);
}

TEST_F(tariff_test, a_quote_is_announced_for_the_customer_who_asked) {
  const auto quoted = world.request("POST", "/v1/tariffs/quotes", {{"number", "+4930"}, {"minutes", 10}}, "customer-1");
  EXPECT_EQ(quoted.body["cents"], 20);
  ASSERT_EQ(world.event_types("tariff"), std::vector<std::string>{"tariff.quoted"});
  EXPECT_EQ(world.events().back().customer_id, "customer-1");
  EXPECT_EQ(world.request("POST", "/v1/tariffs/quotes", {{"number", "+4930"}, {"minutes", -1}}).status, 400);
}

} // namespace
