// The plugin in the test kit's world. The calls it hears of are played by an entity of the test's own.
#include <gtest/gtest.h>

#include "sdk/entity.hpp"
#include "sdk/testing.hpp"

namespace {

using namespace switchboard;

struct call {
  std::string customer_id;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(call, customer_id)

/// Ends at once, for the reason it is given.
sdk::outcome<call> end(const sdk::message& msg, const sdk::context&) {
  sdk::outcome<call> out;
  return out.next({msg.customer_id}).event("call.ended", *msg.body()).reply(200, nullptr);
}
const sdk::entity_type<call>& call_type() {
  static const sdk::entity_type<call> made{
      "call", "call", 1, [](const call&) { return json::object(); }, {sdk::creates<call>("POST", "/v1/calls", end)}};
  return made;
}

TEST(lookout_test, announces_calls_that_nobody_answered) {
  sdk::test_kit::world world;
  world.add(*switchboard_plugin_entry());
  world.add(sdk::abi_of<&call_type>());
  world.request("POST", "/v1/calls", {{"id", "call-1"}, {"hangup_reason", "normal"}}, "customer-1");
  world.request("POST", "/v1/calls", {{"id", "call-2"}, {"hangup_reason", "noanswer"}}, "customer-1");
  world.settle();
  ASSERT_EQ(world.event_types("lookout"), std::vector<std::string>{"lookout.missed"});
  EXPECT_EQ(world.last_event("lookout.missed")->data["call_id"], "call-2");
  EXPECT_EQ(world.last_event("lookout.missed")->customer_id, "customer-1");
  EXPECT_TRUE(world.failures().empty());
}

} // namespace
