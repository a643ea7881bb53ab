// The core as its users see it: requests in, replies and events out, through a real broker and a real store.
#include <gmock/gmock.h>

#include "tests/runtime/node_fixture.hpp"

#include "runtime/rpc_client.hpp"
#include "runtime/subscriber.hpp"
#include "runtime/supervisor.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

struct node_test : testing::Test {
  temporary_folder folder;
  std::shared_ptr<shifted_clock> time = std::make_shared<shifted_clock>();
  std::unique_ptr<core> node;
  std::unique_ptr<client> peer;

  void SetUp() override { start(counter_node(folder.str(), time)); }
  void TearDown() override { stop(); }

  void start(core_options options) {
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
      EXPECT_TRUE(phase.in_time) << phase.name << " " << testing::PrintToString(phase.blocked_by);
    }
    node.reset();
  }

  json call(const std::string& method, const std::string& route, const std::string& body = "null") {
    return json::parse(peer->call(envelope(method, route, body)));
  }
  std::string create(const std::string& id) {
    const auto answer = call("POST", "/v1/counters", R"({"id":")" + id + R"("})");
    EXPECT_EQ(answer["status_code"], 200) << answer;
    return answer["body"].value("id", "");
  }
  void watch_events() { peer->consume(peer->declare("observer", "counter.events")); }
};

TEST_F(node_test, a_request_is_answered_and_its_event_is_published) {
  watch_events();
  const auto text = peer->call(envelope("POST", "/v1/counters", R"({"value":3})", "m-1"));
  const auto answer = json::parse(text);
  EXPECT_EQ(answer["message_id"], "m-1");
  EXPECT_EQ(answer["status_code"], 200);
  EXPECT_EQ(answer["body"]["value"], 3);
  const auto id = answer["body"]["id"].get<std::string>();
  EXPECT_TRUE(is_uuid(id));

  const auto seen = peer->next_event();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->fact.event_type, "counter.created");
  EXPECT_EQ(seen->fact.resource_type, "counter");
  EXPECT_EQ(seen->fact.resource_id, id);
  EXPECT_EQ(seen->fact.customer_id, "customer-1");
  EXPECT_EQ(seen->fact.data["value"], 3);
  EXPECT_EQ(call("GET", "/v1/counters/" + id)["body"]["value"], 3);
}

TEST_F(node_test, a_request_leaves_its_queue_when_it_is_done) {
  create("c-1");
  const auto queue = peer->find(request_queue("counter"));
  // The service settles when the commit has answered, which may be a moment after the reply.
  auto left = peer->status(queue);
  for (int patience = 0; left.unacked > 0 && patience < 10'000; ++patience)
    left = peer->status(queue);
  EXPECT_EQ(left.unacked, 0U);
  EXPECT_EQ(left.ready, 0U);
  ASSERT_TRUE(node->store().flush());
  std::size_t stored = 0;
  ASSERT_TRUE(node->store().each_message(queue->number, 0, [&](store::stored_message&&) { return ++stored, true; }));
  EXPECT_EQ(stored, 0U);
}

TEST_F(node_test, a_repeated_message_id_gets_the_same_bytes_and_no_second_effect) {
  watch_events();
  const auto asked = envelope("POST", "/v1/counters", R"({"id":"c-1"})", "m-1");
  const auto first = peer->call(asked);
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  for (int repeat = 0; repeat < 3; ++repeat)
    EXPECT_EQ(peer->call(asked, repeat % 2 == 0), first);
  call("POST", "/v1/counters/c-1/add");
  EXPECT_EQ(peer->next_event_type(), "counter.changed"); // and nothing between
}

TEST_F(node_test, a_question_under_the_key_of_a_command_is_a_question) {
  peer->call(envelope("POST", "/v1/counters", R"({"id":"c-1"})", "m-1"));
  call("POST", "/v1/counters/c-1/add");
  for (int expected = 1; expected < 3; ++expected) {
    EXPECT_EQ(json::parse(peer->call(envelope("GET", "/v1/counters/c-1", "null", "m-1")))["body"]["value"], expected);
    call("POST", "/v1/counters/c-1/add");
  }
}

TEST_F(node_test, an_answer_that_changes_nothing_is_not_written) {
  create("c-1");
  ASSERT_TRUE(node->store().flush());
  const auto before = (*node->store().find_entity("counter", "c-1"))->sequence;
  for (int i = 0; i < 5; ++i)
    peer->call(envelope("GET", "/v1/counters/c-1", "null", "read-" + std::to_string(i)));
  ASSERT_TRUE(node->store().flush());
  EXPECT_EQ((*node->store().find_entity("counter", "c-1"))->sequence, before);
  EXPECT_EQ(call("POST", "/v1/counters/c-1/add")["body"]["value"], 1);
  ASSERT_TRUE(node->store().flush());
  EXPECT_GT((*node->store().find_entity("counter", "c-1"))->sequence, before);
}

TEST_F(node_test, repeats_that_come_at_the_same_time_share_one_effect) {
  watch_events();
  const auto asked = envelope("POST", "/v1/counters", "{}", "m-1");
  constexpr int copies = 50;
  for (int copy = 0; copy < copies; ++copy)
    peer->publish("", request_queue("counter"), asked, true, "c-1", peer->reply_to());
  const auto first = peer->reply();
  for (int copy = 1; copy < copies; ++copy)
    EXPECT_EQ(peer->reply(), first);
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  EXPECT_EQ(json::parse(peer->call(envelope("GET", "/v1/counters")))["body"]["result"].size(), 1U);
}

TEST_F(node_test, the_message_id_may_stand_in_the_amqp_property) {
  const std::string asked =
      R"({"uri":"/v1/counters","method":"POST","publisher":"test","data_type":"application/json","data":{}})";
  peer->publish("", request_queue_alias("counter"), asked, true, "c-1", peer->reply_to(), "m-9");
  const auto first = peer->reply();
  EXPECT_EQ(json::parse(first)["status_code"], 200);
  EXPECT_EQ(json::parse(first)["data_type"], "application/json"); // VoIPBIN's form came, so it goes back
  peer->publish("", request_queue_alias("counter"), asked, true, "c-1", peer->reply_to(), "m-9");
  EXPECT_EQ(peer->reply(), first);
}

TEST_F(node_test, requests_that_can_not_be_served_are_answered_with_their_status) {
  create("c-1");
  const std::pair<std::string, int> cases[]{
      {"{", 400},
      {"", 400},
      {R"({"method":"GET"})", 400},
      {std::string(2u << 20, ' '), 413},
      {envelope("GET", "/v1/nothing"), 404},
      {envelope("PUT", "/v1/counters"), 404},
      {envelope("GET", "/v1/counters/unknown"), 404},
      {envelope("POST", "/v1/additions", R"({"other":1})"), 400},
      {envelope("POST", "/v1/additions", R"({"counter_id":"unknown"})"), 404},
      {envelope("POST", "/v1/counters", R"({"value":"seven"})"), 400},
      {envelope("POST", "/v1/counters", R"({"id":"c-1"})"), 409},
      {envelope("POST", "/v1/counters", R"({"id":"with/slash"})"), 400},
      {envelope("GET", "/v1/counters/c-1", "null", "m-2", "another-customer"), 404},
      {envelope("GET", "/v1/counters?page_size=none"), 400},
      {R"({"method":"GET","route":"/v1/counters","headers":{"deadline":"2020-01-01T00:00:00.000Z"}})", 504},
  };
  for (const auto& [asked, status] : cases) {
    const auto answer = json::parse(peer->call(asked));
    EXPECT_EQ(answer["status_code"], status) << asked.substr(0, 200) << " -> " << answer;
    EXPECT_FALSE(answer["error"]["message"].get<std::string>().empty());
  }
  EXPECT_EQ(call("POST", "/v1/additions", R"({"counter_id":"c-1"})")["body"]["value"], 1); // and it serves on
}

TEST_F(node_test, a_request_without_reply_to_is_done_all_the_same) {
  watch_events();
  peer->publish("", request_queue("counter"), envelope("POST", "/v1/counters"), false);
  EXPECT_EQ(peer->next_event_type(), "counter.created");
}

TEST_F(node_test, a_decision_that_fails_is_answered_500_and_leaves_the_entity_as_it_was) {
  create("c-1");
  call("POST", "/v1/counters/c-1/add");
  EXPECT_EQ(call("POST", "/v1/counters/c-1/fail")["status_code"], 500);
  EXPECT_EQ(call("GET", "/v1/counters/c-1")["body"]["value"], 1);
  EXPECT_THAT(node->node().metrics.page(), HasSubstr("switchboard_entity_failures_total{type=\"counter\"} 1"));
}

TEST_F(node_test, an_entity_that_keeps_failing_is_parked_for_a_while) {
  create("c-1");
  create("c-2");
  for (int failure = 0; failure < 6; ++failure)
    EXPECT_EQ(call("POST", "/v1/counters/c-1/fail")["status_code"], 500);
  const auto refused = call("GET", "/v1/counters/c-1");
  EXPECT_EQ(refused["status_code"], 503);
  EXPECT_THAT(refused["error"]["retry_after"].get<int>(), testing::AllOf(testing::Ge(25), testing::Le(30)));
  EXPECT_EQ(call("GET", "/v1/counters/c-2")["status_code"], 200);
  time->advance(1min);
  EXPECT_EQ(call("GET", "/v1/counters/c-1")["status_code"], 200);
}

TEST_F(node_test, messages_between_entities_arrive_once_and_may_create_the_receiver) {
  watch_events();
  create("c-1");
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  call("POST", "/v1/counters/c-1/tell", R"({"to":"c-2"})");
  const auto seen = peer->next_event();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->fact.event_type, "counter.bumped");
  EXPECT_EQ(seen->fact.resource_id, "c-2");
  EXPECT_EQ(seen->fact.customer_id, "customer-1");
  EXPECT_EQ(call("GET", "/v1/counters/c-2")["body"]["value"], 1);
  std::size_t left = 0;
  ASSERT_TRUE(node->store().each_outbox([&](store::outbox_record&&) { return ++left, true; }));
  EXPECT_EQ(left, 0U);
}

TEST_F(node_test, a_timer_fires_when_its_time_has_come) {
  watch_events();
  create("c-1");
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  call("POST", "/v1/counters/c-1/remind", R"({"delay_ms":50})");
  EXPECT_EQ(peer->next_event_type(), "counter.reminded");
  std::size_t left = 0;
  ASSERT_TRUE(node->store().each_timer([&](store::timer_record&&) { return ++left, true; }));
  EXPECT_EQ(left, 0U);
  EXPECT_EQ(node->entities().timers().table().size(), 0U);
}

TEST_F(node_test, a_timer_follows_the_clock_of_the_node) {
  watch_events();
  create("c-1");
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  call("POST", "/v1/counters/c-1/remind", R"({"delay_ms":3600000})");
  time->advance(2h);
  node->entities().timers().wake();
  EXPECT_EQ(peer->next_event_type(), "counter.reminded");
}

TEST_F(node_test, a_cancelled_timer_is_silent) {
  watch_events();
  create("c-1");
  call("POST", "/v1/counters/c-1/remind", R"({"delay_ms":3600000})");
  call("POST", "/v1/counters/c-1/forget");
  EXPECT_EQ(node->entities().timers().table().size(), 0U);
  time->advance(2h);
  node->entities().timers().wake();
  call("POST", "/v1/counters/c-1/add");
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  EXPECT_EQ(peer->next_event_type(), "counter.changed");
}

TEST_F(node_test, an_entity_that_ends_is_forgotten_with_its_timers) {
  watch_events();
  create("c-1");
  call("POST", "/v1/counters/c-1/remind", R"({"delay_ms":3600000})");
  EXPECT_EQ(call("DELETE", "/v1/counters/c-1")["status_code"], 200);
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  EXPECT_EQ(peer->next_event_type(), "counter.ended");
  EXPECT_EQ(call("GET", "/v1/counters/c-1")["status_code"], 404);
  EXPECT_EQ(node->entities().timers().table().size(), 0U);
  EXPECT_FALSE(node->store().find_entity("counter", "c-1")->has_value());
  EXPECT_EQ(create("c-1"), "c-1"); // the name is free again
}

TEST_F(node_test, an_event_reaches_the_entity_its_key_names_once_per_event_id) {
  watch_events();
  create("c-1");
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  const auto weather = [](const std::string& id, const std::string& counter) {
    event fact{id, "weather.changed", {}, "customer-1", "weather", "berlin", {{"counter_id", counter}}};
    return encode(fact);
  };
  for (const auto& body : {weather("e-1", "c-1"), weather("e-1", "c-1"), weather("e-2", "unknown"),
                           std::string{"no event at all"}, weather("e-3", "c-1")})
    peer->publish("weather.events", "weather.changed", body, true);
  EXPECT_EQ(peer->next_event()->fact.data["value"], 1);
  const auto last = peer->next_event();
  EXPECT_EQ(last->fact.event_type, "counter.heard");
  EXPECT_EQ(last->fact.data["value"], 2); // e-1 counted once
  EXPECT_EQ(last->fact.data["heard"], "berlin");
  auto left = peer->status(peer->find(subscription_queue("counter")));
  for (int patience = 0; left.unacked > 0 && patience < 10'000; ++patience)
    left = peer->status(peer->find(subscription_queue("counter")));
  EXPECT_EQ(left.unacked, 0U);
}

TEST_F(node_test, a_list_shows_the_caller_s_own_newest_first_page_by_page) {
  for (const auto* id : {"c-1", "c-2", "c-3", "c-4", "c-5"}) {
    create(id);
    time->advance(1s);
  }
  peer->call(envelope("POST", "/v1/counters", R"({"id":"foreign","value":9})", {}, "customer-2"));
  std::vector<int> sizes;
  std::string token;
  std::vector<std::string> rows;
  do {
    const auto body = call("GET", "/v1/counters?page_size=2" + (token.empty() ? "" : "&page_token=" + token))["body"];
    sizes.push_back(static_cast<int>(body["result"].size()));
    for (const auto& row : body["result"])
      EXPECT_EQ(row["customer_id"], "customer-1");
    token = body.value("next_page_token", "");
  } while (!token.empty() && sizes.size() < 10);
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
}

TEST_F(node_test, thousands_of_requests_to_many_entities_each_count_once) {
  constexpr int counters = 20, rounds = 100;
  for (int counter = 0; counter < counters; ++counter)
    create("c-" + std::to_string(counter));
  for (int round = 0; round < rounds; ++round)
    for (int counter = 0; counter < counters; ++counter)
      peer->publish("", request_queue("counter"),
                    envelope("POST", "/v1/counters/c-" + std::to_string(counter) + "/add"), round % 2 == 0, "c-1",
                    peer->reply_to());
  for (int answer = 0; answer < counters * rounds; ++answer)
    ASSERT_EQ(json::parse(peer->reply())["status_code"], 200);
  for (int counter = 0; counter < counters; ++counter)
    EXPECT_EQ(call("GET", "/v1/counters/c-" + std::to_string(counter))["body"]["value"], rounds);
}

TEST_F(node_test, a_flooded_entity_does_not_hold_up_a_quiet_one) {
  create("c-1");
  create("c-2");
  constexpr int flood = 500;
  const auto ask = [&](const std::string& route, const std::string& body = "null") {
    peer->publish("", request_queue("counter"), envelope("POST", "/v1/counters/" + route, body), false, "c-1",
                  peer->reply_to());
  };
  ask("c-1/block", R"({"ms":500})");
  for (int request = 0; request < flood; ++request)
    ask("c-1/add");
  ask("c-2/add");
  EXPECT_EQ(json::parse(peer->reply())["body"].value("id", "none"), "c-2");
  for (int answer = 0; answer < flood + 1; ++answer)
    ASSERT_EQ(json::parse(peer->reply())["status_code"], 200);
}

TEST_F(node_test, an_entity_with_too_much_to_do_refuses_the_rest_and_others_serve) {
  stop();
  auto options = counter_node(folder.str(), time);
  options.entities.mailbox_max = 10;
  start(options);
  create("c-1");
  create("c-2");
  const auto ask = [&](const std::string& route, const std::string& body = "null") {
    peer->publish("", request_queue("counter"), envelope("POST", "/v1/counters/" + route, body), false, "c-1",
                  peer->reply_to());
  };
  ask("c-1/block", R"({"ms":300})");
  for (int request = 0; request < 50; ++request)
    ask("c-1/add");
  int refused = 0;
  for (int answer = 0; answer < 51; ++answer)
    refused += json::parse(peer->reply())["status_code"] == 503 ? 1 : 0;
  EXPECT_EQ(refused, 41);
  EXPECT_EQ(call("GET", "/v1/counters/c-1")["body"]["value"], 9);
}

TEST_F(node_test, idle_entities_leave_memory_and_come_back_from_the_store) {
  stop();
  auto options = counter_node(folder.str(), time);
  options.entities.idle = 1ms;
  start(options);
  create("c-1");
  // The host retires by its own clock and tells nobody.
  const auto until = std::chrono::steady_clock::now() + patience;
  while (node->entities().size() > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_EQ(node->entities().size(), 0U);
  EXPECT_EQ(call("POST", "/v1/counters/c-1/add")["body"]["value"], 1);
}

TEST_F(node_test, of_too_many_entities_those_without_work_leave_memory_early) {
  stop();
  auto options = counter_node(folder.str(), time);
  options.entities.resident_max = 2;
  options.entities.crowded_idle = 1ms;
  start(options);
  create("c-1");
  create("c-2");
  create("c-3");
  const auto until = std::chrono::steady_clock::now() + patience;
  while (node->entities().size() > 2 && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_LE(node->entities().size(), 2U);
  for (const auto* id : {"c-1", "c-2", "c-3"})
    EXPECT_EQ(call("POST", "/v1/counters/" + std::string{id} + "/add")["body"]["value"], 1);
}

TEST_F(node_test, an_entity_that_has_ended_takes_no_memory) {
  create("c-1");
  call("DELETE", "/v1/counters/c-1");
  // Its card goes with the last reference to its actor.
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!node->node().directory.list("/entities/").empty() && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_TRUE(node->node().directory.list("/entities/").empty());
}

TEST_F(node_test, a_restart_finds_everything_again) {
  watch_events();
  const auto asked = envelope("POST", "/v1/counters", R"({"id":"c-1"})", "m-1");
  const auto first = peer->call(asked);
  call("POST", "/v1/counters/c-1/remind", R"({"delay_ms":3600000})");
  stop();
  start(counter_node(folder.str(), time));
  EXPECT_EQ(peer->call(asked), first);
  peer->consume(peer->find("observer"));
  EXPECT_EQ(peer->next_event_type(), "counter.created");
  time->advance(2h);
  node->entities().timers().wake();
  EXPECT_EQ(peer->next_event_type(), "counter.reminded");
}

TEST_F(node_test, a_service_whose_queue_is_deleted_makes_it_again) {
  create("c-1");
  broker::delete_queue what;
  what.name = request_queue("counter");
  what.owner = "test";
  ASSERT_TRUE(peer->ask<broker::queue_deleted>(node->node().broker->topology(), what));
  while (!peer->find(request_queue("counter")))
    std::this_thread::yield();
  EXPECT_EQ(call("GET", "/v1/counters/c-1")["status_code"], 200);
}

TEST_F(node_test, a_service_that_dies_is_started_again_and_serves) {
  create("c-1");
  const auto services = peer->ask<child_state>(node->supervisor(), inspect_child{"services"});
  const auto before = peer->ask<child_state>(services->actor, inspect_child{"counter"});
  caf::anon_send_exit(before->actor, caf::exit_reason::kill);
  EXPECT_EQ(call("GET", "/v1/counters/c-1")["status_code"], 200);
  EXPECT_EQ(peer->ask<child_state>(services->actor, inspect_child{"counter"})->restarts, 1U);
}

TEST_F(node_test, what_lives_stands_in_the_directory_and_on_the_metrics_page) {
  create("c-1");
  const auto rows = node->node().directory.list("/entities/");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].path, "/entities/counter/c-1");
  // An event is counted when it has been handed over, which is after the reply: no event of ours says when.
  const std::string counted = "switchboard_events_total{type=\"counter.created\"} 1";
  auto page = node->node().metrics.page();
  for (const auto until = std::chrono::steady_clock::now() + patience;
       page.find(counted) == std::string::npos && std::chrono::steady_clock::now() < until;)
    page = node->node().metrics.page();
  EXPECT_THAT(page, HasSubstr("switchboard_actors{kind=\"entity\"} 1"));
  EXPECT_THAT(page, HasSubstr(counted));
  EXPECT_THAT(page, HasSubstr("switchboard_store_bytes_used"));
}

// -- the RPC client ---------------------------------------------------------------------------------------------------

struct rpc_test : node_test {
  response ask(const std::string& service, const std::string& method, const std::string& route, json body = nullptr,
               milliseconds timeout = patience) {
    rpc_call what;
    what.service = service;
    what.what.method = method;
    what.what.route = route;
    what.what.body = std::move(body);
    what.timeout = timeout;
    auto answer = peer->ask<rpc_reply>(node->rpc(), std::move(what));
    EXPECT_TRUE(answer);
    return answer ? answer->answer : response{};
  }
};

TEST_F(rpc_test, brings_the_service_s_answer) {
  const auto answer = ask("counter", "POST", "/v1/counters", {{"value", 5}});
  EXPECT_EQ(answer.status_code, 200);
  EXPECT_EQ(answer.body["value"], 5);
  EXPECT_EQ(ask("counter", "GET", "/v1/counters/unknown").status_code, 404);
}

TEST_F(rpc_test, says_404_without_a_queue_503_without_a_consumer_504_without_an_answer) {
  const auto missing = ask("message", "POST", "/v1/messages");
  EXPECT_EQ(missing.status_code, 404);
  EXPECT_THAT(missing.error["message"], "no service 'message'");

  const auto queue = peer->declare(request_queue("message"), "counter.events");
  EXPECT_EQ(ask("message", "POST", "/v1/messages").status_code, 503);

  peer->consume(queue); // ... and never answers
  EXPECT_EQ(ask("message", "POST", "/v1/messages", nullptr, 20ms).status_code, 504);
}

TEST_F(rpc_test, finds_a_worker_that_uses_voipbin_s_queue_name) {
  peer->consume(peer->declare(request_queue_alias("message"), "counter.events"));
  EXPECT_EQ(ask("message", "POST", "/v1/messages", nullptr, 20ms).status_code, 504); // asked, and not answered
}

TEST_F(rpc_test, refuses_while_the_node_drains) {
  node->node().draining = true;
  EXPECT_EQ(ask("counter", "GET", "/v1/counters").status_code, 503);
}

TEST(core_start, says_in_one_line_what_is_wrong) {
  temporary_folder folder;
  auto options = counter_node(folder.str());
  options.plugins = {"counter", "never_built"};
  auto started = core::start(options);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("never_built.so: there is no such file"));

  options.data_dir = "/dev/null/no";
  started = core::start(options);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().what, HasSubstr("/dev/null/no"));
}

} // namespace
} // namespace switchboard::runtime
