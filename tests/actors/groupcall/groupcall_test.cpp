// Group calls with real calls: who answers first, and what becomes of the others.
#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

class groupcall_scenario : public scenario {
protected:
  std::string ring(const std::vector<std::string>& numbers, json more = json::object()) {
    more["source"] = "+15551234567";
    more["destinations"] = numbers;
    return post("/v1/groupcalls", more).value("id", "");
  }
  json group(const std::string& id) { return world_.view("groupcall", id); }
  std::vector<std::string> statuses(const std::string& id) {
    std::vector<std::string> found;
    const auto shown = group(id);
    for (const auto& one : shown["calls"])
      found.push_back(one["status"]);
    return found;
  }
  std::string call_of(const std::string& id, std::size_t which) { return group(id)["calls"][which]["call_id"]; }
  std::vector<std::string> events(const std::string& id) { return world_.event_types("groupcall.", id); }
};

TEST_F(groupcall_scenario, only_one_of_those_who_answer_in_the_same_moment_talks) {
  const auto id = ring({stays, stays, stays, rings});
  world_.advance(2s); // three far ends answer at 1000 ms sharp
  EXPECT_THAT(statuses(id), ElementsAre("winner", "gone", "gone", "gone"));
  EXPECT_EQ(group(id)["answer_call_id"], call_of(id, 0));
  EXPECT_EQ(group(id)["call_count"], 1);
  int live = 0;
  for (const auto& one : world_.ids("call"))
    live += call(one)["status"] == "progressing";
  EXPECT_EQ(live, 1);
  post("/v1/calls/" + call_of(id, 0) + "/hangup");
  world_.settle();
  EXPECT_EQ(status("groupcall", id), "hangup");
  EXPECT_THAT(events(id), ElementsAre("groupcall.created", "groupcall.progressing", "groupcall.hangup"));
}

TEST_F(groupcall_scenario, the_same_moment_in_any_order_of_the_news_has_one_winner) {
  world_.shuffled(true);
  for (int i = 0; i < 30; ++i) {
    const auto id = ring({stays, stays, stays});
    world_.advance(2s);
    const auto now = statuses(id);
    EXPECT_EQ(std::count(now.begin(), now.end(), "winner"), 1);
    EXPECT_EQ(std::count(now.begin(), now.end(), "gone"), 2);
    ask("DELETE", "/v1/groupcalls/" + id);
    world_.settle();
    EXPECT_FALSE(world_.exists("groupcall", id));
  }
}

TEST_F(groupcall_scenario, linear_goes_on_to_the_next_until_somebody_answers) {
  const auto id = ring({busy, rings, stays, stays}, {{"ring_method", "linear"}, {"dial_timeout_ms", 5000}});
  world_.settle();
  EXPECT_THAT(statuses(id), ElementsAre("calling", "waiting", "waiting", "waiting"));
  world_.advance(1s);
  EXPECT_THAT(statuses(id), ElementsAre("gone", "calling", "waiting", "waiting"));
  EXPECT_EQ(group(id)["calls"][0]["reason"], "busy");
  world_.advance(7s);
  EXPECT_THAT(statuses(id), ElementsAre("gone", "gone", "winner", "gone"));
  EXPECT_EQ(world_.ids("call").size(), 3U) << "the last one was never called";
}

TEST_F(groupcall_scenario, it_is_over_when_nobody_answers) {
  for (const auto* method : {"ring_all", "linear"}) {
    const auto id = ring({busy, unreachable, rejects}, {{"ring_method", method}});
    world_.advance(10s);
    EXPECT_EQ(status("groupcall", id), "hangup") << method;
    EXPECT_EQ(group(id)["answer_call_id"], "");
    EXPECT_THAT(world_.timers("groupcall", id), ElementsAre("forget"));
  }
}

TEST_F(groupcall_scenario, hanging_up_ends_all_of_its_calls) {
  const auto id = ring({rings, rings});
  world_.advance(1s);
  EXPECT_EQ(post("/v1/groupcalls/" + id + "/hangup")["status"], "hangingup");
  world_.settle();
  EXPECT_EQ(status("groupcall", id), "hangup");
  EXPECT_TRUE(world_.ids("trunk").empty());
}

TEST_F(groupcall_scenario, its_masters_end_is_its_end) {
  const auto master = place_call(stays);
  const auto id = ring({rings, rings}, {{"master_call_id", master}});
  world_.advance(1s);
  post("/v1/calls/" + master + "/hangup");
  world_.settle();
  EXPECT_EQ(status("groupcall", id), "hangup");
  const auto late = ring({rings}, {{"master_call_id", "nobody"}});
  world_.settle();
  EXPECT_EQ(status("groupcall", late), "hangup");
}

TEST_F(groupcall_scenario, several_destinations_of_a_call_become_one) {
  const auto made = post("/v1/calls", {{"source", "+15551234567"}, {"destinations", {busy, stays}}, {"id", "team"}});
  EXPECT_EQ(made["groupcalls"][0]["id"], "team");
  EXPECT_TRUE(made["calls"].empty());
  world_.advance(2s);
  EXPECT_THAT(statuses("team"), ElementsAre("gone", "winner"));
  EXPECT_FALSE(world_.exists("call", "team"));
  EXPECT_EQ(world_.request("GET", "/v1/groupcalls/team", nullptr, "another").status, 404);
  EXPECT_EQ(ask("GET", "/v1/groupcalls")["result"].size(), 1U);
}

TEST_F(groupcall_scenario, wrong_bodies_are_refused) {
  post("/v1/groupcalls", {{"source", "+1"}}, 400);
  post("/v1/groupcalls", {{"source", "+1"}, {"destinations", json::array()}}, 400);
  post("/v1/groupcalls", {{"source", "+1"}, {"destinations", {"+1"}}, {"ring_method", "all"}}, 400);
  post("/v1/groupcalls", {{"source", "+1"}, {"destinations", {"+1"}}, {"answer_method", "none"}}, 400);
  post("/v1/groupcalls", {{"source", "+1"}, {"destinations", {"+1"}}, {"master_groupcall_id", "g"}}, 400);
  post("/v1/groupcalls", {{"source", "+1"}, {"destinations", {"+1"}}, {"customer_id", "another"}}, 403);
}

} // namespace
} // namespace switchboard::telephony
