// Flows and their runs: each action with the other side played by the test, and what happens when that one is late,
// silent, or says no.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/flow/activeflow.hpp"
#include "actors/flow/flow.hpp"
#include "sdk/testing.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* mine = "customer-1";

class flow_world : public ::testing::Test {
protected:
  flow_world() {
    world_.add(sdk::abi_of<&flow_type>());
    world_.add(sdk::abi_of<&activeflow_type>());
  }
  ~flow_world() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  /// As a list and not as JSON: compilers differ about {one}.
  void start(std::initializer_list<json> actions) {
    const auto made =
        world_.request("POST", "/v1/activeflows",
                       {{"id", "run"}, {"call_id", "c"}, {"actions", json(std::vector<json>(actions))}}, mine);
    ASSERT_EQ(made.status, 200) << made.text;
    world_.settle();
    EXPECT_EQ(told(), "call/c follow");
  }
  void follow(const char* status = "ringing") {
    from_call("call_followed", {{"call_id", "c"}, {"status", status}, {"direction", "incoming"}});
  }
  /// A run whose call follows and is answered already.
  void run(std::initializer_list<json> actions) {
    start(actions);
    follow("progressing");
  }
  void from_call(const char* name, json body = json::object()) { from({"call", "c"}, name, std::move(body)); }
  void from(sdk::entity_ref who, const char* name, json body = json::object()) {
    body["call_id"] = body.value("call_id", "c");
    world_.tell({"activeflow", "run"}, name, body, std::move(who));
    world_.settle();
  }
  /// What was told to others since the last look: "call/c play".
  std::string told() {
    std::string all;
    for (; seen_ < world_.outside().size(); ++seen_) {
      const auto& one = world_.outside()[seen_];
      all += (all.empty() ? "" : ", ") + one.to.type + "/" + one.to.id + " " + one.name;
    }
    return all;
  }
  json last_body() { return json::parse(world_.outside().back().body); }
  json shown() { return world_.view("activeflow", "run"); }
  /// "running play", "ended finished".
  std::string state() {
    const auto now = shown();
    if (now.is_null())
      return "gone";
    const auto word = now["status"] == "ended" ? now["reason"] : now["action"];
    return now["status"].get<std::string>() + (word.is_null() ? "" : " " + word.get<std::string>());
  }
  void press(const char* digits) {
    for (const char* one = digits; *one; ++one)
      from_call("call_digit", {{"digit", std::string(1, *one)}});
  }

  sdk::test_kit::world world_;
  std::size_t seen_ = 0;
};

const json play{{"type", "play"}, {"option", {{"media_urls", {"a.wav"}}}}};
const json hangup{{"type", "hangup"}, {"option", {{"reason", "bye"}}}};
const json failed{{"id", "failed"}, {"type", "sleep"}, {"option", {{"duration_ms", 60000}}}};

json with(json what, const char* name, json value) {
  what[name] = std::move(value);
  return what;
}
json queue_join() { return {{"type", "queue_join"}, {"option", {{"queue_id", "q"}, {"priority", 3}}}}; }
json connect() {
  return {{"type", "connect"}, {"option", {{"destination", "+15550001111"}, {"dial_timeout_ms", 5000}}}};
}

// -- flows ------------------------------------------------------------------------------------------------------------

TEST_F(flow_world, keeps_flows_and_announces_their_changes) {
  const auto made = world_.request("POST", "/v1/flows",
                                   {{"id", "f"}, {"name", "Welcome"}, {"actions", json::array({play, hangup})}}, mine);
  ASSERT_EQ(made.status, 200) << made.text;
  EXPECT_EQ(made.body["actions"][0]["option"], (json{{"media_urls", {"a.wav"}}, {"loops", 1}}));
  EXPECT_EQ(made.body["actions"][0]["limit_ms"], 600000);
  EXPECT_EQ(world_.request("PUT", "/v1/flows/f", {{"actions", json::array({hangup})}}, mine).body["actions"].size(),
            1U);
  EXPECT_EQ(world_.request("GET", "/v1/flows/f", nullptr, "customer-2").status, 404);
  EXPECT_EQ(world_.request("GET", "/v1/flows", nullptr, mine).body["result"].size(), 1U);
  EXPECT_EQ(world_.request("DELETE", "/v1/flows/f", nullptr, mine).status, 200);
  EXPECT_THAT(world_.event_types("flow"), ElementsAre("flow.created", "flow.updated", "flow.deleted"));
}

TEST_F(flow_world, refuses_actions_that_could_not_be_run) {
  const auto refused_json = [&](const json& actions) {
    const auto got = world_.request("POST", "/v1/flows", {{"actions", actions}}, mine);
    EXPECT_EQ(got.status, 400) << actions;
    return got.text;
  };
  const auto refused = [&](std::initializer_list<json> actions) {
    return refused_json(json(std::vector<json>(actions)));
  };
  refused_json(nullptr);
  refused_json("play");
  refused({});
  refused({1});
  refused({{{"type", "dance"}}});
  EXPECT_EQ(refused({hangup, {{"type", "play"}}}), "actions[1].option.media_urls must name at least one file");
  refused({{{"type", "play"}, {"option", 1}}});
  refused({{{"type", "play"}, {"option", {{"media_urls", {"a"}}, {"loops", 0}}}}});
  refused({{{"type", "queue_join"}}});
  refused({{{"type", "conference_join"}, {"option", {{"conference_id", "a/b"}}}}});
  refused({{{"type", "connect"}}});
  refused({{{"type", "connect"}, {"option", {{"destination", {{"type", "fax"}, {"target", "1"}}}}}}});
  refused({{{"type", "sleep"}}});
  refused({{{"type", "goto"}, {"option", {{"action_id", "nowhere"}}}}});
  refused({{{"type", "goto"}, {"option", {{"action_id", ""}}}}});
  refused({with(with(hangup, "id", "x"), "on_failure", "y")});
  refused({with(hangup, "id", "x"), with(play, "id", "x")});
  refused({{{"type", "digits_collect"}, {"option", {{"branches", {{"1", "x"}}}}}}});
  refused({{{"type", "digits_collect"}, {"option", {{"branches", {{"x", "x"}}}}}}, with(hangup, "id", "x")});
  refused({{{"type", "digits_collect"}, {"option", {{"terminator", "##"}}}}});
  refused({with(hangup, "limit_ms", 0)});
  refused_json(json(std::vector<json>(101, hangup)));
}

// -- runs: beginning and ending ---------------------------------------------------------------------------------------

TEST_F(flow_world, runs_a_stored_flow) {
  world_.request("POST", "/v1/flows", {{"id", "f"}, {"actions", json::array({play, hangup})}}, mine);
  EXPECT_EQ(world_.request("POST", "/v1/activeflows", {{"id", "run"}, {"call_id", "c"}, {"flow_id", "f"}}, mine).status,
            200);
  world_.settle();
  EXPECT_EQ(told(), "call/c follow");
  EXPECT_EQ(last_body(), (json{{"customer_id", mine}}));
  follow("progressing");
  EXPECT_EQ(told(), "call/c play");
  EXPECT_EQ(last_body(), (json{{"customer_id", mine}, {"play_id", "run-1"}, {"media_urls", {"a.wav"}}, {"loops", 1}}));
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "finished"}});
  EXPECT_EQ(told(), "call/c hang_up");
  EXPECT_EQ(last_body(), (json{{"customer_id", mine}, {"reason", "bye"}}));
  from_call("call_ended", {{"reason", "normal"}});
  EXPECT_EQ(state(), "ended finished");
  EXPECT_EQ(told(), "call/c unfollow");
  world_.advance(2h);
  EXPECT_EQ(state(), "gone");
  EXPECT_THAT(world_.event_types("activeflow"),
              ElementsAre("activeflow.created", "activeflow.updated", "activeflow.updated", "activeflow.updated",
                          "activeflow.deleted"));
}

TEST_F(flow_world, never_learns_of_another_tenants_flow) {
  world_.request("POST", "/v1/flows", {{"id", "f"}, {"actions", json::array({hangup})}}, "customer-2");
  world_.request("POST", "/v1/activeflows", {{"id", "run"}, {"call_id", "c"}, {"flow_id", "f"}}, mine);
  world_.settle();
  EXPECT_EQ(state(), "ended flow_refused");
}

TEST_F(flow_world, ends_when_its_flow_is_not_there) {
  world_.request("POST", "/v1/activeflows", {{"id", "run"}, {"call_id", "c"}, {"flow_id", "none"}}, mine);
  world_.settle();
  EXPECT_EQ(state(), "ended flow_refused");
}

TEST_F(flow_world, wants_a_call_and_either_a_flow_or_actions) {
  const auto status = [&](const json& body) { return world_.request("POST", "/v1/activeflows", body, mine).status; };
  EXPECT_EQ(status({{"flow_id", "f"}}), 400);
  EXPECT_EQ(status({{"call_id", "c"}}), 400);
  EXPECT_EQ(status({{"call_id", "c"}, {"flow_id", "f"}, {"actions", json::array({hangup})}}), 400);
}

TEST_F(flow_world, ends_when_the_call_will_not_have_it_or_does_not_answer) {
  start({hangup});
  from_call("call_refused", {{"reason", "call_is_over"}});
  EXPECT_EQ(state(), "ended call_refused");
}

TEST_F(flow_world, ends_when_the_call_does_not_answer) {
  start({hangup});
  world_.advance(11s);
  EXPECT_EQ(state(), "ended no_answer");
}

TEST_F(flow_world, ends_with_the_call_whatever_it_does) {
  for (const auto& one : {play, queue_join(), connect(), failed}) {
    run({one});
    from_call("call_ended", {{"reason", "normal"}});
    EXPECT_EQ(state(), "ended call_ended") << one;
    world_.request("DELETE", "/v1/activeflows/run", nullptr, mine);
    world_.settle();
    told();
  }
}

TEST_F(flow_world, hears_only_its_own_call) {
  run({play});
  from({"call", "other"}, "call_ended");
  from({"queue", "c"}, "call_ended");
  from({"call", "other"}, "play_finished", {{"play_id", "run-1"}});
  EXPECT_EQ(state(), "running play");
}

TEST_F(flow_world, is_stopped_by_delete) {
  run({play});
  told();
  EXPECT_EQ(world_.request("DELETE", "/v1/activeflows/run", nullptr, "customer-2").status, 404);
  EXPECT_EQ(world_.request("DELETE", "/v1/activeflows/run", nullptr, mine).body["reason"], "stopped");
  world_.settle();
  EXPECT_EQ(told(), "call/c stop_play, call/c unfollow");
  EXPECT_EQ(state(), "gone");
  from_call("play_finished", {{"play_id", "run-1"}});
  EXPECT_EQ(state(), "gone");
}

TEST_F(flow_world, leaves_the_call_alone_after_the_last_action) {
  run({play});
  told();
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "finished"}});
  EXPECT_EQ(state(), "ended finished");
  EXPECT_EQ(told(), "call/c unfollow");
}

// -- runs: each action ------------------------------------------------------------------------------------------------

TEST_F(flow_world, answers_and_goes_on_when_that_is_done) {
  start({{{"type", "answer"}}, play});
  follow();
  EXPECT_EQ(told(), "call/c answer");
  from_call("call_answered");
  EXPECT_EQ(state(), "running play");
}

TEST_F(flow_world, does_not_answer_twice) {
  start({{{"type", "answer"}}, play});
  follow("progressing");
  EXPECT_EQ(told(), "call/c play");
}

TEST_F(flow_world, goes_on_when_nothing_comes_of_answering) {
  start({{{"type", "answer"}, {"on_failure", "failed"}}, play, failed});
  follow();
  world_.advance(31s);
  EXPECT_EQ(state(), "running sleep");
}

TEST_F(flow_world, goes_where_a_failed_play_leads) {
  run({with(play, "on_failure", "failed"), play, failed});
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "failed"}});
  EXPECT_EQ(state(), "running sleep");
}

TEST_F(flow_world, stops_a_play_that_takes_too_long) {
  run({with(play, "limit_ms", 5000), failed});
  told();
  world_.advance(6s);
  EXPECT_EQ(told(), "call/c stop_play");
  EXPECT_EQ(last_body()["play_id"], "run-1");
  EXPECT_EQ(state(), "running sleep");
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "stopped"}}); // late
  EXPECT_EQ(state(), "running sleep");
}

TEST_F(flow_world, takes_the_report_of_another_play_for_nothing) {
  run({play, play});
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "finished"}});
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "finished"}}); // a repeat
  EXPECT_EQ(shown()["step"], 2);
  EXPECT_EQ(state(), "running play");
}

TEST_F(flow_world, begins_nothing_when_an_action_is_over_because_the_call_is) {
  for (const auto* report : {"play_finished", "connect_finished"}) {
    run({std::string{report} == "play_finished" ? play : connect(), play});
    told();
    from_call(report, {{"play_id", "run-1"}, {"connect_id", "run-1"}, {"reason", "stopped"}, {"answered", true}});
    from_call(report,
              {{"play_id", "run-1"}, {"connect_id", "run-1"}, {"reason", "failed"}, {"answered", false}}); // late
    EXPECT_EQ(told(), "");
    from_call("call_ended", {{"reason", "normal"}});
    EXPECT_EQ(state(), "ended call_ended");
    world_.request("DELETE", "/v1/activeflows/run", nullptr, mine);
    world_.settle();
    told();
  }
}

TEST_F(flow_world, goes_on_after_a_play_that_somebody_stopped) {
  run({play, failed});
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "stopped"}});
  world_.advance(1s);
  EXPECT_EQ(state(), "running sleep");
}

TEST_F(flow_world, waits_until_the_queue_has_served_its_caller) {
  run({with(queue_join(), "on_failure", "failed"), play, failed});
  EXPECT_EQ(told(), "queue/q add_caller");
  EXPECT_EQ(last_body(), (json{{"customer_id", mine}, {"call_id", "c"}, {"priority", 3}, {"skills", json::object()}}));
  from({"queue", "q"}, "caller_accepted", {{"queue_id", "q"}});
  world_.advance(1h);
  EXPECT_EQ(state(), "running queue_join");
  from({"queue", "other"}, "caller_left", {{"outcome", "serviced"}});
  EXPECT_EQ(state(), "running queue_join");
  from({"queue", "q"}, "caller_left", {{"outcome", "serviced"}});
  EXPECT_EQ(state(), "running queue_join"); // the call may be over too
  world_.advance(1s);
  EXPECT_EQ(state(), "running play");
}

TEST_F(flow_world, goes_on_when_the_queue_refuses_forgets_or_returns_its_caller) {
  const auto joined = [&] {
    run({with(queue_join(), "on_failure", "failed"), play, failed});
    told();
  };
  const auto again = [&] {
    EXPECT_EQ(state(), "running sleep");
    world_.request("DELETE", "/v1/activeflows/run", nullptr, mine);
    world_.settle();
    told();
  };
  joined();
  from({"queue", "q"}, "caller_refused", {{"reason", "queue_full"}});
  again();
  joined();
  world_.advance(11s); // no such queue plugin
  again();
  for (const auto* outcome : {"overflowed", "callback", "kicked"}) {
    joined();
    from({"queue", "q"}, "caller_accepted");
    from({"queue", "q"}, "caller_left", {{"outcome", outcome}});
    world_.advance(1s);
    again();
  }
}

TEST_F(flow_world, begins_nothing_for_a_caller_who_has_gone) {
  run({queue_join(), play});
  told();
  from({"queue", "q"}, "caller_accepted");
  from({"queue", "q"}, "caller_left", {{"outcome", "abandoned"}});
  EXPECT_EQ(told(), "");
  from_call("call_ended", {{"reason", "normal"}});
  EXPECT_EQ(state(), "ended call_ended");
}

TEST_F(flow_world, ends_when_a_queue_keeps_its_caller_beyond_the_limit) {
  run({queue_join(), play});
  from({"queue", "q"}, "caller_accepted");
  world_.advance(5h);
  EXPECT_EQ(state(), "gone"); // ended, and forgotten an hour later
  EXPECT_EQ(world_.events().back().data["reason"], "limit");
}

TEST_F(flow_world, puts_the_call_into_a_conference) {
  const json join{{"type", "conference_join"}, {"option", {{"conference_id", "m"}}}, {"on_failure", "failed"}};
  run({join, play, failed});
  EXPECT_EQ(told(), "conference/m add_call");
  EXPECT_EQ(last_body(), (json{{"customer_id", mine}, {"call_id", "c"}}));
  from({"conference", "other"}, "join_refused");
  EXPECT_EQ(state(), "running conference_join");
  from({"conference", "m"}, "join_refused", {{"reason", "conference_is_full"}});
  EXPECT_EQ(state(), "running sleep");
}

TEST_F(flow_world, connects_and_goes_on_by_what_came_of_it) {
  run({with(connect(), "on_failure", "failed"), play, failed});
  EXPECT_EQ(told(), "call/c connect");
  EXPECT_EQ(last_body()["connect_id"], "run-1");
  EXPECT_EQ(last_body()["destination"]["target"], "+15550001111");
  EXPECT_EQ(last_body()["dial_timeout_ms"], 5000);
  from_call("connect_finished", {{"connect_id", "run-1"}, {"reason", "normal"}, {"answered", true}});
  world_.advance(1s);
  EXPECT_EQ(state(), "running play");
}

TEST_F(flow_world, goes_where_an_unanswered_connect_leads) {
  run({with(connect(), "on_failure", "failed"), play, failed});
  from_call("connect_finished", {{"connect_id", "run-1"}, {"reason", "busy"}, {"answered", false}});
  world_.advance(1s);
  EXPECT_EQ(state(), "running sleep");
}

json menu(json option = json::object()) {
  option["branches"] = {{"1", "one"}, {"22", "two"}};
  return {{"type", "digits_collect"}, {"option", option}, {"on_failure", "failed"}, {"limit_ms", 5000}};
}
const json one{{"id", "one"}, {"type", "play"}, {"option", {{"media_urls", {"1"}}}}};
const json two{{"id", "two"}, {"type", "connect"}, {"option", {{"destination", "+15550002222"}}}};

TEST_F(flow_world, goes_where_the_digits_lead) {
  run({menu({{"digits_max", 2}}), failed, one, two});
  press("22");
  EXPECT_EQ(state(), "running connect");
  EXPECT_EQ(shown()["digits"], "22");
}

TEST_F(flow_world, takes_the_terminator_or_the_limit_for_the_end_of_digits) {
  run({menu({{"digits_max", 2}}), failed, one, two});
  press("1#");
  EXPECT_EQ(state(), "running play");
  world_.request("DELETE", "/v1/activeflows/run", nullptr, mine);
  world_.settle();
  told();
  run({menu({{"digits_max", 2}}), failed, one, two});
  press("1");
  EXPECT_EQ(state(), "running digits_collect");
  world_.advance(6s);
  EXPECT_EQ(state(), "running play");
}

TEST_F(flow_world, goes_on_without_digits_or_with_ones_that_lead_nowhere) {
  run({menu(), one, two, failed});
  world_.advance(6s);
  EXPECT_EQ(state(), "running sleep");
  EXPECT_EQ(shown()["digits"], "");
  world_.request("DELETE", "/v1/activeflows/run", nullptr, mine);
  world_.settle();
  told();
  run({menu(), one, two, failed});
  press("9");
  EXPECT_EQ(state(), "running sleep");
  EXPECT_EQ(shown()["digits"], "9");
}

TEST_F(flow_world, counts_digits_pressed_during_the_prompt_and_leaves_the_rest) {
  run({play, menu(), failed, with(menu(), "id", "one"), two});
  press("19");
  EXPECT_EQ(state(), "running play");
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "finished"}});
  EXPECT_EQ(shown()["digits"], "9"); // 1 led to the second menu, which took the 9
  EXPECT_EQ(state(), "running sleep");
}

TEST_F(flow_world, forgets_digits_pressed_in_a_queue) {
  run({queue_join(), menu(), failed, one, two});
  press("1");
  from({"queue", "q"}, "caller_left", {{"outcome", "serviced"}});
  world_.advance(1s);
  EXPECT_EQ(state(), "running digits_collect");
}

TEST_F(flow_world, loops_so_often_and_then_goes_on) {
  const json again{{"type", "goto"}, {"option", {{"action_id", "start"}, {"times", 2}}}};
  run({with(play, "id", "start"), again, failed});
  for (int round = 1; round <= 3; ++round) {
    EXPECT_EQ(state(), "running play") << round;
    const auto step = shown()["step"].get<int>();
    from_call("play_finished", {{"play_id", "run-" + std::to_string(step)}, {"reason", "finished"}});
  }
  EXPECT_EQ(state(), "running sleep");
}

TEST_F(flow_world, does_not_loop_for_ever_without_waiting) {
  const auto jump = [](const char* id) {
    return json{{"id", id}, {"type", "goto"}, {"option", {{"action_id", "first"}, {"times", 100}}}};
  };
  run({jump("first"), jump("b"), jump("c"), jump("d"), jump("e"), jump("f"), jump("g"), jump("h"), jump("i"), jump("j"),
       jump("k"), jump("l")});
  EXPECT_EQ(state(), "ended too_many_steps");
}

TEST_F(flow_world, sleeps) {
  run({{{"type", "sleep"}, {"option", {{"duration_ms", 3000}}}}, play});
  world_.advance(2s);
  EXPECT_EQ(state(), "running sleep");
  world_.advance(2s);
  EXPECT_EQ(state(), "running play");
}

TEST_F(flow_world, ends_though_a_hangup_is_never_reported) {
  run({hangup});
  world_.advance(31s);
  EXPECT_EQ(state(), "ended finished");
}

TEST_F(flow_world, ignores_timers_of_actions_that_are_over) {
  run({play, play});
  from_call("play_finished", {{"play_id", "run-1"}, {"reason", "finished"}});
  world_.expire({"activeflow", "run"}, "limit", {{"step", 1}});
  world_.expire({"activeflow", "run"}, "forget");
  world_.settle();
  EXPECT_EQ(shown()["step"], 2);
}

} // namespace
} // namespace switchboard::telephony
