// Queue flows: all actors together in virtual time.
#include "tests/actors/queue/queue_scenario.hpp"

namespace switchboard::telephony {
namespace {

TEST_F(queue_scenario, offer_answer_conference_wrap_up_and_available_again) {
  const auto agent = make_agent();
  const auto caller = enter();
  EXPECT_EQ(call(caller)["status"], "progressing") << "the queue answers an incoming caller";
  EXPECT_EQ(caller_status(caller), "connecting");
  EXPECT_EQ(agent_status(agent), "ringing");
  world_.advance(1s);
  EXPECT_EQ(caller_status(caller), "service");
  EXPECT_EQ(agent_status(agent), "busy");
  const auto room = call(caller)["confbridge_id"].get<std::string>();
  EXPECT_EQ(world_.view("conference", room)["type"], "queue");
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 2U);

  world_.advance(1min);
  post("/v1/calls/" + caller + "/hangup");
  world_.settle();
  EXPECT_EQ(agent_status(agent), "wrap_up");
  expect_quiet();
  world_.advance(5s - 1ms);
  EXPECT_EQ(agent_status(agent), "wrap_up");
  world_.advance(1ms);
  EXPECT_EQ(agent_status(agent), "available");

  EXPECT_THAT(events(),
              ElementsAre("queue.created", "queue.agent_added", "queue.caller_joined", "queue.caller_waiting",
                          "queue.offered", "queue.answered", "queue.connected", "queue.serviced", "queue.wrap_up"));
  EXPECT_THAT(stats(), ElementsAre("1/0", "0/1", "0/0"));
  EXPECT_EQ(world_.last_event("queue.serviced")->data["service_ms"], 60000);
  EXPECT_EQ(world_.last_event("queue.connected")->data["agent_id"], agent);
  EXPECT_EQ(world_.last_event("queue.connected")->data["waited_ms"], 1000);
  EXPECT_EQ(world_.view("queue", queue_)["total_serviced_count"], 1);
}

TEST_F(queue_scenario, the_agent_hangs_up_first) {
  const auto agent = make_agent("+15559870103"); // answers, talks 3 s
  const auto caller = enter();
  world_.advance(4s);
  EXPECT_EQ(call(caller)["status"], "hangup");
  EXPECT_EQ(agent_status(agent), "wrap_up");
  EXPECT_EQ(world_.last_event("queue.serviced")->data["reason"], "agent_hung_up");
  expect_quiet();
}

TEST_F(queue_scenario, an_agent_that_lets_a_call_ring_out_is_followed_by_the_next_and_the_caller_keeps_the_place) {
  const auto deaf = make_agent(rings);
  const auto first = enter();
  const auto second = enter("+15557770001");
  EXPECT_EQ(agent_of(first), deaf);
  const auto other = make_agent();
  world_.advance(500ms);
  EXPECT_EQ(agent_of(second), other);
  world_.advance(20s);
  EXPECT_EQ(caller_status(first), "connecting") << "offered anew, to the only one free";
  EXPECT_EQ(world_.last_event("queue.offer_failed")->data["reason"], "noanswer");
  EXPECT_EQ(callers()[0]["call_id"], first);
  post("/v1/calls/" + second + "/hangup");
  world_.advance(5s); // the other agent's wrap-up
  post("/v1/agents/" + deaf + "/logout");
  world_.advance(1s);
  EXPECT_EQ(agent_of(first), other);
  world_.advance(1s);
  EXPECT_EQ(caller_status(first), "service");
}

TEST_F(queue_scenario, who_let_it_ring_out_is_asked_last) {
  const auto deaf = make_agent(rings);
  const auto other = make_agent();
  const auto caller = enter();
  EXPECT_EQ(agent_of(caller), deaf) << "idles longest";
  world_.advance(20s);
  EXPECT_EQ(agent_of(caller), other);
}

TEST_F(queue_scenario, a_busy_or_unreachable_agent_phone_goes_to_the_next_agent_at_once) {
  for (const auto* number : {busy, unreachable, rejects}) {
    const auto bad = make_agent(number);
    const auto good = make_agent();
    const auto caller = enter();
    EXPECT_EQ(agent_of(caller), bad);
    world_.advance(3s);
    EXPECT_EQ(agent_of(caller), good) << number;
    EXPECT_EQ(caller_status(caller), "service") << number;
    for (const auto& id : {bad, good})
      post("/v1/agents/" + id + "/logout");
    post("/v1/calls/" + caller + "/hangup");
    world_.advance(1s);
  }
  expect_quiet();
}

TEST_F(queue_scenario, a_caller_who_hangs_up_while_waiting_has_abandoned) {
  const auto caller = enter("+15557770105"); // loses patience 5 s after the queue answered
  EXPECT_EQ(caller_status(caller), "waiting");
  world_.advance(5s);
  EXPECT_EQ(caller_status(caller), "");
  EXPECT_EQ(world_.last_event("queue.abandoned")->data["reason"], "caller_hung_up");
  EXPECT_EQ(world_.last_event("queue.abandoned")->data["waited_ms"], 5000);
  EXPECT_THAT(stats(), ElementsAre("1/0", "0/0"));
  EXPECT_EQ(world_.view("queue", queue_)["total_abandoned_count"], 1);
  const auto agent = make_agent();
  EXPECT_EQ(agent_status(agent), "available");
  expect_quiet();
}

TEST_F(queue_scenario, a_caller_who_hangs_up_while_the_agent_rings_leaves_the_agent_available) {
  const auto agent = make_agent();
  const auto caller = enter();
  world_.advance(500ms);
  EXPECT_EQ(agent_status(agent), "ringing");
  post("/v1/calls/" + caller + "/hangup");
  world_.settle();
  EXPECT_EQ(agent_status(agent), "available");
  expect_quiet();
  world_.advance(1h);
  expect_quiet();
}

TEST_F(queue_scenario, callers_are_served_in_the_order_they_came) {
  const auto first = enter();
  const auto second = enter("+15557770001");
  const auto agent = make_agent();
  EXPECT_EQ(agent_of(first), agent);
  EXPECT_EQ(caller_status(second), "waiting");
  world_.advance(2s);
  post("/v1/calls/" + first + "/hangup");
  world_.advance(5s);
  EXPECT_EQ(agent_of(second), agent);
}

TEST_F(queue_scenario, the_agent_who_idles_longest_is_asked_first) {
  const auto one = make_agent(), two = make_agent(), three = make_agent();
  post("/v1/agents/" + one + "/logout"); // one is the youngest from now on
  world_.advance(1s);
  post("/v1/agents/" + one + "/login");
  world_.advance(1s);
  EXPECT_EQ(agent_of(enter("+15557770001")), two);
  EXPECT_EQ(agent_of(enter("+15557770002")), three);
  EXPECT_EQ(agent_of(enter("+15557770003")), one);
  EXPECT_EQ(caller_status(enter("+15557770004")), "waiting");
}

TEST_F(queue_scenario, an_agent_of_two_queues_gets_one_call_at_a_time) {
  const auto other = make_queue();
  const auto agent = make_agent();
  post("/v1/queues/" + other + "/agents", {{"agent_id", agent}});
  world_.settle();
  post("/v1/agents/" + agent + "/logout");
  const auto one = enter();
  const auto two = enter("+15557770001", other);
  post("/v1/agents/" + agent + "/login"); // both queues hear it at once
  world_.advance(2s);
  const bool first_won = caller_status(one) == "service";
  const auto& winner = first_won ? one : two;
  const auto& loser = first_won ? two : one;
  EXPECT_EQ(agent_status(agent), "busy");
  EXPECT_EQ(call(loser)["confbridge_id"], "");
  EXPECT_NE(call(winner)["confbridge_id"], "");
  post("/v1/calls/" + winner + "/hangup");
  world_.advance(7s);
  EXPECT_NE(call(loser)["confbridge_id"], "") << "and then the other one";
}

TEST_F(queue_scenario, going_away_while_it_rings_sends_the_caller_to_the_next) {
  const auto agent = make_agent();
  const auto caller = enter();
  world_.advance(300ms);
  ask("PUT", "/v1/agents/" + agent + "/status", {{"status", "away"}});
  world_.settle();
  EXPECT_EQ(caller_status(caller), "waiting");
  EXPECT_EQ(world_.last_event("queue.offer_failed")->data["reason"], "withdrawn");
  const auto next = make_agent();
  EXPECT_EQ(agent_of(caller), next);
  EXPECT_EQ(agent_status(agent), "away");
}

TEST_F(queue_scenario, logging_out_while_talking_takes_effect_after_the_call) {
  const auto agent = make_agent();
  const auto caller = enter();
  world_.advance(2s);
  post("/v1/agents/" + agent + "/logout");
  EXPECT_EQ(agent_status(agent), "busy");
  post("/v1/calls/" + caller + "/hangup");
  world_.settle();
  EXPECT_EQ(agent_status(agent), "offline");
}

TEST_F(queue_scenario, a_caller_who_waits_too_long_is_hung_up) {
  queue_ = make_queue({{"wait_timeout", 30000}});
  const auto caller = enter();
  world_.advance(30s);
  EXPECT_EQ(call(caller)["status"], "hangup");
  EXPECT_EQ(world_.last_event("queue.abandoned")->data["reason"], "wait_timeout");
  expect_quiet();
}

TEST_F(queue_scenario, the_wait_timeout_does_not_count_while_they_talk_but_the_service_timeout_does) {
  queue_ = make_queue({{"wait_timeout", 30000}, {"service_timeout", 60000}, {"wrap_up_ms", 0}});
  const auto agent = make_agent();
  const auto caller = enter();
  world_.advance(59s);
  EXPECT_EQ(caller_status(caller), "service");
  world_.advance(2s);
  EXPECT_EQ(world_.last_event("queue.serviced")->data["reason"], "service_timeout");
  EXPECT_EQ(agent_status(agent), "available") << "no wrap-up here";
  expect_quiet();
}

TEST_F(queue_scenario, a_kicked_caller_who_waits_keeps_his_call_one_who_talks_loses_it) {
  const auto waits = enter();
  ask("DELETE", "/v1/queues/" + queue_ + "/calls/" + waits);
  world_.settle();
  EXPECT_EQ(call(waits)["status"], "progressing");
  EXPECT_EQ(call(waits)["queue_id"], "");
  make_agent();
  const auto talks = enter();
  world_.advance(2s);
  ask("DELETE", "/v1/queues/" + queue_ + "/calls/" + talks);
  world_.settle();
  EXPECT_EQ(call(talks)["status"], "hangup");
  ask("DELETE", "/v1/queues/" + queue_ + "/calls/" + talks, nullptr, 404);
}

TEST_F(queue_scenario, a_deleted_queue_sends_who_waits_away_and_lets_who_talks_finish) {
  const auto agent = make_agent();
  const auto talks = enter();
  world_.advance(2s);
  const auto waits = enter("+15557770001");
  ask("DELETE", "/v1/queues/" + queue_);
  world_.settle();
  EXPECT_EQ(call(waits)["status"], "hangup");
  EXPECT_EQ(call(talks)["status"], "progressing");
  post("/v1/queues/" + queue_ + "/calls", {{"call_id", arrive()}}, 409);
  post("/v1/calls/" + talks + "/hangup");
  world_.settle();
  EXPECT_FALSE(world_.exists("queue", queue_));
  world_.advance(6s);
  EXPECT_EQ(agent_status(agent), "available");
  EXPECT_EQ(world_.view("agent", agent)["queue_ids"], json::array());
}

TEST_F(queue_scenario, calls_that_cannot_wait_here_are_let_go) {
  const auto other = make_queue();
  const auto elsewhere = enter("+15557770001", other);
  const auto over = place_call(busy);
  world_.advance(1s);
  for (const auto& id : {elsewhere, over, std::string{"nobody"}}) {
    post("/v1/queues/" + queue_ + "/calls", {{"call_id", id}});
    world_.settle();
    EXPECT_EQ(caller_status(id), "") << id;
  }
  EXPECT_EQ(call(elsewhere)["status"], "progressing");
  EXPECT_EQ(call(elsewhere)["queue_id"], other);
}

TEST_F(queue_scenario, agents_that_do_not_exist_go_from_the_list_again) {
  post("/v1/queues/" + queue_ + "/agents", {{"agent_id", "nobody"}});
  world_.settle();
  EXPECT_EQ(ask("GET", "/v1/queues/" + queue_ + "/agents")["result"], json::array());
  const auto agent = make_agent();
  ask("DELETE", "/v1/agents/" + agent);
  world_.settle();
  EXPECT_EQ(ask("GET", "/v1/queues/" + queue_ + "/agents")["result"], json::array());
}

TEST_F(queue_scenario, an_agent_taken_off_the_list_gets_no_more_calls) {
  const auto agent = make_agent();
  ask("DELETE", "/v1/queues/" + queue_ + "/agents/" + agent);
  ask("DELETE", "/v1/queues/" + queue_ + "/agents/" + agent, nullptr, 404);
  EXPECT_EQ(caller_status(enter()), "waiting");
  EXPECT_EQ(agent_status(agent), "available");
}

TEST_F(queue_scenario, the_service_route_of_voipbin_takes_a_caller_in) {
  const auto caller = arrive();
  const auto made =
      post("/v1/services/type/queuecall", {{"queue_id", queue_}, {"reference_type", "call"}, {"reference_id", caller}});
  EXPECT_EQ(made["queue_id"], queue_);
  world_.settle();
  EXPECT_EQ(caller_status(caller), "waiting");
  post("/v1/services/type/queuecall", {{"queue_id", queue_}, {"reference_id", caller}}, 409);
  post("/v1/services/type/queuecall", {{"queue_id", "nowhere"}, {"reference_id", caller}}, 404);
}

TEST_F(queue_scenario, an_outgoing_call_waits_once_it_is_answered) {
  const auto caller = place_call(stays);
  post("/v1/queues/" + queue_ + "/calls", {{"call_id", caller}});
  world_.settle();
  EXPECT_EQ(caller_status(caller), "initiating");
  world_.advance(1s);
  EXPECT_EQ(caller_status(caller), "waiting");
}

TEST_F(queue_scenario, wrong_requests_are_refused) {
  post("/v1/queues", {{"routing_method", "by_shoe_size"}}, 400);
  post("/v1/queues", {{"ring_timeout_ms", 0}}, 400);
  post("/v1/queues", {{"customer_id", "another"}}, 403);
  post("/v1/queues/" + queue_ + "/agents", json::object(), 400);
  post("/v1/queues/" + queue_ + "/calls", {{"call_id", "a b"}}, 400);
  EXPECT_EQ(ask("PUT", "/v1/queues/" + queue_, {{"routing_method", "random"}})["routing_method"], "random");
  EXPECT_EQ(world_.request("GET", "/v1/queues/" + queue_, nullptr, "another").status, 404);
}

TEST_F(queue_scenario, another_tenants_agents_and_calls_are_out_of_reach) {
  const auto agent = world_.request("POST", "/v1/agents", {{"name", "Eve"}}, "another").body["id"].get<std::string>();
  world_.request("POST", "/v1/agents/" + agent + "/login", nullptr, "another");
  post("/v1/queues/" + queue_ + "/agents", {{"agent_id", agent}});
  const auto foreign =
      world_
          .request("POST", "/v1/calls", {{"source", "+1"}, {"destination", "+2"}, {"direction", "incoming"}}, "another")
          .body["id"]
          .get<std::string>();
  post("/v1/queues/" + queue_ + "/calls", {{"call_id", foreign}});
  world_.settle();
  EXPECT_EQ(ask("GET", "/v1/queues/" + queue_ + "/agents")["result"], json::array());
  EXPECT_EQ(caller_status(foreign), "");
  EXPECT_EQ(call(foreign)["status"], "ringing");
  EXPECT_EQ(call(foreign)["queue_id"], "");
}

TEST_F(queue_scenario, nobody_hangs_up_another_tenants_call_by_its_id) {
  const auto foreign =
      world_
          .request("POST", "/v1/calls", {{"source", "+1"}, {"destination", "+2"}, {"direction", "incoming"}}, "another")
          .body["id"]
          .get<std::string>();
  world_.settle();
  post("/v1/queues/" + queue_ + "/calls", {{"call_id", foreign}});
  ask("DELETE", "/v1/queues/" + queue_); // before the call has said that it won't come
  world_.settle();
  EXPECT_EQ(call(foreign)["status"], "ringing");
}

TEST_F(queue_scenario, an_agent_who_hangs_up_before_the_talk_loses_no_caller) {
  const auto gone = make_agent(), next = make_agent();
  const auto caller = enter();
  const auto leg = callers()[0]["offers"][0]["agent_call_id"].get<std::string>();
  world_.advance(999ms);
  world_.fire_next(); // its far end answers
  while (!world_.last_event("queue.answered"))
    ASSERT_TRUE(world_.step());
  world_.tell({"call", leg}, "hung_up", {{"reason", "normal"}}, {"trunk", leg});
  world_.settle();
  ASSERT_TRUE(world_.last_event("queue.agent_lost"));
  EXPECT_EQ(call(caller)["status"], "progressing");
  world_.advance(3s);
  EXPECT_EQ(caller_status(caller), "service");
  EXPECT_EQ(agent_of(caller), next);
  EXPECT_EQ(world_.view("queue", queue_)["total_abandoned_count"], 0);
  post("/v1/calls/" + caller + "/hangup");
  world_.advance(10s);
  EXPECT_EQ(agent_status(gone), "available");
  EXPECT_EQ(call(caller)["status"], "hangup");
  EXPECT_THAT(callers(), IsEmpty());
}

TEST_F(queue_scenario, somebody_who_can_not_join_the_talk_does_not_end_it) {
  make_agent();
  const auto caller = enter();
  world_.advance(2s);
  EXPECT_EQ(caller_status(caller), "service");
  const auto room = call(caller)["confbridge_id"].get<std::string>();
  post("/v1/conferences/" + room + "/calls/nobody");
  world_.advance(10s);
  EXPECT_EQ(caller_status(caller), "service");
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 2U);
}

TEST_F(queue_scenario, an_agent_whose_phone_drops_each_call_rests_in_between) {
  const auto agent = make_agent();
  enter();
  for (int round = 0; round < 3; ++round) {
    const auto offered = world_.event_types("queue.offered", queue_).size();
    EXPECT_EQ(offered, round + 1U);
    const auto leg = callers()[0]["offers"][0]["agent_call_id"].get<std::string>();
    const auto answered = world_.event_types("queue.answered", queue_).size();
    world_.advance(999ms);
    world_.fire_next();
    while (world_.event_types("queue.answered", queue_).size() == answered)
      ASSERT_TRUE(world_.step());
    world_.tell({"call", leg}, "hung_up", {{"reason", "normal"}}, {"trunk", leg});
    world_.settle();
    EXPECT_EQ(world_.event_types("queue.offered", queue_).size(), offered) << "not at once";
    world_.advance(1s);
  }
}

TEST_F(queue_scenario, a_channel_that_no_agent_takes_is_not_offered_again_and_again) {
  const auto agent = make_agent(rings);
  enter();
  world_.advance(1min);
  ask("PUT", "/v1/queues/" + queue_, {{"channel", "video"}});
  world_.advance(1min);
  const auto before = world_.event_types("queue.offered", queue_).size();
  world_.advance(1min);
  EXPECT_EQ(world_.event_types("queue.offered", queue_).size(), before);
  ask("PUT", "/v1/agents/" + agent, {{"capacity", {{"voice", 1}, {"video", 1}}}});
  world_.settle();
  EXPECT_EQ(agent_status(agent), "ringing");
}

} // namespace
} // namespace switchboard::telephony
