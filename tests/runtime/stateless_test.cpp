// Workers and subscribers on a real node: the promises of entities without an entity.
#include <gmock/gmock.h>

#include "tests/runtime/node_fixture.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;

struct stateless_node : testing::Test {
  temporary_folder folder;
  std::unique_ptr<core> node;
  std::unique_ptr<client> peer;

  void SetUp() override {
    auto options = counter_node(folder.str());
    options.plugins.emplace_back("tasks");
    auto started = core::start(std::move(options));
    ASSERT_TRUE(started) << started.error().what;
    node = std::move(*started);
    peer = std::make_unique<client>(*node);
  }
  void TearDown() override {
    peer.reset();
    if (node)
      node->shutdown({}, 10s);
    node.reset();
  }
  json ask(const std::string& service, const std::string& method, const std::string& route,
           const std::string& body = "null", const std::string& message_id = {}) {
    return json::parse(peer->call(envelope(method, route, body, message_id), true, service));
  }
  std::size_t stored_entities(const char* type) {
    EXPECT_TRUE(node->store().flush());
    std::size_t count = 0;
    EXPECT_TRUE(node->store().each_entity(type, [&](store::entity_record&&) { return ++count, true; }));
    return count;
  }
};

TEST_F(stateless_node, a_worker_answers_announces_and_leaves_nothing_behind) {
  peer->consume(peer->declare("observer", "work.events"));
  const auto first = ask("work", "POST", "/v1/works/w-1", R"({"n":3})", "m-1");
  EXPECT_EQ(first["status_code"], 200) << first;
  EXPECT_EQ(first["body"]["n"], 3);
  const auto seen = peer->next_event();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->fact.event_type, "work.done");
  EXPECT_EQ(seen->fact.resource_id, "w-1");
  EXPECT_EQ(seen->fact.customer_id, "customer-1");

  EXPECT_EQ(ask("work", "POST", "/v1/works/w-1", R"({"n":3})", "m-1"), first) << "a repeat gets the same answer";
  ask("work", "POST", "/v1/works/w-2", R"({"n":4})", "m-2");
  EXPECT_EQ(peer->next_event()->fact.resource_id, "w-2") << "... and is announced once";
  EXPECT_EQ(ask("work", "GET", "/v1/works/w-1?a=b")["body"]["query"], "a=b");
  EXPECT_EQ(ask("work", "POST", "/v1/works/w-1", R"({"n":-3})")["status_code"], 400);
  EXPECT_EQ(ask("work", "POST", "/v1/works/w-1/fail")["status_code"], 500);
  EXPECT_EQ(ask("work", "POST", "/v1/works/w-1", R"({"n":5})")["status_code"], 200);
  EXPECT_EQ(stored_entities("work"), 0U);
}

TEST_F(stateless_node, a_subscriber_hears_each_event_once_and_in_order_for_each_resource) {
  peer->consume(peer->declare("observer", "echo.events"));
  ask("counter", "POST", "/v1/counters", R"({"id":"c-1"})");
  for (int i = 0; i < 20; ++i)
    ask("counter", "POST", "/v1/counters/c-1/add");
  for (int value = 0; value <= 20; ++value) {
    const auto seen = peer->next_event();
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->fact.event_type, "echo.heard");
    EXPECT_EQ(seen->fact.resource_id, "c-1");
    EXPECT_EQ(seen->fact.customer_id, "customer-1");
    EXPECT_EQ(seen->fact.data["value"], value);
  }
  EXPECT_EQ(stored_entities("echo"), 0U);
}

} // namespace
} // namespace switchboard::runtime
