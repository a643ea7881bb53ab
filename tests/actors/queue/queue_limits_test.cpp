// Several agents at once, skills and tags, limits, overflow, callbacks, positions, figures, decisions, and callers put
// in by other entities.
#include "tests/actors/queue/queue_scenario.hpp"

namespace switchboard::telephony {
namespace {

class queue_limits : public queue_scenario {
protected:
  void use(json body) { queue_ = make_queue(std::move(body)); }
  std::string skilled_agent(json skills, const char* number = stays) {
    const auto id = make_agent(number);
    ask("PUT", "/v1/agents/" + id, {{"skills", std::move(skills)}});
    world_.settle();
    return id;
  }
  std::string enter_with(json more, const std::string& from = "+15557770000") {
    const auto id = arrive(from);
    more["call_id"] = id;
    post("/v1/queues/" + queue_ + "/calls", more);
    world_.settle();
    return id;
  }
  const json& last(const char* type) {
    const auto* found = world_.last_event(type);
    static const json none;
    return found ? found->data : none;
  }
  json figures() { return ask("GET", "/v1/queues/" + queue_ + "/stats"); }
};

TEST_F(queue_limits, ring_all_rings_everybody_and_the_first_answer_wins) {
  use({{"routing_method", "ring_all"}});
  const auto slow = make_agent(rings), quick = make_agent(), another = make_agent(rings);
  const auto caller = enter();
  for (const auto& one : {slow, quick, another})
    EXPECT_EQ(agent_status(one), "ringing");
  EXPECT_EQ(callers()[0]["offers"].size(), 3U);
  world_.advance(2s);
  EXPECT_EQ(caller_status(caller), "service");
  EXPECT_EQ(agent_of(caller), quick);
  EXPECT_EQ(agent_status(quick), "busy");
  for (const auto& one : {slow, another})
    EXPECT_EQ(agent_status(one), "available") << "rescinded, and that is no fault of his";
  EXPECT_EQ(last("queue.offer_rescinded")["reason"], "answered_elsewhere");
  post("/v1/calls/" + caller + "/hangup");
  world_.advance(10s);
  expect_quiet();
}

TEST_F(queue_limits, who_becomes_free_while_others_ring_is_rung_too) {
  use({{"routing_method", "ring_all"}, {"parallel_offers", 2}});
  make_agent(rings);
  const auto caller = enter();
  world_.advance(3s);
  const auto late = make_agent();
  EXPECT_EQ(agent_status(late), "ringing");
  EXPECT_EQ(agent_status(make_agent()), "available") << "two at once are enough";
  world_.advance(2s);
  EXPECT_EQ(agent_of(caller), late);
}

TEST_F(queue_limits, a_caller_waits_for_the_skill_until_it_is_not_required_any_more) {
  use({{"skill_relaxation", {{{"after_ms", 10000}, {"lower_by", 3}}, {{"after_ms", 20000}, {"lower_by", 10}}}}});
  const auto some = skilled_agent({{"french", 2}});
  const auto caller = enter_with({{"skills", {{"french", 5}}}});
  const auto plain = enter();
  EXPECT_EQ(caller_status(caller), "waiting");
  EXPECT_EQ(agent_of(plain), some) << "who is not choosy is not held up";
  post("/v1/calls/" + plain + "/hangup");
  world_.advance(6s); // wrap-up
  EXPECT_EQ(agent_status(some), "available");
  EXPECT_EQ(caller_status(caller), "waiting");
  world_.advance(5s);
  EXPECT_EQ(agent_of(caller), some) << "french 2 will do";
  EXPECT_EQ(last("queue.decision")["required_skills"]["french"], 2);
}

TEST_F(queue_limits, only_agents_with_one_of_the_tags_are_asked) {
  use({{"tag_ids", {"sales", "support"}}});
  const auto without = make_agent(), with = make_agent();
  ask("PUT", "/v1/agents/" + with, {{"tag_ids", {"support", "other"}}});
  world_.settle();
  EXPECT_EQ(agent_of(enter()), with);
  EXPECT_EQ(agent_status(without), "available");
  EXPECT_EQ(caller_status(enter("+15557770001")), "waiting");
}

TEST_F(queue_limits, priority_goes_first_but_not_for_ever) {
  use({{"priority_ageing_ms", 10000}});
  const auto plain = enter();
  world_.advance(9s);
  const auto urgent = enter_with({{"priority", 1}}, "+15557770001");
  world_.advance(2s);
  const auto too_late = enter_with({{"priority", 1}}, "+15557770002");
  make_agent();
  EXPECT_EQ(caller_status(urgent), "connecting");
  EXPECT_EQ(caller_status(plain), "waiting");
  make_agent();
  EXPECT_EQ(caller_status(plain), "connecting");
  EXPECT_EQ(caller_status(too_late), "waiting");
}

TEST_F(queue_limits, who_waits_too_long_overflows_to_another_queue) {
  const auto other = make_queue();
  use({{"wait_timeout", 5000}, {"overflow", {{"type", "queue"}, {"queue_id", other}}}});
  const auto helper = make_agent(stays, other);
  const auto caller = enter();
  world_.advance(5s);
  EXPECT_THAT(callers(), IsEmpty());
  EXPECT_EQ(last("queue.overflowed")["reason"], "wait_timeout");
  EXPECT_EQ(figures()["total_overflowed"], 1);
  world_.advance(3s);
  EXPECT_EQ(call(caller)["queue_id"], other);
  EXPECT_EQ(agent_status(helper), "busy");
  post("/v1/calls/" + caller + "/hangup");
  world_.advance(6s);
  expect_quiet();
}

TEST_F(queue_limits, a_queue_that_is_not_there_loses_nobody) {
  use({{"wait_timeout", 5000}, {"overflow", {{"type", "queue"}, {"queue_id", "nowhere"}}}});
  const auto caller = enter();
  world_.advance(6s);
  EXPECT_EQ(last("queue.overflow_failed")["reason"], "not_found");
  EXPECT_EQ(call(caller)["status"], "hangup");
  expect_quiet();
}

TEST_F(queue_limits, queues_that_overflow_in_a_circle_end_it) {
  const auto first = make_queue(), second = make_queue();
  for (const auto& [from, to] : {std::pair{first, second}, {second, first}})
    ask("PUT", "/v1/queues/" + from, {{"wait_timeout", 1000}, {"overflow", {{"type", "queue"}, {"queue_id", to}}}});
  queue_ = first;
  const auto caller = enter();
  world_.advance(1min);
  EXPECT_EQ(call(caller)["status"], "hangup");
  expect_quiet();
}

TEST_F(queue_limits, who_waits_too_long_is_connected_to_a_number) {
  use({{"wait_timeout", 5000}, {"overflow", {{"type", "connect"}, {"destination", "+15559870104"}}}});
  const auto caller = enter();
  world_.advance(7s);
  EXPECT_EQ(call(caller)["status"], "progressing") << "talks to the number";
  EXPECT_EQ(figures()["waiting"], 0);
  world_.advance(1min);
  EXPECT_EQ(call(caller)["status"], "hangup");
  expect_quiet();
}

TEST_F(queue_limits, who_was_kicked_while_he_talks_to_the_number_is_not_left_alone_afterwards) {
  use({{"wait_timeout", 1000}, {"overflow", {{"type", "connect"}, {"destination", "+15559870110"}}}});
  for (const bool all : {false, true}) {
    const auto caller = enter();
    world_.advance(4s);
    EXPECT_EQ(call(caller)["status"], "progressing");
    ask("DELETE", "/v1/queues/" + queue_ + (all ? "" : "/calls/" + caller));
    world_.advance(20s);
    EXPECT_EQ(call(caller)["status"], "hangup");
  }
}

TEST_F(queue_limits, a_number_that_does_not_take_him_is_said_to_have_failed) {
  use({{"wait_timeout", 1000}, {"overflow", {{"type", "connect"}, {"destination", busy}}}});
  const auto caller = enter();
  world_.advance(5s);
  EXPECT_EQ(call(caller)["status"], "hangup");
  EXPECT_EQ(last("queue.overflow_failed")["reason"], "busy");
  expect_quiet();
}

TEST_F(queue_limits, above_its_length_callers_are_refused_or_overflow) {
  use({{"max_length", 1}});
  enter();
  post("/v1/queues/" + queue_ + "/calls", {{"call_id", arrive()}}, 429);
  const auto other = make_queue();
  ask("PUT", "/v1/queues/" + queue_, {{"overflow", {{"type", "queue"}, {"queue_id", other}}}});
  const auto caller = enter("+15557770001");
  world_.advance(3s);
  EXPECT_EQ(call(caller)["queue_id"], other);
  EXPECT_EQ(last("queue.overflowed")["reason"], "max_length");
}

TEST_F(queue_limits, without_anybody_logged_in_callers_overflow_at_once) {
  const auto other = make_queue();
  use({{"when_no_agents", "overflow"}, {"overflow", {{"type", "queue"}, {"queue_id", other}}}});
  const auto agent = make_agent(rings);
  const auto caller = enter();
  EXPECT_EQ(caller_status(caller), "connecting");
  post("/v1/agents/" + agent + "/logout");
  world_.advance(3s);
  EXPECT_EQ(call(caller)["queue_id"], other);
  EXPECT_EQ(last("queue.overflowed")["reason"], "no_agents");
}

TEST_F(queue_limits, a_caller_who_wants_to_be_called_back_keeps_his_place) {
  const auto patient = enter();
  const auto busy_one = enter("+15557770001");
  post("/v1/queues/" + queue_ + "/calls/" + patient + "/callback", {{"destination", "+15559870105"}});
  world_.settle();
  EXPECT_EQ(call(patient)["status"], "hangup");
  EXPECT_EQ(callers().size(), 2U);
  world_.advance(30s);
  const auto agent = make_agent();
  EXPECT_TRUE(callers()[0]["callback"]);
  EXPECT_EQ(callers()[0]["status"], "connecting") << "his turn";
  EXPECT_EQ(caller_status(busy_one), "waiting");
  world_.advance(3s); // the agent answers, then he is dialled and answers
  EXPECT_EQ(callers()[0]["status"], "service");
  EXPECT_EQ(agent_status(agent), "busy");
  world_.advance(5s);
  EXPECT_EQ(last("queue.serviced")["agent_id"], agent);
  EXPECT_EQ(figures()["total_callbacks"], 1);
  post("/v1/queues/" + queue_ + "/calls/" + busy_one + "/callback", json::object(), 400);
}

TEST_F(queue_limits, a_callback_nobody_answers_is_tried_again_and_then_given_up) {
  use({{"callback_retry_ms", 60000}, {"ring_timeout_ms", 5000}});
  const auto caller = enter();
  post("/v1/queues/" + queue_ + "/calls/" + caller + "/callback", {{"destination", rings}});
  const auto agent = make_agent();
  world_.advance(10s);
  EXPECT_EQ(last("queue.callback_failed")["reason"], "noanswer");
  EXPECT_EQ(agent_status(agent), "available");
  EXPECT_EQ(callers().size(), 1U);
  world_.advance(50s);
  EXPECT_EQ(callers()[0]["phase"], "waiting");
  world_.advance(30s);
  EXPECT_EQ(last("queue.abandoned")["reason"], "callback_failed");
  expect_quiet();
}

TEST_F(queue_limits, callers_hear_where_they_stand) {
  use({{"announce_interval_ms", 10000}});
  const auto agent = make_agent("+15559870120"); // talks 20 s
  enter();
  const auto second = enter("+15557770001"), third = enter("+15557770002");
  EXPECT_EQ(last("queue.position")["position"], 3) << "the first one still waits for the phone to be picked up";
  EXPECT_EQ(last("queue.position")["estimated_wait_ms"], nullptr) << "nothing is known yet";
  world_.advance(50s); // the first talk, the wrap-up, most of the second talk
  EXPECT_EQ(last("queue.position")["call_id"], third);
  EXPECT_EQ(last("queue.position")["position"], 1);
  EXPECT_EQ(last("queue.position")["estimated_wait_ms"], 20000);
  EXPECT_EQ(last("queue.position")["customer_id"], tenant);
}

TEST_F(queue_limits, the_figures_are_those_of_the_events) {
  use({{"service_level_ms", 3000}, {"wrap_up_ms", 0}});
  const auto first = enter();
  enter("+15557770102"); // gives up after 2 s
  world_.advance(4s);
  EXPECT_EQ(figures()["longest_wait_ms"], 4000);
  make_agent("+15559870106"); // talks 6 s
  world_.advance(1s);
  EXPECT_EQ(caller_status(first), "service");
  world_.advance(6s);
  const auto second = enter("+15557770003");
  world_.advance(10s);
  const auto shown = figures();
  EXPECT_EQ(shown["total_incoming"], 3);
  EXPECT_EQ(shown["total_answered"], 2);
  EXPECT_EQ(shown["total_answered_in_time"], 1) << "the second one waited a second only";
  EXPECT_EQ(shown["total_abandoned"], 1);
  EXPECT_DOUBLE_EQ(shown["service_level"].get<double>(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(shown["abandon_rate"].get<double>(), 1.0 / 3);
  EXPECT_EQ(shown["asa_ms"], (last("queue.connected")["waited_ms"].get<int>() + 5000) / 2);
  EXPECT_EQ(shown["estimated_wait_ms"], 6000);
  EXPECT_EQ(last("queue.stats")["total_serviced"], 2);
}

TEST_F(queue_limits, each_decision_says_why_and_who_was_passed_over) {
  use({{"decisions_kept", 2}});
  const auto first = make_agent(), second = make_agent(), away = make_agent();
  ask("PUT", "/v1/agents/" + away + "/status", {{"status", "away"}});
  world_.advance(1s);
  const auto choosy = enter_with({{"skills", {{"french", 1}}}});
  const auto caller = enter("+15557770001");
  const auto kept = ask("GET", "/v1/queues/" + queue_ + "/decisions")["result"];
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0]["call_id"], caller);
  EXPECT_EQ(kept[0]["agent_id"], first);
  EXPECT_EQ(kept[0]["routing_method"], "longest_idle");
  EXPECT_EQ(kept[0]["chosen"][0]["agent_id"], first);
  EXPECT_EQ(kept[0]["chosen"][0]["idle_ms"], 1030);
  EXPECT_EQ(kept[0]["passed_over"][0]["agent_id"], second);
  EXPECT_EQ(kept[0]["passed_over"][0]["why"], "comes later by longest_idle");
  EXPECT_EQ(kept[0]["passed_over"][1]["agent_id"], away);
  EXPECT_EQ(kept[0]["passed_over"][1]["why"], "away");
  EXPECT_EQ(kept[0]["callers_passed_over"].size(), 1U) << choosy;
  EXPECT_EQ(last("queue.decision")["queuecall_id"], kept[0]["queuecall_id"]);
  enter("+15557770002");
  enter("+15557770003");
  make_agent();
  EXPECT_EQ(ask("GET", "/v1/queues/" + queue_ + "/decisions")["result"].size(), 2U) << "the last two";
}

// -- put in by another entity -----------------------------------------------------------------------------------------

class queue_owner : public queue_limits {
protected:
  void put_in(const std::string& call, const char* from = "flow-1") {
    world_.tell({"queue", queue_}, "add_caller", {{"customer_id", tenant}, {"call_id", call}, {"priority", 0}},
                {"agent", from}); // of a type that is here, and ignores what it is told
    world_.settle();
  }
};

TEST_F(queue_owner, its_caller_is_told_once_though_it_asks_twice) {
  const auto caller = arrive();
  put_in(caller);
  put_in(caller);
  EXPECT_EQ(callers().size(), 1U);
  EXPECT_EQ(world_.state("queue", queue_)["callers"][0]["owner"]["id"], "flow-1");
  put_in(caller, "flow-2");
  EXPECT_EQ(callers().size(), 1U);
  EXPECT_EQ(world_.state("queue", queue_)["callers"][0]["owner"]["id"], "flow-1");
}

TEST_F(queue_owner, gets_a_caller_back_who_waited_too_long) {
  use({{"wait_timeout", 5000}});
  const auto caller = arrive();
  put_in(caller);
  world_.advance(6s);
  EXPECT_THAT(callers(), IsEmpty());
  EXPECT_EQ(call(caller)["status"], "progressing") << "the flow goes on with him";
  EXPECT_EQ(call(caller)["queue_id"], "");
  EXPECT_EQ(last("queue.overflowed")["target"], "owner");
}

TEST(queue_upgrade, a_queue_of_version_1_goes_on_where_it_was) {
  const auto& type = queue_type();
  const json older{{"id", "q"},
                   {"customer_id", tenant},
                   {"name", "n"},
                   {"detail", ""},
                   {"routing", "longest_idle"},
                   {"tag_ids", json::array()},
                   {"wait_timeout", 0},
                   {"service_timeout", 0},
                   {"ring_timeout", 20000},
                   {"wrap_up", 5000},
                   {"agents",
                    {{{"agent_id", "a"}, {"status", "ringing"}, {"since", 5}, {"sequence", 3}},
                     {{"agent_id", "b"}, {"status", "available"}, {"since", 6}, {"sequence", 1}}}},
                   {"callers",
                    {{{"id", "1"},
                      {"call_id", "c1"},
                      {"phase", "dialing"},
                      {"offer_id", "o"},
                      {"agent_id", "a"},
                      {"agent_call_id", "leg"},
                      {"conference_id", ""},
                      {"caller_in", false},
                      {"agent_in", false},
                      {"attempts", 1},
                      {"joined", 7},
                      {"connected", 0}},
                     {{"id", "2"},
                      {"call_id", "c2"},
                      {"phase", "service"},
                      {"offer_id", "p"},
                      {"agent_id", "x"},
                      {"agent_call_id", "leg2"},
                      {"conference_id", "k"},
                      {"caller_in", true},
                      {"agent_in", true},
                      {"attempts", 1},
                      {"joined", 7},
                      {"connected", 9}}}},
                   {"total_incoming", 4},
                   {"total_serviced", 1},
                   {"total_abandoned", 1},
                   {"shown_waiting", 1},
                   {"shown_active", 1},
                   {"closing", false},
                   {"created", 1},
                   {"updated", 2}};
  const auto now = type.load(type.upgrade(older, 1));
  EXPECT_EQ(now.agents[0].free, 0);
  EXPECT_EQ(now.agents[1].free, 1);
  EXPECT_LT(now.agents[0].place, now.agents[1].place);
  ASSERT_EQ(now.callers[0].offers.size(), 1U);
  EXPECT_EQ(now.callers[0].offers[0].call_id, "leg");
  EXPECT_EQ(now.callers[0].agent_id, "");
  EXPECT_EQ(now.callers[1].offer_id, "p");
  EXPECT_LT(now.callers[0].number, now.callers[1].number);
  EXPECT_EQ(now.totals.incoming, 4U);
  EXPECT_EQ(now.totals.abandoned, 1U);
  EXPECT_EQ(type.save(type.load(type.save(now))), type.save(now));
}

} // namespace
} // namespace switchboard::telephony
