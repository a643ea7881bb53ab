// Flows run against real calls, queues, agents and conferences, in virtual time.
#include "actors/flow/activeflow.hpp"
#include "actors/flow/flow.hpp"
#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

constexpr const char* presses_one = "+15557770611";
constexpr const char* hangs_up_after_3_s = "+15559870103";

class flow_scenario : public scenario {
protected:
  flow_scenario() {
    world_.add(sdk::abi_of<&flow_type>());
    world_.add(sdk::abi_of<&activeflow_type>());
  }

  void run(const std::string& call_id, std::initializer_list<json> actions) {
    post("/v1/activeflows", {{"id", "run"}, {"call_id", call_id}, {"actions", json(std::vector<json>(actions))}});
    world_.settle();
  }
  json shown() { return world_.view("activeflow", "run"); }
  std::string doing() {
    const auto now = shown();
    return now["status"] == "ended"  ? "ended " + now["reason"].get<std::string>()
           : now["action"].is_null() ? now["status"].get<std::string>()
                                     : now["action"].get<std::string>();
  }
};

const json pick_up{{"type", "answer"}};
const json hang_up_now{{"type", "hangup"}, {"option", {{"reason", "goodbye"}}}};
json play_file(const char* file) { return {{"type", "play"}, {"option", {{"media_urls", {file}}}}}; }
json connect_to(const char* number) { return {{"type", "connect"}, {"option", {{"destination", number}}}}; }

TEST_F(flow_scenario, a_caller_is_greeted_chooses_by_key_is_served_and_says_goodbye) {
  post("/v1/agents", {{"id", "ann"}, {"addresses", json::array({stays})}});
  post("/v1/agents/ann/login");
  post("/v1/queues", {{"id", "sales"}});
  post("/v1/queues/sales/agents", {{"agent_id", "ann"}});
  world_.settle();
  const auto caller = arrive(presses_one);
  run(caller, {pick_up,
               play_file("welcome.wav"),
               {{"type", "digits_collect"}, {"option", {{"branches", {{"1", "sales"}}}}}, {"limit_ms", 5000}},
               hang_up_now,
               {{"id", "sales"}, {"type", "queue_join"}, {"option", {{"queue_id", "sales"}}}},
               hang_up_now});
  world_.advance(8s);
  EXPECT_EQ(doing(), "queue_join");
  EXPECT_EQ(shown()["digits"], "1");
  EXPECT_EQ(status("agent", "ann"), "busy");
  post("/v1/calls/" + caller + "/hangup");
  world_.advance(3s);
  EXPECT_EQ(doing(), "ended call_ended");
  EXPECT_EQ(status("call", caller), "hangup");
}

TEST_F(flow_scenario, a_caller_whom_his_queue_sent_on_is_left_to_the_next_one) {
  post("/v1/queues", {{"id", "second"}});
  post("/v1/queues",
       {{"id", "first"}, {"wait_timeout", 2000}, {"overflow", {{"type", "queue"}, {"queue_id", "second"}}}});
  const auto caller = arrive();
  run(caller, {pick_up, {{"type", "queue_join"}, {"option", {{"queue_id", "first"}}}}, hang_up_now});
  world_.advance(10s);
  EXPECT_EQ(doing(), "ended overflowed");
  EXPECT_EQ(status("call", caller), "progressing");
  EXPECT_EQ(call(caller)["queue_id"], "second");
}

TEST_F(flow_scenario, a_queue_does_not_give_its_caller_back_to_a_run_that_is_over) {
  post("/v1/queues", {{"id", "sales"}, {"wait_timeout", 5000}});
  const auto caller = arrive();
  run(caller,
      {pick_up, {{"type", "queue_join"}, {"option", {{"queue_id", "sales"}}}, {"limit_ms", 1000}}, hang_up_now});
  world_.advance(3s);
  EXPECT_EQ(doing(), "ended limit");
  EXPECT_EQ(status("call", caller), "progressing") << "he stays there";
  world_.advance(10s);
  EXPECT_EQ(status("call", caller), "hangup") << "nobody else has him";
}

// -- calls that are placed with a flow

TEST_F(flow_scenario, a_call_placed_with_a_flow_runs_it_once_it_is_answered_and_ends_with_it) {
  post("/v1/flows", {{"id", "survey"}, {"actions", json::array({play_file("question.wav")})}});
  const auto placed = post("/v1/calls", {{"source", "+15551234567"}, {"destination", stays}, {"flow_id", "survey"}});
  const auto run_id = placed["activeflow_id"].get<std::string>();
  EXPECT_EQ(placed["flow_id"], "survey");
  world_.advance(900ms);
  EXPECT_FALSE(world_.exists("activeflow", run_id)) << "it rings";
  world_.advance(500ms);
  EXPECT_EQ(world_.view("activeflow", run_id)["action"], "play");
  world_.advance(5s);
  EXPECT_EQ(world_.view("activeflow", run_id)["reason"], "finished");
  EXPECT_EQ(status("call", placed["id"]), "hangup") << "nobody else would end it";
  EXPECT_EQ(call(placed["id"])["activeflow_id"], run_id);
}

TEST_F(flow_scenario, a_caller_who_comes_in_with_a_flow_is_answered_by_it) {
  post("/v1/flows", {{"id", "welcome"}, {"actions", json::array({pick_up, play_file("welcome.wav")})}});
  const auto caller = post(
      "/v1/calls",
      {{"source", "+15557770000"}, {"destination", "+15551234567"}, {"direction", "incoming"}, {"flow_id", "welcome"}});
  world_.advance(300ms);
  EXPECT_EQ(status("call", caller["id"]), "progressing");
  world_.advance(5s);
  EXPECT_EQ(status("call", caller["id"]), "hangup");
}

TEST_F(flow_scenario, a_call_whose_flow_is_not_there_is_not_left_up) {
  const auto placed = post("/v1/calls", {{"source", "+15551234567"}, {"destination", stays}, {"flow_id", "nothing"}});
  world_.advance(3s);
  EXPECT_EQ(world_.view("activeflow", placed["activeflow_id"])["reason"], "flow_refused");
  EXPECT_EQ(status("call", placed["id"]), "hangup");
  ask("POST", "/v1/calls", {{"source", "+15551234567"}, {"destination", stays}, {"flow_id", "no id"}}, 400);
}

TEST_F(flow_scenario, a_caller_who_was_transferred_is_not_cut_off_by_the_flow_he_came_with) {
  post("/v1/agents", {{"id", "ann"}, {"addresses", json::array({stays})}});
  post("/v1/agents/ann/login");
  post("/v1/queues", {{"id", "sales"}});
  post("/v1/queues/sales/agents", {{"agent_id", "ann"}});
  post("/v1/flows",
       {{"id", "welcome"},
        {"actions", json::array({pick_up, {{"type", "queue_join"}, {"option", {{"queue_id", "sales"}}}}})}});
  const auto caller = post("/v1/calls", {{"source", "+15557770000"},
                                         {"destination", "+15551234567"},
                                         {"direction", "incoming"},
                                         {"flow_id", "welcome"}})["id"]
                          .get<std::string>();
  world_.advance(3s);
  const auto leg = ask("GET", "/v1/queues/sales/calls")["result"][0]["agent_call_id"].get<std::string>();
  post("/v1/calls/" + leg + "/transfer", {{"destination", "+15559870130"}}); // talks 30 s
  world_.advance(10s);
  EXPECT_EQ(status("call", caller), "progressing");
  EXPECT_EQ(status("agent", "ann"), "available");
  world_.advance(1min);
  EXPECT_EQ(status("call", caller), "hangup") << "with the one he was transferred to";
}

TEST_F(flow_scenario, a_stopped_run_leaves_the_call_to_whoever_stopped_it) {
  post("/v1/flows", {{"id", "long"}, {"actions", json::array({play_file("long.wav"), play_file("longer.wav")})}});
  const auto placed = post("/v1/calls", {{"source", "+15551234567"}, {"destination", stays}, {"flow_id", "long"}});
  world_.advance(1500ms);
  ask("DELETE", "/v1/activeflows/" + placed["activeflow_id"].get<std::string>());
  world_.advance(10s);
  EXPECT_EQ(status("call", placed["id"]), "progressing");
}

TEST_F(flow_scenario, of_a_group_call_the_one_who_answered_runs_the_flow) {
  post("/v1/flows", {{"id", "survey"}, {"actions", json::array({play_file("question.wav")})}});
  const auto placed =
      post("/v1/calls",
           {{"source", "+15551234567"}, {"destinations", json::array({rings, stays, stays})}, {"flow_id", "survey"}});
  world_.advance(1500ms);
  const auto group = world_.view("groupcall", placed["id"]);
  EXPECT_EQ(world_.ids("activeflow"), std::vector{group["activeflow_id"].get<std::string>()});
  EXPECT_EQ(world_.view("activeflow", group["activeflow_id"])["call_id"], group["answer_call_id"]);
  world_.advance(5s);
  EXPECT_EQ(status("groupcall", placed["id"]), "hangup");
}

TEST_F(flow_scenario, a_caller_goes_on_when_the_one_he_was_connected_to_has_hung_up) {
  const auto caller = arrive();
  run(caller, {pick_up, connect_to(hangs_up_after_3_s), play_file("bye.wav"), hang_up_now});
  world_.advance(2s);
  EXPECT_EQ(doing(), "connect");
  world_.advance(2800ms);
  EXPECT_EQ(doing(), "play");
  world_.advance(3s);
  EXPECT_EQ(doing(), "ended finished");
  EXPECT_EQ(status("call", caller), "hangup");
  EXPECT_EQ(call(caller)["hangup_reason"], "goodbye");
}

TEST_F(flow_scenario, a_busy_number_leads_elsewhere) {
  const auto caller = arrive();
  auto first = connect_to(busy);
  first["on_failure"] = "sorry";
  auto sorry = play_file("sorry.wav");
  sorry["id"] = "sorry";
  run(caller, {pick_up, first, hang_up_now, sorry, hang_up_now});
  world_.advance(800ms);
  EXPECT_EQ(doing(), "play");
  world_.advance(3s);
  EXPECT_EQ(doing(), "ended finished");
}

TEST_F(flow_scenario, a_file_that_is_not_there_is_a_failure) {
  const auto caller = arrive();
  auto first = play_file("missing");
  first["on_failure"] = "other";
  run(caller,
      {pick_up, first, hang_up_now, {{"id", "other"}, {"type", "sleep"}, {"option", {{"duration_ms", 60000}}}}});
  world_.advance(1s);
  EXPECT_EQ(doing(), "sleep");
}

TEST_F(flow_scenario, a_call_that_ends_ends_its_run_whatever_plays) {
  const auto caller = arrive();
  run(caller, {pick_up, {{"type", "play"}, {"option", {{"media_urls", {"music.wav"}}, {"loops", 100}}}}});
  world_.advance(5s);
  EXPECT_EQ(doing(), "play");
  post("/v1/calls/" + caller + "/hangup");
  world_.advance(2s);
  EXPECT_EQ(doing(), "ended call_ended");
}

TEST_F(flow_scenario, a_call_joins_a_conference_and_a_run_hears_of_a_refusal) {
  post("/v1/conferences", {{"id", "meeting"}});
  const json join{{"type", "conference_join"}, {"option", {{"conference_id", "meeting"}}}};
  const auto caller = arrive();
  run(caller, {pick_up, join});
  world_.advance(1s);
  EXPECT_EQ(doing(), "conference_join");
  EXPECT_NE(world_.last_event("conference.participant_joined"), nullptr);
  auto wrong = join;
  wrong["option"]["conference_id"] = "none";
  const auto other = arrive();
  post("/v1/activeflows",
       {{"id", "second"}, {"call_id", other}, {"actions", json(std::vector<json>{pick_up, wrong, hang_up_now})}});
  world_.advance(3s);
  EXPECT_EQ(world_.view("activeflow", "second")["reason"], "finished");
}

TEST_F(flow_scenario, a_run_on_no_call_or_anothers_call_is_refused) {
  run("nobody", {pick_up});
  world_.advance(1s);
  EXPECT_EQ(doing(), "ended call_refused");
  const auto theirs =
      world_
          .request("POST", "/v1/calls",
                   {{"source", "+15557770000"}, {"destination", "+15551234567"}, {"direction", "incoming"}},
                   "customer-2")
          .body.value("id", "");
  post("/v1/activeflows", {{"id", "thief"}, {"call_id", theirs}, {"actions", json(std::vector<json>{pick_up})}});
  world_.advance(1s);
  EXPECT_EQ(world_.view("activeflow", "thief")["reason"], "call_refused");
}

TEST_F(flow_scenario, a_stopped_run_leaves_its_call_alone) {
  const auto caller = arrive();
  run(caller, {pick_up, {{"type", "play"}, {"option", {{"media_urls", {"music.wav"}}, {"loops", 100}}}}});
  world_.advance(2s);
  ask("DELETE", "/v1/activeflows/run");
  world_.advance(2s);
  EXPECT_EQ(status("call", caller), "progressing");
}

} // namespace
} // namespace switchboard::telephony
