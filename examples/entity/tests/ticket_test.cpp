// The plugin in the test kit's world: virtual time, and faults from a seed.
#include <gtest/gtest.h>

#include "sdk/testing.hpp"

namespace {

using namespace std::chrono_literals;
using namespace switchboard;

struct ticket_test : testing::Test {
  ticket_test() { world.add(*switchboard_plugin_entry(), {{"remind_ms", 1000}}); }
  std::string create() {
    return world.request("POST", "/v1/tickets", {{"text", "call back"}}, "customer-1").body["id"];
  }
  sdk::test_kit::world world;
};

TEST_F(ticket_test, reminds_until_it_is_closed) {
  const auto id = create();
  world.advance(3s);
  EXPECT_EQ(world.view("ticket", id)["reminders"], 3);
  EXPECT_EQ(world.request("DELETE", "/v1/tickets/" + id, nullptr, "customer-1").status, 200);
  EXPECT_FALSE(world.exists("ticket", id));
  world.advance(1h);
  EXPECT_EQ(world.event_types("ticket", id),
            (std::vector<std::string>{"ticket.created", "ticket.reminded", "ticket.reminded", "ticket.reminded",
                                      "ticket.closed"}));
}

TEST_F(ticket_test, is_not_seen_by_another_customer) {
  const auto id = create();
  EXPECT_EQ(world.request("GET", "/v1/tickets/" + id, nullptr, "customer-1").body["text"], "call back");
  EXPECT_EQ(world.request("GET", "/v1/tickets/" + id, nullptr, "customer-2").status, 404);
  EXPECT_EQ(world.request("GET", "/v1/tickets", nullptr, "customer-1").body["result"][0]["id"], id);
  EXPECT_TRUE(world.request("GET", "/v1/tickets", nullptr, "customer-2").body["result"].empty());
}

TEST_F(ticket_test, goes_on_reminding_when_decisions_crash_and_the_node_restarts) {
  const auto id = create();
  world.spoil(sdk::test_kit::node_faults(0.1));
  world.advance(1min);
  world.restart(10s);
  world.advance(1min);
  EXPECT_GT(world.view("ticket", id)["reminders"], 20);
  EXPECT_EQ(world.timers("ticket", id), std::vector<std::string>{"remind"});
  EXPECT_TRUE(world.failures().empty());
}

} // namespace
