// Everything at random: requests, the order of messages among entities, timers that come late. Rules must hold after
// each step, and at the end nothing may be left over. A failure names its seed; the same seed gives the same run.
#include <map>
#include <random>
#include <set>

#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

class random_order : public scenario, public ::testing::WithParamInterface<int> {
protected:
  random_order() : scenario(static_cast<std::uint64_t>(GetParam())), dice_(static_cast<std::uint64_t>(GetParam())) {
    for (const auto* type : {"call", "conference"})
      world_.add(type == std::string{"call"} ? sdk::abi_of<&call_type>() : sdk::abi_of<&conference_type>(),
                 {{"keep_ms", 2000}}); // so that the world stays small
    world_.shuffled(true);
    world_.watch([this](const auto& who, const auto& before, const auto& after) { check(who, before, after); });
  }

  std::uint64_t roll(std::uint64_t sides) { return dice_() % sides; }
  std::string one_of(const std::vector<std::string>& some) { return some.empty() ? "nobody" : some[roll(some.size())]; }
  std::string call_id() { return one_of(world_.ids("call")); }
  std::string agent_id() { return one_of(world_.ids("agent")); }
  std::string queue_id() { return one_of(world_.ids("queue")); }
  std::string conference_id() { return one_of(world_.ids("conference")); }
  std::string number() {
    return one_of({stays, stays, stays, busy, rings, unreachable, rejects, "+15559870101", "+15559870110"});
  }

  // -- the rules
  // -------------------------------------------------------------------------------------------------------

  void check(const sdk::entity_ref& who, const json& before, const json& after) {
    ++decisions_;
    if (who.type == "call")
      check_call(before, after);
    else if (who.type == "agent")
      check_agent(before, after);
    else if (who.type == "queue")
      check_queue(after);
  }

  void check_call(const json& before, const json& after) {
    if (before.is_null() || after.is_null() || before["status"] == after["status"])
      return;
    const auto was = sdk::from_text<call_status>(before["status"].get<std::string>());
    const auto is = sdk::from_text<call_status>(after["status"].get<std::string>());
    EXPECT_TRUE(may_change(*was, *is)) << before["status"] << " -> " << after["status"];
    ++transitions_[after["status"]];
  }

  /// Never more than fit, every transition legal, and each place has a lease or another timer that ends it.
  void check_agent(const json& before, const json& after) {
    if (after.is_null())
      return;
    const std::string status = after["status"];
    std::map<std::string, int> used;
    int rings = 0;
    for (const auto& one : after["slots"]) {
      ++used[one["channel"]];
      rings += one["phase"] == "ringing" ? 1 : 0;
    }
    EXPECT_LE(rings, 1);
    for (const auto& [channel, count] : used)
      EXPECT_LE(count, after["capacity"][channel].get<int>()) << "beyond capacity";
    if (before.is_null() || before["status"] == after["status"])
      return;
    EXPECT_TRUE(may_change(*sdk::from_text<agent_status>(before["status"].get<std::string>()),
                           *sdk::from_text<agent_status>(status)))
        << before["status"] << " -> " << status;
    ++transitions_["agent " + status];
  }

  /// An agent whose reservation lapsed in the moment the phone was picked up says that it is free, until it hears of
  /// the talk. So an offer may stand beside the talk that the queue knows of, never beside another offer. The agent
  /// turns it down, or the queue takes it back, and the phone does not ring.
  void check_queue(const json& after) {
    if (after.is_null())
      return;
    std::map<std::string, int> asked_agents, taken_agents, by_call;
    for (const auto& one : after["callers"]) {
      const std::string phase = one["phase"], agent = one["agent_id"];
      const bool asked = phase == "offered" || phase == "dialing", taken = phase == "joining" || phase == "service";
      EXPECT_EQ(!one["offers"].empty(), asked) << phase;
      EXPECT_EQ(!agent.empty(), taken) << phase;
      EXPECT_TRUE(agent.empty() || ++taken_agents[agent] == 1) << "one agent, two callers";
      for (const auto& offer : one["offers"])
        EXPECT_EQ(++asked_agents[offer["agent_id"]], 1) << "one agent, two callers";
      EXPECT_EQ(++by_call[one["call_id"]], 1) << "one call, two places";
      ++transitions_["caller " + phase];
    }
    for (const auto& one : after["callers"])
      for (const auto& offer : one["offers"])
        if (taken_agents.contains(offer["agent_id"])) {
          EXPECT_EQ(offer["call_id"], "") << "the phone of an agent who talks rings";
          ++asked_beside_a_talk_;
        }
  }

  // -- what happens
  // ----------------------------------------------------------------------------------------------------

  void new_caller() {
    if (world_.ids("call").size() > 25)
      return;
    const auto id = world_
                        .request("POST", "/v1/calls",
                                 {{"source", number()}, {"destination", "+1"}, {"direction", "incoming"}}, tenant)
                        .body["id"];
    world_.request("POST", "/v1/queues/" + queue_id() + "/calls", {{"call_id", id}}, tenant);
  }
  void new_call() {
    if (world_.ids("call").size() <= 25)
      world_.request("POST", "/v1/calls", {{"source", "+1"}, {"destination", number()}}, tenant);
  }

  void act() {
    const auto ask = [&](const char* method, const std::string& route, const json& body = nullptr) {
      const auto status = world_.request(method, route, body, tenant).status;
      EXPECT_TRUE(status == 200 || status == 404 || status == 409) << method << route << status;
    };
    switch (roll(18)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return new_caller();
    case 4:
      return new_call();
    case 5:
      return ask("POST", "/v1/calls/" + call_id() + "/hangup");
    case 6:
      return ask("DELETE", "/v1/calls/" + call_id());
    case 7:
      return ask(roll(2) ? "POST" : "DELETE", "/v1/calls/" + call_id() + "/hold");
    case 8:
      return ask("POST", "/v1/agents/" + agent_id() + (roll(4) ? "/login" : "/logout"));
    case 9:
      return ask("PUT", "/v1/agents/" + agent_id() + "/status", {{"status", one_of({"available", "away", "offline"})}});
    case 10:
      return ask("POST", "/v1/queues/" + queue_id() + "/agents", {{"agent_id", agent_id()}});
    case 11:
      return roll(4) ? void() : ask("DELETE", "/v1/queues/" + queue_id() + "/agents/" + agent_id());
    case 12:
      return ask("DELETE", "/v1/queues/" + queue_id() + "/calls/" + call_id());
    case 13:
      return ask("POST", "/v1/queues/" + queue_id() + "/calls", {{"call_id", call_id()}});
    case 14:
      return world_.ids("conference").size() > 5
                 ? void()
                 : ask("POST", "/v1/conferences", {{"type", one_of({"conference", "connect"})}});
    case 15:
      return ask("POST", "/v1/conferences/" + conference_id() + "/calls/" + call_id());
    case 16:
      return ask("DELETE", "/v1/conferences/" + conference_id() + "/calls/" + call_id());
    default:
      return ask("POST", "/v1/conferences/" + conference_id() + (roll(2) ? "/stop" : "/calls/" + call_id()));
    }
  }

  void step() {
    if (const auto choice = roll(12); choice == 0)
      act();
    else if (choice == 1 && world_.waiting() < 20)
      world_.fire_next(); // it joins the waiting messages: others may overtake it
    else if (!world_.step() && !world_.fire_next())
      act();
  }

  /// Whoever waits, waits for a reason.
  void expect_nobody_is_forgotten() {
    for (const auto& id : world_.ids("queue")) {
      const auto state = world_.state("queue", id);
      bool waits = false;
      std::set<std::string> engaged;
      for (const auto& one : state["callers"]) {
        waits = waits || one["phase"] == "waiting";
        engaged.insert(one["agent_id"]);
        for (const auto& offer : one["offers"])
          engaged.insert(offer["agent_id"]);
      }
      for (const auto& one : state["agents"]) {
        const auto agent = world_.state("agent", one["agent_id"]);
        EXPECT_EQ(one["status"], agent["status"]) << "the queue's news is old though nothing is on its way";
        EXPECT_FALSE(waits && one["free"] > 0 && !engaged.contains(one["agent_id"]))
            << "a caller waits and an agent is free";
      }
    }
  }

  std::mt19937_64 dice_;
  std::uint64_t decisions_ = 0;
  std::uint64_t asked_beside_a_talk_ = 0;
  std::map<std::string, int> transitions_;
};

TEST_P(random_order, no_rule_breaks_and_nothing_is_left_over) {
  for (int i = 0; i < 2; ++i)
    post("/v1/queues", {{"ring_timeout_ms", 3000}, {"wrap_up_ms", 200 + 500 * i}, {"wait_timeout", 60000}});
  for (const auto* phone : {stays, stays, rings, busy, "+15559870102"}) {
    const auto agent = post("/v1/agents", {{"addresses", {phone}}})["id"].get<std::string>();
    for (const auto& queue : world_.ids("queue"))
      post("/v1/queues/" + queue + "/agents", {{"agent_id", agent}});
    post("/v1/agents/" + agent + "/login");
  }
  for (int i = 0; i < 8000 && !HasFailure() && world_.failures().empty(); ++i) {
    step();
    if (i % 500 == 499) {
      ASSERT_TRUE(world_.settle());
      expect_nobody_is_forgotten();
    }
  }
  EXPECT_GT(decisions_, 6000U);
  EXPECT_LT(asked_beside_a_talk_, decisions_ / 50);
  for (const auto* seen :
       {"ringing", "progressing", "terminating", "canceling", "hangup", "agent ringing", "agent busy", "agent wrap_up",
        "agent away", "caller waiting", "caller joining", "caller service"})
    EXPECT_GT(transitions_[seen], 3) << seen << " hardly happened: the test proves little";

  // Now everybody goes home.
  for (const auto& id : world_.ids("call"))
    world_.request("POST", "/v1/calls/" + id + "/hangup", nullptr, tenant);
  for (const auto& id : world_.ids("conference"))
    world_.request("POST", "/v1/conferences/" + id + "/stop", nullptr, tenant);
  world_.advance(5min);
  EXPECT_THAT(world_.ids("call"), IsEmpty());
  EXPECT_THAT(world_.ids("trunk"), IsEmpty());
  EXPECT_THAT(world_.ids("conference"), IsEmpty());
  for (const auto& id : world_.ids("queue"))
    EXPECT_THAT(world_.state("queue", id)["callers"], IsEmpty());
  for (const auto& id : world_.ids("agent")) {
    EXPECT_THAT(status("agent", id), ::testing::AnyOf("available", "away", "offline"));
    EXPECT_THAT(world_.timers("agent", id), IsEmpty());
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, random_order, ::testing::Range(1, 5));

} // namespace
} // namespace switchboard::telephony
