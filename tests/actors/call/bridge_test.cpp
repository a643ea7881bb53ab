// Two calls and three: bridge, connect, transfer, park, chain – whole flows against the loopback trunk in virtual time.
#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

class call_bridge : public scenario {
protected:
  std::string answered(const std::string& number = stays) {
    const auto id = place_call(number);
    world_.advance(1s);
    EXPECT_EQ(call(id)["status"], "progressing");
    return id;
  }
  std::string route(const std::string& id, const std::string& rest) { return "/v1/calls/" + id + rest; }
  void bridge(const std::string& one, const std::string& two) {
    post(route(one, "/bridge"), {{"call_id", two}});
    world_.settle();
    expect_bridged(one, two);
  }
  /// T hands X over to C, whom it consulted, and so many messages have arrived since.
  struct three {
    std::string t, x, c;
  };
  three handed_over(int messages) {
    three who{answered(), answered(), answered()};
    bridge(who.t, who.x);
    post(route(who.t, "/transfer"), {{"type", "attended"}, {"call_id", who.c}});
    world_.settle();
    post(route(who.t, "/transfer/complete"));
    for (int i = 0; i < messages; ++i)
      world_.step();
    return who;
  }
  std::string peer(const std::string& id) { return call(id).value("bridged_call_id", ""); }
  /// They talk: so say both calls and both legs at the trunk.
  void expect_bridged(const std::string& one, const std::string& two) {
    EXPECT_EQ(peer(one), two);
    EXPECT_EQ(peer(two), one);
    EXPECT_EQ(world_.view("trunk", one).value("bridged_call_id", ""), two);
    EXPECT_EQ(world_.view("trunk", two).value("bridged_call_id", ""), one);
  }
  void expect_alone(const std::string& id) {
    EXPECT_EQ(call(id)["status"], "progressing");
    EXPECT_EQ(peer(id), "");
    EXPECT_EQ(world_.view("trunk", id).value("bridged_call_id", ""), "");
  }
  /// The only live call that is none of these.
  std::string newcomer(const std::vector<std::string>& known) {
    std::vector<std::string> found;
    for (const auto& id : world_.ids("call")) {
      if (std::find(known.begin(), known.end(), id) == known.end() && call(id)["status"] != "hangup")
        found.push_back(id);
    }
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? "nobody" : found.front();
  }
  bool over(const std::string& id) { return call(id)["status"] == "hangup"; }
  std::string reason_of(const char* event) {
    const auto* found = world_.last_event(event);
    return found ? found->data.value("reason", "") : "no such event";
  }
  json record_of(const std::string& id) {
    json found;
    for (const auto& one : world_.events()) {
      if (one.type == "call.record" && one.resource_id == id) {
        EXPECT_TRUE(found.is_null()) << "two records of one call";
        found = one.data;
      }
    }
    return found;
  }
};

TEST_F(call_bridge, two_answered_calls_talk_and_end_together) {
  const auto one = answered(), two = answered();
  bridge(one, two);
  EXPECT_THAT(world_.event_types("call.bridged"), ElementsAre("call.bridged", "call.bridged"));
  post(route(one, "/bridge"), {{"call_id", two}}); // a repeat changes nothing
  post(route(two, "/hangup"));
  world_.settle();
  EXPECT_TRUE(over(one));
  EXPECT_TRUE(over(two));
  EXPECT_EQ(record_of(one)["hangup_by"], "local");
}

TEST_F(call_bridge, a_bridge_that_is_taken_apart_leaves_both_alone) {
  const auto one = answered(), two = answered();
  bridge(one, two);
  ask("DELETE", route(one, "/bridge"));
  world_.settle();
  expect_alone(one);
  expect_alone(two);
  ask("DELETE", route(one, "/bridge"), nullptr, 409);
  bridge(two, one);
}

TEST_F(call_bridge, who_cannot_talk_is_not_bridged) {
  const auto one = answered(), two = answered(), third = answered();
  const auto ringing = place_call(rings);
  world_.advance(1s);
  post(route(ringing, "/bridge"), {{"call_id", one}}, 409);
  post(route(one, "/bridge"), {{"call_id", one}}, 400);
  for (const auto& [other, why] : {std::pair{ringing, "call_is_not_answered"}, {std::string{"nobody"}, "not_found"}}) {
    post(route(one, "/bridge"), {{"call_id", other}});
    world_.settle();
    EXPECT_EQ(reason_of("call.bridge_failed"), why);
    expect_alone(one);
  }
  bridge(one, two);
  post(route(third, "/bridge"), {{"call_id", two}});
  world_.settle();
  EXPECT_EQ(reason_of("call.bridge_failed"), "call_is_elsewhere");
  expect_bridged(one, two);
  const auto room = post("/v1/conferences", {{"type", "conference"}})["id"].get<std::string>();
  post("/v1/conferences/" + room + "/calls/" + one);
  world_.settle();
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 0U) << "a bridged call does not come into a conference";
}

TEST_F(call_bridge, another_tenants_call_is_not_found) {
  const auto mine = answered();
  const auto theirs = world_.request("POST", "/v1/calls", {{"source", "+1"}, {"destination", stays}}, "another")
                          .body["id"]
                          .get<std::string>();
  world_.advance(1s);
  post(route(mine, "/bridge"), {{"call_id", theirs}});
  post(route(mine, "/chained-call-ids"), {{"chained_call_id", theirs}});
  world_.settle();
  EXPECT_EQ(reason_of("call.bridge_failed"), "not_found");
  EXPECT_EQ(world_.last_event("call.chain_failed")->data["chained_call_id"], theirs);
  post(route(mine, "/hangup"));
  world_.settle();
  EXPECT_EQ(world_.view("call", theirs)["status"], "progressing");
}

TEST_F(call_bridge, connect_dials_a_second_leg_and_bridges_it) {
  const auto one = answered();
  EXPECT_EQ(post(route(one, "/connect"), {{"destination", stays}})["other"]["purpose"], "connect");
  world_.advance(1s);
  const auto two = newcomer({one});
  expect_bridged(one, two);
  post(route(one, "/hangup"));
  world_.settle();
  EXPECT_TRUE(over(two));
}

TEST_F(call_bridge, a_connection_that_fails_leaves_the_first_call_alone) {
  for (const auto& [number, why] :
       {std::pair{busy, "busy"}, {unreachable, "failed"}, {rejects, "noanswer"}, {rings, "noanswer"}}) {
    const auto one = answered();
    post(route(one, "/connect"), {{"destination", number}, {"dial_timeout_ms", 5000}});
    world_.advance(6s);
    EXPECT_EQ(reason_of("call.connect_failed"), why) << number;
    expect_alone(one);
    EXPECT_THAT(world_.timers("call", one), ElementsAre("max_duration"));
  }
}

TEST_F(call_bridge, who_hangs_up_first_takes_the_second_leg_along_while_it_rings) {
  const auto one = answered();
  post(route(one, "/connect"), {{"destination", rings}});
  world_.advance(1s);
  const auto two = newcomer({one});
  post(route(one, "/hangup"));
  world_.settle();
  EXPECT_TRUE(over(two));
  EXPECT_EQ(record_of(two)["hangup_reason"], "cancel");
}

// -- blind transfer

TEST_F(call_bridge, a_blind_transfer_brings_the_transferee_to_the_target_and_lets_the_transferer_go) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  const auto shown = post(route(t, "/transfer"), {{"destination", stays}});
  EXPECT_EQ(shown["transfer"]["type"], "blind");
  world_.advance(500ms);
  EXPECT_EQ(peer(x), t) << "together until the target is there";
  world_.advance(1s);
  const auto c = newcomer({t, x});
  expect_bridged(x, c);
  EXPECT_TRUE(over(t));
  EXPECT_EQ(world_.last_event("call.transferred")->resource_id, x);
  EXPECT_EQ(record_of(t)["transferred_to"], c);
  post(route(c, "/hangup"));
  world_.settle();
  EXPECT_TRUE(over(x));
  EXPECT_EQ(record_of(x)["transferred_from"], t);
  EXPECT_EQ(record_of(x)["transferred_to"], c);
  EXPECT_EQ(record_of(c)["transferred_from"], t);
}

TEST_F(call_bridge, a_failed_blind_transfer_returns_to_the_transferer) {
  for (const auto& [number, why] :
       {std::pair{busy, "busy"}, {unreachable, "failed"}, {rejects, "noanswer"}, {rings, "noanswer"}}) {
    const auto t = answered(), x = answered();
    bridge(t, x);
    post(route(t, "/transfer"), {{"destination", number}, {"dial_timeout_ms", 5000}});
    world_.advance(6s);
    EXPECT_EQ(reason_of("call.transfer_failed"), why) << number;
    expect_bridged(t, x);
    EXPECT_FALSE(call(t).contains("transfer"));
    EXPECT_THAT(world_.timers("call", t), ElementsAre("max_duration"));
    EXPECT_THAT(world_.timers("call", x), ElementsAre("max_duration"));
  }
}

TEST_F(call_bridge, a_blind_transfer_goes_to_a_call_that_is_there_or_fails_if_that_one_is_not_free) {
  const auto t = answered(), x = answered(), c = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"call_id", "nobody"}});
  world_.settle();
  EXPECT_EQ(reason_of("call.transfer_failed"), "not_found");
  expect_bridged(t, x);
  post(route(t, "/transfer"), {{"call_id", c}});
  world_.settle();
  expect_bridged(x, c);
  EXPECT_TRUE(over(t));
}

TEST_F(call_bridge, the_transferer_may_hang_up_at_once_and_the_transfer_goes_on) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"destination", stays}});
  world_.advance(500ms);
  post(route(t, "/hangup"));
  world_.advance(1s);
  EXPECT_TRUE(over(t));
  expect_bridged(x, newcomer({t, x}));
}

TEST_F(call_bridge, with_the_transferer_gone_a_failed_transfer_ends_the_transferee) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"destination", rings}, {"dial_timeout_ms", 5000}});
  world_.advance(1s);
  post(route(t, "/hangup"));
  world_.advance(1s);
  EXPECT_EQ(call(x)["status"], "progressing");
  world_.advance(5s);
  EXPECT_TRUE(over(x));
}

TEST_F(call_bridge, a_transferee_who_hangs_up_ends_the_transfer) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"destination", rings}});
  world_.advance(1s);
  post(route(x, "/hangup"));
  world_.settle();
  EXPECT_EQ(reason_of("call.transfer_failed"), "transferee_hung_up");
  for (const auto& id : world_.ids("call"))
    EXPECT_TRUE(over(id)) << call(id);
}

TEST_F(call_bridge, a_blind_transfer_can_be_canceled_while_it_rings) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"destination", rings}});
  world_.advance(1s);
  const auto c = newcomer({t, x});
  ask("DELETE", route(t, "/transfer"));
  world_.settle();
  EXPECT_EQ(reason_of("call.transfer_failed"), "canceled");
  EXPECT_TRUE(over(c));
  expect_bridged(t, x);
  ask("DELETE", route(t, "/transfer"), nullptr, 409);
}

// -- attended transfer

TEST_F(call_bridge, an_attended_transfer_is_talked_over_first) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"type", "attended"}, {"destination", stays}});
  world_.advance(500ms);
  post(route(t, "/transfer/complete"), nullptr, 409);
  world_.advance(1s);
  const auto c = newcomer({t, x});
  EXPECT_EQ(world_.view("trunk", t)["bridged_call_id"], c);
  EXPECT_EQ(world_.view("trunk", c)["bridged_call_id"], t);
  EXPECT_EQ(call(t)["transfer"]["phase"], "consulting");
  post(route(t, "/transfer/complete"));
  world_.settle();
  expect_bridged(x, c);
  EXPECT_TRUE(over(t));
  EXPECT_EQ(record_of(t)["transferred_to"], c);
  post(route(x, "/hangup"));
  world_.settle();
  EXPECT_TRUE(over(c));
}

TEST_F(call_bridge, an_attended_transfer_that_is_canceled_returns_to_the_transferee) {
  for (const auto wait : {500ms, 2000ms}) { // while it rings, while they talk
    const auto t = answered(), x = answered();
    bridge(t, x);
    post(route(t, "/transfer"), {{"type", "attended"}, {"destination", stays}});
    world_.advance(wait);
    const auto c = call(t)["other"]["call_id"].get<std::string>();
    post(route(t, "/transfer/cancel"));
    world_.settle();
    EXPECT_TRUE(over(c));
    expect_bridged(t, x);
  }
}

TEST_F(call_bridge, a_consultation_that_fails_or_ends_returns_to_the_transferee) {
  for (const auto* number : {busy, unreachable, rejects, rings, "+15559870103"}) {
    const auto t = answered(), x = answered();
    bridge(t, x);
    post(route(t, "/transfer"), {{"type", "attended"}, {"destination", number}, {"dial_timeout_ms", 5000}});
    world_.advance(10s);
    EXPECT_FALSE(call(t).contains("transfer")) << number;
    expect_bridged(t, x);
    EXPECT_THAT(world_.timers("call", t), ElementsAre("max_duration"));
  }
}

TEST_F(call_bridge, a_transferer_who_hangs_up_in_the_consultation_completes_it) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"type", "attended"}, {"destination", stays}});
  world_.advance(2s);
  const auto c = newcomer({t, x});
  post(route(t, "/hangup"));
  world_.settle();
  EXPECT_TRUE(over(t));
  expect_bridged(x, c);
}

TEST_F(call_bridge, a_transferer_who_hangs_up_before_the_consultation_is_answered_ends_all) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"type", "attended"}, {"destination", rings}});
  world_.advance(1s);
  post(route(t, "/hangup"));
  world_.settle();
  for (const auto& id : world_.ids("call"))
    EXPECT_TRUE(over(id));
}

TEST_F(call_bridge, a_transferee_who_leaves_the_consultation_leaves_the_two_talking) {
  const auto t = answered(), x = answered();
  bridge(t, x);
  post(route(t, "/transfer"), {{"type", "attended"}, {"destination", stays}});
  world_.advance(2s);
  const auto c = newcomer({t, x});
  post(route(x, "/hangup"));
  world_.settle();
  EXPECT_EQ(reason_of("call.transfer_failed"), "transferee_hung_up");
  expect_bridged(t, c);
  post(route(c, "/hangup"));
  world_.settle();
  EXPECT_TRUE(over(t));
}

TEST_F(call_bridge, an_attended_transfer_to_a_call_that_is_there_lets_it_go_again_when_canceled) {
  const auto t = answered(), x = answered(), c = answered();
  bridge(t, x);
  const auto consult = [&] {
    post(route(t, "/transfer"), {{"type", "attended"}, {"call_id", c}});
    world_.settle();
    EXPECT_EQ(call(t)["transfer"]["phase"], "consulting");
  };
  consult();
  ask("DELETE", route(t, "/transfer"));
  world_.settle();
  expect_bridged(t, x);
  expect_alone(c);
  consult();
  post(route(t, "/transfer/complete"));
  world_.settle();
  expect_bridged(x, c);
  EXPECT_TRUE(over(t));
}

TEST_F(call_bridge, a_transferee_who_hangs_up_while_it_is_handed_over_leaves_nobody_behind) {
  for (int steps = 0; steps < 8; ++steps) {
    const auto [t, x, c] = handed_over(steps);
    post(route(x, "/hangup"));
    world_.settle();
    EXPECT_TRUE(over(x));
    if (over(t) || over(c))
      EXPECT_TRUE(over(t) && over(c)) << steps << " steps: " << call(t) << call(c);
    else // it had not left the transferer yet
      expect_bridged(t, c);
  }
}

TEST_F(call_bridge, who_is_handed_over_cannot_be_unbridged_on_the_way) {
  for (int steps = 0; steps < 8; ++steps) {
    const auto [t, x, c] = handed_over(steps);
    const bool unbridged = world_.request("DELETE", route(x, "/bridge"), nullptr, tenant).status == 200;
    world_.settle();
    if (over(t) && !unbridged)
      expect_bridged(x, c);
    else if (over(t)) // it was all done
      EXPECT_TRUE(peer(x).empty() && peer(c).empty()) << steps;
    else
      EXPECT_TRUE(unbridged && !peer(t).empty() == !peer(c).empty()) << steps << " steps: " << call(t) << call(c);
  }
}

TEST_F(call_bridge, transfers_that_make_no_sense_are_refused) {
  const auto t = answered(), x = answered();
  post(route(t, "/transfer"), {{"destination", stays}}, 409); // talks to nobody
  bridge(t, x);
  post(route(t, "/transfer"), {{"type", "warm"}, {"destination", stays}}, 400);
  post(route(t, "/transfer"), json::object(), 400);
  post(route(t, "/transfer"), {{"call_id", x}}, 400);
  post(route(t, "/transfer"), {{"call_id", t}}, 400);
  post(route(t, "/transfer/complete"), nullptr, 409);
  post(route(t, "/transfer"), {{"destination", rings}});
  post(route(t, "/transfer"), {{"destination", stays}}, 409); // one at a time
  ask("DELETE", route(t, "/bridge"), nullptr, 409);
}

// -- transfer out of a conference, and out of a queue

TEST_F(call_bridge, who_talks_in_a_conference_of_two_transfers_the_other_one) {
  for (const auto* type : {"blind", "attended"}) {
    const auto room = post("/v1/conferences", {{"type", "connect"}})["id"].get<std::string>();
    const auto t = answered(), x = answered();
    for (const auto& id : {t, x})
      post("/v1/conferences/" + room + "/calls/" + id);
    world_.settle();
    post(route(t, "/transfer"), {{"type", type}, {"destination", stays}});
    world_.advance(2s);
    if (type == std::string{"attended"})
      post(route(t, "/transfer/complete"));
    world_.settle();
    EXPECT_TRUE(over(t)) << type;
    const auto c = peer(x);
    expect_bridged(x, c);
    EXPECT_EQ(status("conference", room), "terminated");
    post(route(x, "/hangup"));
    world_.settle();
    EXPECT_THAT(record_of(x)["conference_ids"], ElementsAre(room));
  }
}

TEST_F(call_bridge, in_a_conference_of_three_nobody_knows_who_is_meant) {
  const auto room = post("/v1/conferences", {{"type", "conference"}})["id"].get<std::string>();
  const auto t = answered(), x = answered(), y = answered();
  for (const auto& id : {t, x, y})
    post("/v1/conferences/" + room + "/calls/" + id);
  world_.settle();
  post(route(t, "/transfer"), {{"destination", stays}});
  world_.settle();
  EXPECT_EQ(reason_of("call.transfer_failed"), "too_many_in_conference");
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 3U);
}

TEST_F(call_bridge, an_agent_transfers_the_caller_and_is_free_for_the_next) {
  for (const bool leaves_at_once : {false, true}) {
    const auto queue = post("/v1/queues", {{"name", "sales"}, {"wrap_up_ms", 0}})["id"].get<std::string>();
    const auto agent = post("/v1/agents", {{"addresses", {stays}}})["id"].get<std::string>();
    post("/v1/queues/" + queue + "/agents", {{"agent_id", agent}});
    post("/v1/agents/" + agent + "/login");
    const auto caller = arrive();
    post("/v1/queues/" + queue + "/calls", {{"call_id", caller}});
    world_.advance(3s);
    std::string leg;
    const auto room = world_.view("conference", call(caller)["confbridge_id"]);
    for (const auto& one : room["calls"]) {
      if (one["call_id"] != caller)
        leg = one["call_id"];
    }
    post(route(leg, "/transfer"), {{"destination", stays}});
    world_.advance(500ms);
    if (leaves_at_once)
      post(route(leg, "/hangup"));
    world_.advance(2s);
    EXPECT_TRUE(over(leg));
    EXPECT_EQ(call(caller)["status"], "progressing") << "the caller is lost";
    expect_bridged(caller, peer(caller));
    EXPECT_EQ(status("agent", agent), "available");
    EXPECT_EQ(world_.state("queue", queue)["callers"].size(), 0U);
    post(route(caller, "/hangup"));
    world_.settle();
    EXPECT_EQ(record_of(caller)["queue_id"], queue);
    post("/v1/agents/" + agent + "/logout");
  }
}

// -- park

TEST_F(call_bridge, a_parked_call_is_picked_up_by_a_call_or_by_a_number) {
  const auto x = answered(), y = answered(), b = answered();
  post(route(x, "/park"));
  EXPECT_TRUE(call(x).contains("tm_park"));
  ask("DELETE", route(x, "/park"), {{"call_id", b}});
  world_.settle();
  expect_bridged(x, b);
  EXPECT_EQ(reason_of("call.unparked"), "picked_up");
  EXPECT_THAT(world_.timers("call", x), ElementsAre("max_duration"));
  post(route(y, "/park"));
  ask("DELETE", route(y, "/park"), {{"destination", stays}});
  world_.advance(1s);
  expect_bridged(y, newcomer({x, y, b}));
}

TEST_F(call_bridge, a_call_bridges_itself_to_a_parked_one) {
  const auto x = answered(), b = answered();
  post(route(x, "/park"));
  bridge(b, x);
  EXPECT_FALSE(call(x).contains("tm_park"));
}

TEST_F(call_bridge, a_parked_call_rings_the_parker_back_when_its_time_is_over) {
  const auto t = answered("+15559871111"), x = answered();
  bridge(t, x);
  post(route(x, "/park"), {{"timeout_ms", 30000}});
  world_.settle();
  EXPECT_TRUE(over(t)) << "the parker's leg is let go";
  EXPECT_EQ(world_.last_event("call.parked")->data["return_to"], "+15559871111");
  world_.advance(31s + 500ms);
  const auto back = newcomer({t, x});
  EXPECT_EQ(call(back)["destination"]["target"], "+15559871111");
  world_.advance(1s);
  expect_bridged(x, back);
  EXPECT_EQ(reason_of("call.unparked"), "returned");
}

TEST_F(call_bridge, a_parked_call_nobody_wants_is_hung_up) {
  const auto x = answered(), y = answered();
  post(route(x, "/park"), {{"timeout_ms", 1000}});
  post(route(y, "/park"), {{"timeout_ms", 1000}, {"return_to", busy}});
  world_.advance(3s);
  for (const auto& id : {x, y}) {
    EXPECT_TRUE(over(id));
    EXPECT_EQ(record_of(id)["hangup_reason"], "park_timeout");
  }
}

TEST_F(call_bridge, picking_up_fails_and_it_stays_parked) {
  const auto x = answered();
  post(route(x, "/park"));
  ask("DELETE", route(x, "/park"), {{"destination", busy}});
  world_.advance(2s);
  EXPECT_EQ(reason_of("call.unpark_failed"), "busy");
  EXPECT_TRUE(call(x).contains("tm_park"));
  ask("DELETE", route(x, "/park"));
  expect_alone(x);
  ask("DELETE", route(x, "/park"), nullptr, 409);
  world_.advance(2min);
  expect_alone(x);
}

// -- chain

TEST_F(call_bridge, chained_calls_are_hung_up_with_their_master) {
  const auto master = answered(), one = answered(), two = place_call(stays, {{"master_call_id", master}});
  post(route(master, "/chained-call-ids"), {{"chained_call_id", one}});
  world_.advance(1s);
  EXPECT_THAT(call(master)["chained_call_ids"], ::testing::UnorderedElementsAre(one, two));
  EXPECT_EQ(call(one)["master_call_id"], master);
  post(route(master, "/hangup"));
  world_.settle();
  EXPECT_TRUE(over(one));
  EXPECT_TRUE(over(two));
  const auto late = place_call(stays, {{"master_call_id", master}});
  world_.settle();
  EXPECT_TRUE(over(late)) << "its master is over already";
}

TEST_F(call_bridge, a_call_off_the_chain_goes_on) {
  const auto master = answered(), one = answered(), two = answered();
  for (const auto& id : {one, two})
    post(route(master, "/chained-call-ids"), {{"chained_call_id", id}});
  world_.settle();
  ask("DELETE", route(master, "/chained-call-ids/" + one));
  post(route(two, "/hangup"));
  world_.settle();
  EXPECT_FALSE(call(master).contains("chained_call_ids"));
  ask("DELETE", route(master, "/chained-call-ids/" + one), nullptr, 404);
  post(route(master, "/hangup"));
  world_.settle();
  EXPECT_FALSE(over(one));
}

} // namespace
} // namespace switchboard::telephony
