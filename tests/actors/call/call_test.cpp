// One call: every status × message, then whole lives against the loopback trunk in virtual time.
#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

/// A call alone, in any status; what it sends is looked at, not answered.
class call_alone : public ::testing::Test {
protected:
  call_alone() { world_.add(sdk::abi_of<&call_type>()); }
  ~call_alone() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  void put(std::string_view status, std::string_view direction = "outgoing") {
    const json somebody{{"type", "tel"}, {"target", stays}};
    world_.put("call", "c",
               {{"id", "c"},
                {"customer_id", tenant},
                {"status", status},
                {"direction", direction},
                {"source", somebody},
                {"destination", somebody},
                {"held", false},
                {"simulated", false},
                {"owner", sdk::entity_ref{"queue", "owner"}},
                {"queue_id", ""},
                {"conference_id", ""},
                {"hangup_by", ""},
                {"hangup_reason", ""},
                {"pending_reason", ""},
                {"max_duration", 1000},
                {"created", 1},
                {"ringing_since", 0},
                {"answered", 0},
                {"ended", 0},
                {"updated", 1},
                {"delete_when_over", false}});
  }
  std::string status() const {
    const auto shown = world_.view("call", "c");
    return shown.is_null() ? "gone" : shown.value("status", "");
  }
  std::vector<std::string> sent() {
    world_.settle();
    std::vector<std::string> names;
    for (const auto& one : world_.outside())
      names.push_back(one.to.type + " " + one.name);
    return names;
  }

  sdk::test_kit::world world_;
};

const std::vector<std::string> statuses{"dialing", "ringing", "progressing", "terminating", "canceling", "hangup"};

TEST_F(call_alone, every_status_and_message_has_one_outcome) {
  const std::string d = "dialing", r = "ringing", p = "progressing", t = "terminating", c = "canceling", h = "hangup";
  struct {
    const char *kind, *name;
    std::vector<std::string> next; // by the status it comes in
  } const table[] = {
      {"message", "ringing", {r, r, p, t, c, h}},         {"message", "answered", {p, p, p, t, c, h}},
      {"message", "hung_up", {h, h, h, h, h, h}},         {"message", "create", {d, r, p, t, c, h}},
      {"message", "hang_up", {c, c, t, t, c, h}},         {"message", "join_queue", {d, r, p, t, c, h}},
      {"message", "leave_queue", {d, r, p, t, c, h}},     {"message", "join_conference", {d, r, p, t, c, h}},
      {"message", "no such message", {d, r, p, t, c, h}}, {"timer", "dial_timeout", {c, c, p, t, c, h}},
      {"timer", "max_duration", {d, r, t, t, c, h}},      {"timer", "release", {d, r, p, h, h, h}},
      {"timer", "forget", {d, r, p, t, c, "gone"}},       {"timer", "no such timer", {d, r, p, t, c, h}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      if (row.kind == std::string{"timer"})
        world_.expire({"call", "c"}, row.name);
      else
        world_.tell({"call", "c"}, row.name, {{"customer_id", tenant}, {"reason", "normal"}}, {"trunk", "c"});
      world_.settle();
      EXPECT_EQ(status(), row.next[i]) << row.name << " while " << statuses[i];
    }
  }
}

TEST_F(call_alone, every_status_and_request_has_one_answer) {
  struct {
    const char *method, *path;
    std::vector<int> codes;
  } const table[] = {
      {"GET", "", {200, 200, 200, 200, 200, 200}},
      {"POST", "/hangup", {200, 200, 200, 200, 200, 200}},
      {"POST", "/hold", {409, 409, 200, 409, 409, 409}},
      {"DELETE", "/hold", {409, 409, 200, 409, 409, 409}},
      {"POST", "/answer", {409, 409, 200, 409, 409, 409}}, // an outgoing one
      {"PUT", "/confbridge_id", {409, 409, 200, 409, 409, 409}},
      {"DELETE", "", {200, 200, 200, 200, 200, 200}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      const json body{{"confbridge_id", "conf-1"}};
      EXPECT_EQ(world_.request(row.method, std::string{"/v1/calls/c"} + row.path, body).status, row.codes[i])
          << row.method << row.path << " while " << statuses[i];
    }
  }
}

TEST_F(call_alone, the_trunk_is_told_to_drop_a_leg_whose_call_is_over_or_unknown) {
  put("hangup");
  world_.tell({"call", "c"}, "answered", json::object(), {"trunk", "c"});
  world_.tell({"call", "nobody"}, "ringing", json::object(), {"trunk", "nobody"});
  EXPECT_THAT(sent(), ElementsAre("trunk hang_up", "trunk hang_up"));
}

TEST_F(call_alone, who_gave_up_a_talk_for_a_call_that_ends_is_not_left_alone) {
  put("progressing");
  auto ending = world_.state("call", "c"), left = ending;
  ending["parts"]["other"] = {{"call_id", "d"}, {"token", "t"}, {"purpose", "transfer"}, {"replaces", "old"}};
  left["id"] = "d";
  left["parts"]["peer"] = {{"call_id", "c"}, {"token", "t"}};
  world_.put("call", "c", ending);
  world_.put("call", "d", left);
  world_.tell({"call", "c"}, "hung_up", {{"reason", "normal"}}, {"trunk", "c"});
  world_.settle();
  EXPECT_EQ(world_.view("call", "d")["status"], "terminating");
}

TEST_F(call_alone, a_repeated_hang_up_tells_the_trunk_once) {
  put("progressing");
  for (int i = 0; i < 3; ++i)
    world_.request("POST", "/v1/calls/c/hangup");
  EXPECT_THAT(sent(), ElementsAre("trunk hang_up"));
}

TEST_F(call_alone, its_end_is_told_once_to_each_partner) {
  put("progressing");
  world_.tell({"call", "c"}, "join_queue", {{"customer_id", tenant}}, {"queue", "owner"});
  world_.tell({"call", "c"}, "join_conference", {{"customer_id", tenant}}, {"conference", "k"});
  world_.tell({"call", "c"}, "hung_up", {{"reason", "normal"}}, {"trunk", "c"});
  world_.tell({"call", "c"}, "hung_up", {{"reason", "normal"}}, {"trunk", "c"});
  EXPECT_THAT(sent(), ElementsAre("queue call_joined", "trunk bridge", "conference call_joined", "queue call_ended",
                                  "conference call_ended"));
}

TEST_F(call_alone, it_may_be_in_one_queue_and_one_conference_of_its_own_tenant_only) {
  put("progressing");
  const auto refusal = [&](const char* name, const sdk::entity_ref& from, const char* customer) {
    const auto before = (world_.settle(), world_.outside().size());
    world_.tell({"call", "c"}, name, {{"customer_id", customer}}, from);
    world_.settle();
    const auto& said = world_.outside().at(before);
    return said.name == "call_refused" ? json::parse(said.body)["reason"].get<std::string>() : said.name;
  };
  EXPECT_EQ(refusal("join_queue", {"queue", "q"}, "somebody else"), "not_found");
  EXPECT_EQ(refusal("join_conference", {"conference", "k"}, "somebody else"), "not_found");
  EXPECT_EQ(refusal("join_queue", {"queue", "q"}, tenant), "call_joined");
  EXPECT_EQ(refusal("join_queue", {"queue", "other"}, tenant), "call_is_elsewhere");
  world_.tell({"call", "c"}, "leave_queue", json::object(), {"queue", "other"}); // not its queue: no effect
  EXPECT_EQ(refusal("join_queue", {"queue", "other"}, tenant), "call_is_elsewhere");
  world_.tell({"call", "c"}, "leave_queue", json::object(), {"queue", "q"});
  EXPECT_EQ(refusal("join_queue", {"queue", "other"}, tenant), "call_joined");
  put("ringing");
  EXPECT_EQ(refusal("join_conference", {"conference", "k"}, tenant), "call_is_not_answered");
  put("hangup");
  EXPECT_EQ(refusal("join_conference", {"conference", "k"}, tenant), "call_is_over");
  EXPECT_EQ(refusal("join_queue", {"queue", "q"}, tenant), "call_is_over");
}

class call_scenario : public scenario {
protected:
  std::vector<std::string> events(const std::string& id) { return world_.event_types("call.", id); }
  void expect_end(const std::string& id, const char* by, const char* reason) {
    EXPECT_EQ(call(id)["status"], "hangup");
    EXPECT_EQ(call(id)["hangup_by"], by);
    EXPECT_EQ(call(id)["hangup_reason"], reason);
    EXPECT_FALSE(world_.exists("trunk", id)) << "the leg is still up";
    EXPECT_THAT(world_.timers("call", id), ElementsAre("forget"));
  }
};

TEST_F(call_scenario, a_call_is_placed_rings_is_answered_and_hung_up) {
  const auto id = place_call(stays);
  EXPECT_EQ(call(id)["status"], "dialing");
  world_.advance(200ms);
  EXPECT_EQ(call(id)["status"], "ringing");
  world_.advance(799ms);
  EXPECT_EQ(call(id)["status"], "ringing");
  world_.advance(1ms);
  EXPECT_EQ(call(id)["status"], "progressing");
  EXPECT_EQ(call(id)["simulated"], true);
  EXPECT_EQ(post("/v1/calls/" + id + "/hangup")["status"], "terminating");
  world_.settle();
  expect_end(id, "local", "normal");
  EXPECT_THAT(events(id), ElementsAre("call.created", "call.ringing", "call.answered", "call.ended", "call.record"));
}

TEST_F(call_scenario, events_carry_plain_numbers_the_status_and_the_customer) {
  const auto id = place_call(stays);
  world_.advance(1s);
  const auto* answered = world_.last_event("call.answered");
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->customer_id, tenant);
  EXPECT_EQ(answered->resource_id, id);
  EXPECT_EQ(answered->data["id"], id);
  EXPECT_EQ(answered->data["source"], "+15551234567");
  EXPECT_EQ(answered->data["destination"], stays);
  EXPECT_EQ(answered->data["status"], "progressing");
}

TEST_F(call_scenario, far_ends_that_do_not_take_the_call) {
  struct {
    const char *number, *by, *reason;
  } const cases[] = {{busy, "remote", "busy"}, {unreachable, "remote", "failed"}, {rejects, "remote", "noanswer"}};
  for (const auto& one : cases) {
    const auto id = place_call(one.number);
    world_.advance(2s);
    expect_end(id, one.by, one.reason);
  }
}

TEST_F(call_scenario, a_far_end_that_never_answers_is_given_up_after_the_dial_timeout) {
  const auto id = place_call(rings);
  const auto soon = place_call(rings, {{"dial_timeout_ms", 5000}});
  world_.advance(5s);
  expect_end(soon, "local", "noanswer");
  world_.advance(54999ms);
  EXPECT_EQ(call(id)["status"], "ringing");
  world_.advance(1ms);
  expect_end(id, "local", "noanswer");
  EXPECT_THAT(events(id), ElementsAre("call.created", "call.ringing", "call.ended", "call.record"));
}

TEST_F(call_scenario, hanging_up_while_it_rings_cancels_it) {
  const auto id = place_call(stays);
  world_.advance(300ms);
  EXPECT_EQ(post("/v1/calls/" + id + "/hangup")["status"], "canceling");
  world_.settle();
  expect_end(id, "local", "cancel");
  world_.advance(10s);
  EXPECT_EQ(events(id).back(), "call.record");
}

TEST_F(call_scenario, hanging_up_before_the_trunk_even_heard_of_it_cancels_it) {
  const auto id = place_call(stays);
  post("/v1/calls/" + id + "/hangup");
  world_.advance(10s);
  expect_end(id, "local", "cancel");
  EXPECT_THAT(events(id), ElementsAre("call.created", "call.ended", "call.record"));
}

TEST_F(call_scenario, the_far_end_hangs_up_after_its_time) {
  const auto id = place_call("+15559870103");
  world_.advance(1s + 2999ms);
  EXPECT_EQ(call(id)["status"], "progressing");
  world_.advance(1ms);
  expect_end(id, "remote", "normal");
}

TEST_F(call_scenario, the_longest_duration_ends_it) {
  const auto id = place_call(stays);
  const auto brief = place_call(stays, {{"max_duration_ms", 2000}});
  world_.advance(3s);
  expect_end(brief, "local", "timeout");
  world_.advance(1h - 3s + 999ms);
  EXPECT_EQ(call(id)["status"], "progressing");
  world_.advance(1ms);
  expect_end(id, "local", "timeout");
}

TEST_F(call_scenario, hold_and_resume_are_announced_once_each) {
  const auto id = place_call(stays);
  world_.advance(1s);
  EXPECT_EQ(post("/v1/calls/" + id + "/hold")["held"], true);
  post("/v1/calls/" + id + "/hold");
  world_.settle();
  EXPECT_EQ(world_.view("trunk", id)["held"], true);
  EXPECT_EQ(ask("DELETE", "/v1/calls/" + id + "/hold")["held"], false);
  world_.settle();
  EXPECT_EQ(world_.view("trunk", id)["held"], false);
  EXPECT_THAT(events(id), ElementsAre("call.created", "call.ringing", "call.answered", "call.updated", "call.updated"));
}

TEST_F(call_scenario, an_incoming_call_rings_until_it_is_answered_or_given_up) {
  const auto id = arrive();
  world_.settle();
  EXPECT_EQ(call(id)["status"], "ringing");
  EXPECT_EQ(call(id)["direction"], "incoming");
  post("/v1/calls/" + id + "/answer");
  world_.settle();
  EXPECT_EQ(call(id)["status"], "progressing");
  const auto missed = arrive();
  world_.advance(60s);
  expect_end(missed, "local", "noanswer");
}

TEST_F(call_scenario, a_deleted_call_is_hung_up_first) {
  const auto id = place_call(stays);
  world_.advance(1s);
  EXPECT_EQ(ask("DELETE", "/v1/calls/" + id)["status"], "terminating");
  world_.settle();
  EXPECT_FALSE(world_.exists("call", id));
  EXPECT_FALSE(world_.exists("trunk", id));
  EXPECT_EQ(events(id).back(), "call.deleted");
  EXPECT_TRUE(world_.timers("call", id).empty());
}

TEST_F(call_scenario, an_ended_call_can_be_looked_at_for_a_day) {
  const auto id = place_call(busy);
  world_.advance(24h);
  EXPECT_EQ(call(id)["status"], "hangup");
  world_.advance(200ms);
  EXPECT_FALSE(world_.exists("call", id));
}

TEST_F(call_scenario, wrong_bodies_are_refused_with_a_sentence) {
  const json source{{"type", "tel"}, {"target", "+1"}};
  const json good{{"source", source}, {"destinations", {source}}};
  const auto refused = [&](json change) {
    auto body = good;
    body.merge_patch(change);
    const auto answer = world_.request("POST", "/v1/calls", body, tenant);
    EXPECT_FALSE(answer.text.empty()) << change;
    return answer.status;
  };
  EXPECT_EQ(refused({{"destinations", json::array()}}), 400);
  EXPECT_EQ(refused({{"destinations", {source, source}}, {"direction", "incoming"}}), 400);
  EXPECT_EQ(refused({{"destinations", {source, source}}, {"ring_method", "both"}}), 400);
  EXPECT_EQ(refused({{"master_call_id", "a/b"}}), 400);
  EXPECT_EQ(refused({{"destinations", "+1"}}), 400);
  EXPECT_EQ(refused({{"destinations", {{{"type", "tel"}}}}}), 400);
  EXPECT_EQ(refused({{"source", nullptr}}), 400);
  EXPECT_EQ(refused({{"direction", "sideways"}}), 400);
  EXPECT_EQ(refused({{"dial_timeout_ms", 0}}), 400);
  EXPECT_EQ(refused({{"max_duration_ms", "long"}}), 400);
  EXPECT_EQ(refused({{"customer_id", "another"}}), 403);
  EXPECT_EQ(world_.request("POST", "/v1/calls", good).status, 400) << "no customer at all";
  auto named = good;
  named["customer_id"] = tenant;
  EXPECT_EQ(world_.request("POST", "/v1/calls", named).status, 200);
  EXPECT_EQ(world_.ids("call").size(), 1U);
}

TEST_F(call_scenario, another_tenant_can_neither_see_nor_touch_it) {
  const auto id = place_call(stays);
  for (const auto* method : {"GET", "DELETE"})
    EXPECT_EQ(world_.request(method, "/v1/calls/" + id, nullptr, "another").status, 404);
  EXPECT_EQ(world_.request("POST", "/v1/calls/" + id + "/hangup", nullptr, "another").status, 404);
  EXPECT_EQ(world_.request("GET", "/v1/calls", nullptr, "another").body["result"].size(), 0U);
  EXPECT_EQ(world_.request("GET", "/v1/calls/" + id).body["id"], id) << "an inside caller is trusted";
}

} // namespace
} // namespace switchboard::telephony
