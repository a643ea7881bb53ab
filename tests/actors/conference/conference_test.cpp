// A conference: every status × message alone, then with real calls.
#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

class conference_alone : public ::testing::Test {
protected:
  conference_alone() { world_.add(sdk::abi_of<&conference_type>()); }
  ~conference_alone() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  /// Two calls, `in` joined and `on_the_way` joining; terminated: nobody.
  void put(const std::string& status, const std::string& kind) {
    json inside = json::array();
    if (status != "terminated") {
      const char* first = status == "terminating" ? "leaving" : "joined";
      inside.push_back({{"call_id", "in"}, {"status", first}, {"was_in", status == "terminating"}});
      const char* second = status == "terminating" ? "leaving" : "joining";
      inside.push_back({{"call_id", "on_the_way"}, {"status", second}, {"was_in", false}});
    }
    world_.put("conference", "k",
               {{"id", "k"},
                {"customer_id", tenant},
                {"kind", kind},
                {"status", status},
                {"name", ""},
                {"detail", ""},
                {"owner", sdk::entity_ref{}},
                {"participants", inside},
                {"used", true},
                {"delete_when_over", false},
                {"created", 1},
                {"updated", 1},
                {"ended", 0}});
  }
  std::string shown() const {
    const auto view = world_.view("conference", "k");
    if (view.is_null())
      return "gone";
    std::string text = view["status"].get<std::string>().substr(0, 9);
    for (const auto& one : view["calls"])
      text += " " + one["call_id"].get<std::string>().substr(0, 2) + ":" + one["status"].get<std::string>();
    return text;
  }

  sdk::test_kit::world world_;
};

TEST_F(conference_alone, every_status_and_message_has_one_outcome) {
  const std::string p = "progressi in:joined on:joining", t = "terminati in:leaving on:leaving", d = "terminate";
  struct {
    const char *name, *call;
    std::vector<std::string> meeting; // progressing, terminating, terminated
    std::string connect;              // progressing
  } const table[] = {
      {"call_joined", "in", {p, t, d}, p},
      {"call_joined", "on_the_way", {"progressi in:joined on:joined", t, d}, "progressi in:joined on:joined"},
      {"call_joined", "stranger", {p, t, d}, p},
      {"call_refused", "on_the_way", {"progressi in:joined", "terminati in:leaving", d}, "progressi in:joined"},
      {"call_refused", "stranger", {p, t, d}, p},
      {"call_ended", "in", {"progressi on:joining", "terminati on:leaving", d}, "terminati on:leaving"},
      {"call_ended", "on_the_way", {"progressi in:joined", "terminati in:leaving", d}, "progressi in:joined"},
      {"call_ended", "stranger", {p, t, d}, p},
      {"add_call", "in", {p, t, d}, p},
      {"add_call", "new", {p + " ne:joining", t, d}, p + " ne:joining"},
      {"create", "new", {p, t, d}, p},
      {"stop", "", {t, t, d}, t},
      {"no such message", "", {p, t, d}, p},
  };
  const std::vector<std::string> statuses{"progressing", "terminating", "terminated"};
  for (const auto& row : table) {
    for (std::size_t i = 0; i <= statuses.size(); ++i) {
      const bool connect = i == statuses.size();
      put(connect ? "progressing" : statuses[i], connect ? "connect" : "conference");
      const json body{{"call_id", row.call}, {"customer_id", tenant}};
      world_.tell({"conference", "k"}, row.name, body, {"call", row.call});
      world_.settle();
      EXPECT_EQ(shown(), connect ? row.connect : row.meeting[i]) << row.name << " of " << row.call << ", case " << i;
    }
  }
}

TEST_F(conference_alone, whoever_follows_it_hears_of_its_end_once) {
  const auto follow = [&](const char* who, const char* customer) {
    world_.tell({"conference", "k"}, "follow", {{"customer_id", customer}}, {"transcribe", who});
    world_.settle();
    return world_.outside().back().name + " " + json::parse(world_.outside().back().body).value("reason", "");
  };
  put("progressing", "conference");
  EXPECT_EQ(follow("t1", tenant), "conference_followed ");
  EXPECT_EQ(follow("t1", tenant), "conference_followed ");
  EXPECT_EQ(follow("t2", tenant), "conference_followed ");
  EXPECT_EQ(follow("spy", "another"), "conference_refused not_found");
  world_.tell({"conference", "k"}, "unfollow", json::object(), {"transcribe", "t2"});
  world_.tell({"conference", "k"}, "stop");
  for (const char* call : {"in", "on_the_way"})
    world_.tell({"conference", "k"}, "call_ended", {{"call_id", call}}, {"call", call});
  world_.settle();
  std::vector<std::string> told;
  for (const auto& one : world_.outside())
    if (one.name == "conference_ended" && one.to.type == "transcribe")
      told.push_back(one.to.id);
  EXPECT_THAT(told, ElementsAre("t1"));
  EXPECT_EQ(follow("t3", tenant), "conference_refused conference_is_over");
  world_.tell({"conference", "nowhere"}, "follow", {{"customer_id", tenant}}, {"transcribe", "t4"});
  world_.settle();
  EXPECT_EQ(json::parse(world_.outside().back().body)["reason"], "not_found");
}

TEST_F(conference_alone, timers_of_another_time_do_nothing) {
  const std::string p = "progressi in:joined on:joining", t = "terminati in:leaving on:leaving", d = "terminate";
  struct {
    const char* name;
    std::vector<std::string> next;
  } const table[] = {{"timeout", {t, t, d}}, {"stop_timeout", {p, d, d}}, {"forget", {p, t, "gone"}}};
  const std::vector<std::string> statuses{"progressing", "terminating", "terminated"};
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i], "conference");
      world_.expire({"conference", "k"}, row.name);
      world_.settle();
      EXPECT_EQ(shown(), row.next[i]) << row.name << " while " << statuses[i];
    }
  }
}

TEST_F(conference_alone, another_tenants_call_is_not_invited_and_a_stranger_who_came_in_is_hung_up) {
  put("progressing", "conference");
  world_.tell({"conference", "k"}, "add_call", {{"call_id", "x"}, {"customer_id", "another"}}, {"call", "x"});
  world_.tell({"conference", "k"}, "call_joined", {{"call_id", "x"}}, {"call", "x"});
  world_.tell({"conference", "nowhere"}, "call_joined", {{"call_id", "y"}}, {"call", "y"});
  world_.settle();
  std::vector<std::string> said;
  for (const auto& one : world_.outside())
    said.push_back(one.to.id + " " + one.name);
  EXPECT_THAT(said, ElementsAre("x join_refused", "x hang_up", "y hang_up"));
}

class conference_scenario : public scenario {
protected:
  std::string make(const char* type = "conference", json more = json::object()) {
    more["type"] = type;
    return post("/v1/conferences", more).value("id", "");
  }
  std::string answered_call() {
    const auto id = place_call(stays);
    world_.advance(1s);
    return id;
  }
  void join(const std::string& conference, const std::string& call_id) {
    post("/v1/conferences/" + conference + "/calls/" + call_id);
    world_.settle();
  }
  std::vector<std::string> events(const std::string& id) { return world_.event_types("conference.", id); }
};

TEST_F(conference_scenario, a_meeting_ends_when_the_last_one_leaves) {
  const auto room = make();
  const auto one = answered_call(), two = answered_call();
  join(room, one);
  join(room, two);
  EXPECT_EQ(call(one)["confbridge_id"], room);
  EXPECT_EQ(world_.view("trunk", one)["conference_id"], room);
  EXPECT_EQ(world_.last_event("conference.participant_joined")->data["call_id"], two);
  ask("DELETE", "/v1/conferences/" + room + "/calls/" + one);
  world_.settle();
  EXPECT_EQ(call(one)["status"], "hangup");
  EXPECT_EQ(status("conference", room), "progressing");
  post("/v1/calls/" + two + "/hangup");
  world_.settle();
  EXPECT_EQ(status("conference", room), "terminated");
  EXPECT_THAT(events(room),
              ElementsAre("conference.created", "conference.participant_joined", "conference.participant_joined",
                          "conference.participant_left", "conference.participant_left", "conference.ended"));
}

TEST_F(conference_scenario, a_connection_ends_when_one_is_left) {
  const auto room = make("connect");
  const auto one = answered_call(), two = answered_call();
  join(room, one);
  EXPECT_EQ(status("conference", room), "progressing");
  join(room, two);
  post("/v1/calls/" + one + "/hangup");
  world_.settle();
  EXPECT_EQ(call(two)["status"], "hangup");
  EXPECT_EQ(status("conference", room), "terminated");
}

TEST_F(conference_scenario, a_call_finds_its_way_in_by_its_own_route_and_by_the_service_route) {
  const auto room = make();
  const auto one = answered_call(), two = answered_call();
  ask("PUT", "/v1/calls/" + one + "/confbridge_id", {{"confbridge_id", room}});
  post("/v1/services/type/conferencecall", {{"conference_id", room}, {"reference_id", two}});
  world_.settle();
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 2U);
  EXPECT_EQ(call(one)["confbridge_id"], room);
  EXPECT_EQ(call(two)["confbridge_id"], room);
}

TEST_F(conference_scenario, calls_that_cannot_come_in_leave_no_trace) {
  const auto room = make();
  const auto elsewhere = make();
  const auto dialing = place_call(rings);
  const auto taken = answered_call();
  join(elsewhere, taken);
  for (const auto& id : {dialing, taken, std::string{"nobody"}})
    join(room, id);
  EXPECT_EQ(world_.view("conference", room)["calls"], json::array());
  EXPECT_EQ(status("conference", room), "progressing");
  EXPECT_THAT(events(room), ElementsAre("conference.created"));
}

TEST_F(conference_scenario, stopping_hangs_everybody_up_and_an_empty_one_is_over_at_once) {
  const auto room = make(), empty = make();
  const auto one = answered_call(), two = answered_call();
  join(room, one);
  join(room, two);
  EXPECT_EQ(post("/v1/conferences/" + room + "/stop")["status"], "terminating");
  post("/v1/conferences/" + room + "/calls/" + one, nullptr);
  EXPECT_EQ(post("/v1/conferences/" + empty + "/stop")["status"], "terminated");
  world_.settle();
  EXPECT_EQ(status("conference", room), "terminated");
  EXPECT_EQ(call(one)["status"], "hangup");
  EXPECT_EQ(call(two)["status"], "hangup");
  post("/v1/conferences/" + room + "/calls/" + one, nullptr, 409);
  EXPECT_EQ(events(room).back(), "conference.ended");
}

TEST_F(conference_scenario, a_timeout_stops_it) {
  const auto room = make("conference", {{"timeout", 60}});
  const auto one = answered_call();
  join(room, one);
  world_.advance(60s);
  EXPECT_EQ(status("conference", room), "terminated");
  EXPECT_EQ(call(one)["status"], "hangup");
}

TEST_F(conference_scenario, a_deleted_one_is_stopped_and_then_gone) {
  const auto room = make();
  const auto one = answered_call();
  join(room, one);
  ask("DELETE", "/v1/conferences/" + room);
  world_.settle();
  EXPECT_FALSE(world_.exists("conference", room));
  EXPECT_EQ(events(room).back(), "conference.deleted");
  EXPECT_EQ(call(one)["status"], "hangup");
}

TEST_F(conference_scenario, participants_are_muted_and_held_by_the_room) {
  const auto room = make();
  const auto one = answered_call(), still_ringing = place_call(rings);
  const auto at = "/v1/conferences/" + room + "/calls/" + one;
  join(room, one);
  post(at + "/mute", {{"direction", "in"}});
  post(at + "/mute", {{"direction", "in"}});
  EXPECT_EQ(post(at + "/hold")["calls"][0]["mute_direction"], "in");
  world_.settle();
  EXPECT_EQ(call(one)["mute_direction"], "in");
  EXPECT_EQ(call(one)["held"], true);
  EXPECT_EQ(world_.view("trunk", one)["mute"], "in");
  EXPECT_EQ(world_.event_types("conference.participant_updated").size(), 2U);
  ask("DELETE", at + "/mute");
  ask("DELETE", at + "/hold");
  world_.settle();
  EXPECT_FALSE(call(one).contains("mute_direction"));
  EXPECT_EQ(call(one)["held"], false);
  post(at + "/mute", {{"direction", "up"}}, 400);
  post("/v1/conferences/" + room + "/calls/nobody/mute", nullptr, 404);
  post("/v1/conferences/" + room + "/calls/" + still_ringing);
  post("/v1/conferences/" + room + "/calls/" + still_ringing + "/hold", nullptr, 409);
}

TEST_F(conference_scenario, a_call_that_is_let_go_talks_on_and_may_come_back) {
  const auto room = make();
  const auto one = answered_call(), two = answered_call();
  join(room, one);
  join(room, two);
  post("/v1/conferences/" + room + "/calls/" + one + "/leave");
  world_.settle();
  EXPECT_EQ(call(one)["status"], "progressing");
  EXPECT_EQ(call(one)["confbridge_id"], "");
  EXPECT_EQ(world_.view("trunk", one)["conference_id"], "");
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 1U);
  join(room, one);
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 2U);
  EXPECT_EQ(world_.event_types("conference.participant_left").size(), 1U);
}

TEST_F(conference_scenario, nobody_comes_into_a_locked_one) {
  const auto room = make();
  const auto one = answered_call(), two = answered_call();
  join(room, one);
  EXPECT_EQ(post("/v1/conferences/" + room + "/lock")["locked"], true);
  post("/v1/conferences/" + room + "/calls/" + two, nullptr, 409);
  ask("PUT", "/v1/calls/" + two + "/confbridge_id", {{"confbridge_id", room}});
  world_.settle();
  EXPECT_EQ(world_.last_event("call.join_failed")->data["reason"], "conference_is_locked");
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 1U);
  ask("DELETE", "/v1/conferences/" + room + "/lock");
  join(room, two);
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 2U);
}

TEST_F(conference_scenario, it_is_recorded_until_stopped_for_a_time_or_to_its_end) {
  const auto room = make();
  const auto one = answered_call();
  join(room, one);
  const auto why = [&] { return world_.last_event("conference.recording_finished")->data["reason"]; };
  const auto recording = post("/v1/conferences/" + room + "/recording_start")["recording_id"];
  post("/v1/conferences/" + room + "/recording_start", nullptr, 409);
  world_.settle();
  EXPECT_EQ(world_.view("trunk_room", room)["recording_id"], recording);
  post("/v1/conferences/" + room + "/recording_stop");
  EXPECT_EQ(why(), "stopped");
  post("/v1/conferences/" + room + "/recording_start", {{"duration", 5}});
  world_.advance(5s);
  EXPECT_EQ(why(), "duration");
  post("/v1/conferences/" + room + "/recording_start");
  post("/v1/conferences/" + room + "/stop");
  world_.settle();
  EXPECT_EQ(why(), "ended");
  EXPECT_FALSE(world_.exists("trunk_room", room));
}

TEST_F(conference_scenario, an_end_nobody_heard_of_is_found_by_the_check) {
  const auto room = make();
  const auto one = answered_call(), two = answered_call();
  join(room, one);
  join(room, two);
  auto leg = world_.state("trunk", one);
  leg["call"] = sdk::entity_ref{"call", "nobody"}; // its report reaches no one …
  world_.put("trunk", one, leg);
  world_.tell({"trunk", one}, "hang_up");
  world_.advance(10ms);
  EXPECT_EQ(call(one)["status"], "progressing") << "… so this call does not know it is over";
  world_.advance(31s);
  EXPECT_EQ(call(one)["status"], "hangup");
  EXPECT_EQ(world_.view("conference", room)["calls"].size(), 1U);
}

TEST_F(conference_scenario, one_that_nobody_ever_joins_ends_after_a_day) {
  const auto room = make(), used = make();
  const auto one = answered_call();
  join(used, one);
  world_.advance(24h);
  EXPECT_EQ(status("conference", room), "terminated");
}

TEST_F(conference_scenario, wrong_requests_are_refused) {
  post("/v1/conferences", {{"type", "party"}}, 400);
  post("/v1/conferences", {{"timeout", -1}}, 400);
  post("/v1/conferences", {{"customer_id", "another"}}, 403);
  const auto room = make();
  post("/v1/conferences/" + room + "/calls/a%2Fb", nullptr, 400);
  ask("DELETE", "/v1/conferences/" + room + "/calls/nobody", nullptr, 404);
  EXPECT_EQ(world_.request("GET", "/v1/conferences/" + room, nullptr, "another").status, 404);
}

} // namespace
} // namespace switchboard::telephony
