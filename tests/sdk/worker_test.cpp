// Workers and subscribers: rows without a state, over the same C ABI.
#include <gmock/gmock.h>

#include "sdk/testing.hpp"
#include "sdk/worker.hpp"

namespace switchboard::sdk::worker_test {

using ::testing::ElementsAre;

task multiply(const message& msg, const context&) {
  body_reader in{msg};
  const auto product = in.integer("a", 1, -1000, 1000) * in.integer("b", 1, -1000, 1000);
  if (in.wrong())
    return refused<stateless>(*in.wrong());
  task out;
  out.event_about(msg.path_parameter("name"), "sum.done", {{"product", product}}).reply(200, {{"product", product}});
  return out;
}
task explode(const message&, const context&) { throw std::runtime_error("boom"); }
const stateless_type& worker_type() {
  static const auto made = worker(
      "sum", "sum", {serves("POST", "/v1/sums/{name}", multiply), serves("POST", "/v1/sums/{name}/explode", explode)});
  return made;
}

task echo(const message& msg, const context& ctx) {
  task out;
  out.send({"nobody", msg.from_id}, "echo", {{"was", msg.name}, {"me", ctx.id()}, {"data", *msg.body()}});
  return out;
}
const stateless_type& subscriber_type() {
  static const auto made = subscriber("echo", {on("sum.done", echo)});
  return made;
}

struct stateless_test : ::testing::Test {
  stateless_test() {
    world_.add(abi_of<&worker_type>());
    world_.add(abi_of<&subscriber_type>());
  }
  test_kit::world world_;
};

TEST_F(stateless_test, a_worker_answers_without_an_entity_and_announces_for_the_senders_customer) {
  const auto answer = world_.request("POST", "/v1/sums/mine", {{"a", 6}, {"b", 7}, {"id", "no matter"}}, "c1");
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.body, (json{{"product", 42}}));
  ASSERT_EQ(world_.events().size(), 1U);
  EXPECT_EQ(world_.events()[0].resource_id, "mine");
  EXPECT_EQ(world_.events()[0].customer_id, "c1");
  EXPECT_THAT(world_.ids("sum"), ElementsAre());
  EXPECT_EQ(world_.request("POST", "/v1/sums/mine", {{"a", "x"}}).status, 400);
  EXPECT_EQ(world_.request("POST", "/v1/sums/mine/explode").text, "boom");
}

TEST_F(stateless_test, a_subscriber_hears_every_event_of_a_type_under_its_resources_id) {
  world_.request("POST", "/v1/sums/mine", {{"a", 2}, {"b", 2}}, "c1");
  world_.settle();
  ASSERT_EQ(world_.outside().size(), 1U);
  EXPECT_EQ(json::parse(world_.outside()[0].body),
            (json{{"was", "sum.done"}, {"me", "mine"}, {"data", {{"product", 4}}}}));
  EXPECT_TRUE(world_.failures().empty());
}

TEST_F(stateless_test, the_abi_says_so) {
  EXPECT_EQ(abi_of<&worker_type>().routes[0].target, SB_WORK);
  EXPECT_EQ(abi_of<&subscriber_type>().service, nullptr);
  EXPECT_EQ(abi_of<&subscriber_type>().subscriptions[0].key, nullptr);
}

// What needs a state is not there at all.
template <class State>
concept can_arm = requires(outcome<State> out) {
  out.arm("x", milliseconds{1});
};
struct kept {
  std::string customer_id;
};
static_assert(can_arm<kept> && !can_arm<stateless>);

} // namespace switchboard::sdk::worker_test
