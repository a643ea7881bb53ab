// A queue, agents and callers in short words, for the tests of whole flows.
#pragma once

#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {

class queue_scenario : public scenario {
protected:
  queue_scenario() { queue_ = make_queue(); }

  std::string make_queue(json body = json::object()) {
    body["name"] = "support";
    return post("/v1/queues", body).value("id", "");
  }
  /// Logged in and in the queue; some time passes, so the first one idles longest.
  std::string make_agent(const char* number = stays, const std::string& queue = {}) {
    const auto id = post("/v1/agents", {{"name", "Ada"}, {"addresses", {number}}}).value("id", "");
    post("/v1/queues/" + (queue.empty() ? queue_ : queue) + "/agents", {{"agent_id", id}});
    post("/v1/agents/" + id + "/login");
    world_.advance(10ms);
    return id;
  }
  std::string enter(const std::string& from = "+15557770000", const std::string& queue = {}) {
    const auto id = arrive(from);
    post("/v1/queues/" + (queue.empty() ? queue_ : queue) + "/calls", {{"call_id", id}});
    world_.settle();
    return id;
  }
  json callers() { return ask("GET", "/v1/queues/" + queue_ + "/calls")["result"]; }
  /// "waiting", "connecting" …; "" if the call is not in the queue.
  std::string caller_status(const std::string& call_id) {
    for (const auto& one : callers())
      if (one["call_id"] == call_id)
        return one["status"];
    return "";
  }
  std::string agent_of(const std::string& call_id) {
    for (const auto& one : callers())
      if (one["call_id"] == call_id)
        return one["agent_id"];
    return "";
  }
  std::vector<std::string> events() {
    auto types = world_.event_types("queue.", queue_);
    std::erase(types, "queue.stats");
    std::erase(types, "queue.decision"); // one before each offer
    return types;
  }
  std::vector<std::string> stats() {
    std::vector<std::string> found;
    for (const auto& one : world_.events())
      if (one.type == "queue.stats" && one.data["queue_id"] == queue_)
        found.push_back(one.data["waiting"].dump() + "/" + one.data["active"].dump());
    return found;
  }
  std::string agent_status(const std::string& id) { return status("agent", id); }
  /// Nobody rings or talks any more.
  void expect_quiet() {
    for (const auto& id : world_.ids("call"))
      EXPECT_EQ(status("call", id), "hangup") << id;
    for (const auto& id : world_.ids("conference"))
      EXPECT_EQ(status("conference", id), "terminated") << id;
    EXPECT_THAT(world_.ids("trunk"), IsEmpty());
    EXPECT_THAT(callers(), IsEmpty());
  }

  std::string queue_;
};

} // namespace switchboard::telephony
