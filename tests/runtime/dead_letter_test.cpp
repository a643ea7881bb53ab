// What becomes of work that fails: tried again in its order, then a dead letter that tells why.
#include <gmock/gmock.h>

#include "tests/runtime/node_fixture.hpp"

#include "broker/death.hpp"
#include "messages/json_object.hpp"
#include "runtime/dead_letters.hpp"
#include "runtime/subscriber.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* requests = "bin-manager.counter.request";

struct failing_work : testing::Test {
  temporary_folder folder;
  std::unique_ptr<core> node;
  std::unique_ptr<client> peer;
  std::uint32_t failures_most = 1000; ///< before it is parked

  void SetUp() override { start(); }
  void TearDown() override { stop(); }

  void start() {
    auto options = counter_node(folder.str());
    options.entities.retry = {20ms, 80ms, 2, 4};
    options.entities.failures.most = failures_most;
    auto started = core::start(std::move(options));
    ASSERT_TRUE(started) << started.error().what;
    node = std::move(*started);
    peer = std::make_unique<client>(*node);
  }
  void stop() {
    peer.reset();
    if (!node)
      return;
    for (const auto& phase : node->shutdown({}, 10s)) {
      EXPECT_TRUE(phase.in_time) << phase.name;
    }
    node.reset();
  }

  json call(const std::string& method, const std::string& route, const json& body = nullptr) {
    return json::parse(peer->call(envelope(method, route, dump(body))));
  }
  void create(const std::string& id) { EXPECT_EQ(call("POST", "/v1/counters", {{"id", id}})["status_code"], 200); }
  static std::int64_t in(milliseconds time) { return (system_clock{}.now() + time).time_since_epoch().count(); }
  json value_of(const std::string& id) { return call("GET", "/v1/counters/" + id)["body"]["value"]; }
  void await_value(const std::string& id, int value) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (value_of(id) != value)
      ASSERT_LT(std::chrono::steady_clock::now(), until);
  }

  /// A request that was a dead letter, and an operator has replayed it.
  void publish_replayed(const std::string& body) {
    basic_properties properties;
    properties.correlation_id = "c-1";
    properties.reply_to = peer->reply_to();
    properties.expiration = "3000";
    const auto asked = make_message("", requests, encode_properties(properties), body, false);
    const auto dead = make_dead_letter(*asked, requests, {"first", "last", 1, {}}, system_clock{}.now());
    peer->publish(broker::undo_death(*dead)->message);
  }

  /// As a message of another entity that came back from the dead letters.
  void tell(const std::string& id, const std::string& name, const std::string& body) {
    peer->publish("", work_queue("counter"),
                  dump({{"to_type", "counter"}, {"to_id", id}, {"name", name}, {"body", body}}), true);
  }
  /// The names of what it decided, in order, as its journal has them.
  std::vector<std::string> done_by(const std::string& id) {
    std::vector<std::string> names;
    const auto read = node->store().each_journal("counter", id, 0, [&](store::journal_record&& line) {
      names.push_back(json::parse(line.bytes)["message"]["name"]);
      return true;
    });
    EXPECT_TRUE(read);
    return names;
  }

  /// The next one of that queue; empty if none comes.
  message_ptr letter(const std::string& queue) {
    const auto until = std::chrono::steady_clock::now() + patience;
    caf::scoped_actor self{node->node().system};
    while (std::chrono::steady_clock::now() < until) {
      const auto from = peer->find(queue + ".dead");
      if (!from)
        continue;
      auto taken = peer->ask<broker::got>(from->actor, broker::get{caf::actor_cast<caf::actor>(self.ptr()), 1, true});
      if (taken && !taken->empty)
        return taken->item.message;
    }
    return {};
  }
  std::uint64_t letters(const std::string& queue) {
    const auto from = peer->find(queue + ".dead");
    return from ? peer->status(from).ready : 0;
  }
  static field_table headers_of(const message& what) { return *decode_properties(what.properties())->headers; }
};

TEST_F(failing_work, a_request_that_may_succeed_later_is_answered_once_it_has) {
  create("c-1");
  const auto answer = call("POST", "/v1/counters/c-1/wait", {{"until_ms", in(60ms)}});
  EXPECT_EQ(answer["status_code"], 200);
  EXPECT_EQ(value_of("c-1"), 1);
  EXPECT_EQ(letters(requests), 0u);
}

TEST_F(failing_work, a_request_that_fails_in_all_attempts_is_a_dead_letter_and_its_caller_is_told) {
  create("c-1");
  const auto answer = call("POST", "/v1/counters/c-1/wait", {{"until_ms", in(1h)}});
  EXPECT_EQ(answer["status_code"], 500);
  EXPECT_THAT(dump(answer), HasSubstr("could not decide"));
  const auto dead = letter(requests);
  ASSERT_TRUE(dead);
  const auto headers = headers_of(*dead);
  EXPECT_EQ(headers.find("x-retry-attempts")->as_integer(), 4);
  EXPECT_EQ(headers.text("x-first-error"), "it is not time yet");
  EXPECT_EQ(headers.text("x-last-error"), "it is not time yet");
  EXPECT_EQ(headers.text("x-first-death-queue"), requests);
  EXPECT_EQ(headers.text("x-first-death-exchange"), "");
  EXPECT_EQ(decode_request(dead->body())->route, "/v1/counters/c-1/wait");
  EXPECT_EQ(decode_properties(dead->properties())->message_id, decode_request(dead->body())->message_id);
  EXPECT_EQ(letters(requests), 0u) << "exactly one";
  const auto until = std::chrono::steady_clock::now() + patience;
  while (peer->status(peer->find(requests)).unacked > 0) // it is settled a moment after the answer
    ASSERT_LT(std::chrono::steady_clock::now(), until);
}

TEST_F(failing_work, what_can_never_be_done_is_not_tried_again) {
  create("c-1");
  EXPECT_EQ(call("POST", "/v1/counters/c-1/never")["status_code"], 500);
  const auto dead = letter(requests);
  ASSERT_TRUE(dead);
  EXPECT_EQ(headers_of(*dead).find("x-retry-attempts")->as_integer(), 1);
  EXPECT_EQ(headers_of(*dead).text("x-last-error"), "it never works");
}

TEST_F(failing_work, a_replayed_request_is_done_long_after_its_deadline) {
  create("c-1");
  auto asked = json::parse(envelope("POST", "/v1/counters/c-1/add", "{}"));
  asked["headers"]["deadline"] = to_iso8601(system_clock{}.now() - 1h);
  EXPECT_EQ(json::parse(peer->call(dump(asked)))["status_code"], 504) << "as it came";
  publish_replayed(dump(asked));
  await_value("c-1", 1);
}

TEST_F(failing_work, the_trace_of_a_request_stands_on_its_dead_letter) {
  create("c-1");
  auto asked = json::parse(envelope("POST", "/v1/counters/c-1/never"));
  asked["headers"]["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  peer->call(dump(asked));
  const auto dead = letter(requests);
  ASSERT_TRUE(dead);
  EXPECT_EQ(headers_of(*dead).text("x-trace-id"), "0af7651916cd43dd8448eb211c80319c");
}

TEST_F(failing_work, a_request_is_not_tried_again_after_its_deadline) {
  create("c-1");
  auto asked = json::parse(envelope("POST", "/v1/counters/c-1/wait", dump({{"until_ms", in(1h)}})));
  asked["headers"]["deadline"] = to_iso8601(system_clock{}.now() + 50ms);
  const auto answer = json::parse(peer->call(dump(asked)));
  EXPECT_GE(answer["status_code"], 500);
  EXPECT_EQ(letters(requests), 0u) << "nobody wants it any more";
}

TEST_F(failing_work, a_request_that_nobody_can_read_and_nobody_waits_for_is_a_dead_letter) {
  peer->publish("", requests, "{no json", true);
  const auto dead = letter(requests);
  ASSERT_TRUE(dead);
  EXPECT_EQ(dead->body(), "{no json");
}

TEST_F(failing_work, messages_of_others_are_done_in_their_order_across_attempts) {
  create("c-1");
  create("c-2");
  peer->consume(peer->declare("observer", "counter.events"));
  call("POST", "/v1/counters/c-1/tell", {{"to", "c-2"}, {"what", "wait"}, {"until_ms", in(60ms)}});
  call("POST", "/v1/counters/c-1/tell", {{"to", "c-2"}, {"what", "bump"}});
  EXPECT_EQ(peer->next_event_type(), "counter.changed") << "the one that waited comes first";
  EXPECT_EQ(peer->next_event_type(), "counter.bumped");
  EXPECT_EQ(value_of("c-2"), 2);
}

TEST_F(failing_work, others_are_not_held_up) {
  create("c-1");
  create("c-2");
  call("POST", "/v1/counters/c-1/tell", {{"to", "c-1"}, {"what", "wait"}, {"until_ms", in(1h)}});
  call("POST", "/v1/counters/c-1/tell", {{"to", "c-2"}, {"what", "bump"}});
  await_value("c-2", 1);
  EXPECT_EQ(call("POST", "/v1/counters/c-1/add")["status_code"], 200) << "nor are its own requests";
}

TEST_F(failing_work, a_message_that_fails_in_all_attempts_leaves_the_outbox_and_lets_those_behind_it_pass) {
  create("c-1");
  create("c-2");
  call("POST", "/v1/counters/c-1/tell", {{"to", "c-2"}, {"what", "fail"}});
  call("POST", "/v1/counters/c-1/tell", {{"to", "c-2"}, {"what", "bump"}});
  const auto dead = letter(work_queue("counter"));
  ASSERT_TRUE(dead);
  EXPECT_EQ(headers_of(*dead).find("x-retry-attempts")->as_integer(), 4);
  await_value("c-2", 1);
  std::size_t left = 0;
  ASSERT_TRUE(node->store().flush());
  ASSERT_TRUE(node->store().each_outbox([&](store::outbox_record&&) { return ++left, true; }));
  EXPECT_EQ(left, 0u);
}

TEST_F(failing_work, a_message_comes_back_from_the_work_queue) {
  create("c-1");
  create("c-2");
  call("POST", "/v1/counters/c-1/tell", {{"to", "c-2"}, {"what", "never"}});
  const auto dead = letter(work_queue("counter"));
  ASSERT_TRUE(dead);
  auto mended = json::parse(dead->body());
  mended["name"] = "bump";
  peer->publish("", work_queue("counter"), dump(mended), true);
  await_value("c-2", 1);
}

TEST_F(failing_work, a_message_whose_body_is_not_JSON_is_a_dead_letter_and_stays_out_of_the_journal) {
  create("c-1");
  tell("c-1", "bump", R"(1},"random":"7","outcome":{},"x":{"y":1)");
  EXPECT_TRUE(letter(work_queue("counter")));
  EXPECT_THAT(done_by("c-1"), testing::ElementsAre("POST"));
}

TEST_F(failing_work, that_was_durable_and_of_nobody_who_waits_is_a_dead_letter_if_its_entity_is_parked) {
  stop();
  failures_most = 1;
  start();
  create("c-1");
  for (int failure = 0; failure < 3; ++failure)
    call("POST", "/v1/counters/c-1/never");
  const auto until = std::chrono::steady_clock::now() + patience;
  while (call("POST", "/v1/counters/c-1/add")["status_code"] != 503)
    ASSERT_LT(std::chrono::steady_clock::now(), until);
  while (letters(requests) > 0)
    ASSERT_TRUE(letter(requests));
  peer->publish("", requests, envelope("POST", "/v1/counters/c-1/add", "{}"), true);
  const auto dead = letter(requests);
  ASSERT_TRUE(dead);
  EXPECT_EQ(decode_request(dead->body())->route, "/v1/counters/c-1/add");
  EXPECT_EQ(decode_properties(dead->properties())->message_id, decode_request(dead->body())->message_id);
  publish_replayed(envelope("POST", "/v1/counters/c-1/add", "{}"));
  EXPECT_TRUE(letter(requests)) << "whoever asked then does not wait any more";
}

TEST_F(failing_work, keeps_its_order_over_a_stop) {
  create("c-1");
  const auto began = std::chrono::steady_clock::now();
  tell("c-1", "wait", dump({{"until_ms", in(400ms)}}));
  tell("c-1", "bump", "{}");
  while (peer->status(peer->find(work_queue("counter"))).unacked < 2)
    ASSERT_LT(std::chrono::steady_clock::now() - began, patience);
  stop();
  std::this_thread::sleep_until(began + 500ms); // its own time, which no event announces
  start();
  await_value("c-1", 2);
  EXPECT_THAT(done_by("c-1"), testing::ElementsAre("POST", "wait", "bump"));
}

TEST_F(failing_work, an_event_that_nobody_can_read_is_a_dead_letter) {
  peer->publish("", subscription_queue("counter"), "[]", true);
  ASSERT_TRUE(letter(subscription_queue("counter")));
}

TEST_F(failing_work, that_waits_does_not_hold_up_the_stop_and_goes_on_at_the_next_start) {
  create("c-1");
  create("c-2");
  call("POST", "/v1/counters/c-1/tell", {{"to", "c-2"}, {"what", "wait"}, {"until_ms", in(400ms)}});
  peer->publish("", requests, envelope("POST", "/v1/counters/c-1/wait", dump({{"until_ms", in(400ms)}})), true);
  await_value("c-1", 0);
  const auto began = std::chrono::steady_clock::now();
  stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4s) << "half of the time for the stop is for finishing work";
  std::this_thread::sleep_until(began + 500ms); // its own time, which no event announces
  start();
  await_value("c-2", 1);
  await_value("c-1", 1);
}

} // namespace
} // namespace switchboard::runtime
