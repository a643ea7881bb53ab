// A transcription: every status × message alone; then whole flows with the loopback engine. The call is played by the
// test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/loopback_transcriber/loopback_transcriber.hpp"
#include "actors/transcribe/transcribe.hpp"
#include "sdk/testing.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* tenant = "customer-1";

class transcribe_world : public ::testing::Test {
protected:
  transcribe_world() { world_.add(sdk::abi_of<&transcribe_type>()); }
  ~transcribe_world() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  std::string make(json more = json::object()) {
    json body{{"reference_id", "c"}};
    body.update(more);
    const auto made = world_.request("POST", "/v1/transcribes", body, tenant);
    EXPECT_EQ(made.status, 200) << made.text;
    return made.body.value("id", "");
  }
  void tell(const std::string& id, const char* name, const json& body, const sdk::entity_ref& from) {
    world_.tell({"transcribe", id}, name, body, from);
    world_.settle();
  }
  void call_says(const std::string& id, const char* name, const json& body = json::object()) {
    tell(id, name, body, {"call", "c"});
  }
  json view(const std::string& id) { return world_.view("transcribe", id); }
  std::string status(const std::string& id) {
    const auto shown = view(id);
    return shown.is_null() ? "gone" : shown["status"].get<std::string>();
  }
  std::vector<std::string> said() const {
    std::vector<std::string> names;
    for (const auto& one : world_.outside())
      names.push_back(one.to.type + " " + one.name);
    return names;
  }

  sdk::test_kit::world world_;
};

class transcribe_alone : public transcribe_world {
protected:
  /// "asked": starting, and the engine was asked.
  void put(const std::string& status) {
    world_.put("transcribe", "t",
               {{"id", "t"},
                {"customer_id", tenant},
                {"status", status == "asked" ? "starting" : status},
                {"kind", "call"},
                {"reference_id", "c"},
                {"language", "en"},
                {"direction", "both"},
                {"engine_asked", status != "starting"},
                {"delete_when_over", false},
                {"simulated", false},
                {"transcripts", json::array()},
                {"transcript_count", 0},
                {"reason", ""},
                {"created", 1},
                {"started", 1},
                {"ended", 0},
                {"updated", 1}});
  }
  std::string shown() {
    const auto state = world_.state("transcribe", "t");
    return state.is_null()                                                  ? "gone"
           : state["status"] == "starting" && state["engine_asked"] == true ? "asked"
                                                                            : state["status"].get<std::string>();
  }
};

const std::vector<std::string> statuses{"starting", "asked", "progressing", "stopping", "done"};

TEST_F(transcribe_alone, every_status_and_message_has_one_outcome) {
  const std::string s = "starting", a = "asked", p = "progressing", t = "stopping", d = "done";
  struct {
    const char *name, *from, *from_id;
    json body;
    std::vector<std::string> next;
  } const table[] = {
      {"call_followed", "call", "c", {{"status", "progressing"}}, {a, a, p, t, d}},
      {"call_followed", "call", "c", {{"status", "ringing"}}, {s, a, p, t, d}},
      {"call_followed", "call", "other", {{"status", "progressing"}}, {s, a, p, t, d}},
      {"call_answered", "call", "c", json::object(), {a, a, p, t, d}},
      {"call_answered", "call", "other", json::object(), {s, a, p, t, d}},
      {"call_refused", "call", "c", {{"reason", "not_found"}}, {d, t, t, t, d}},
      {"call_refused", "call", "other", {{"reason", "not_found"}}, {s, a, p, t, d}},
      {"call_ended", "call", "c", json::object(), {d, t, t, t, d}},
      {"call_ended", "call", "other", json::object(), {s, a, p, t, d}},
      {"conference_ended", "conference", "c", json::object(), {s, a, p, t, d}}, // it is a call's
      {"started", "transcriber", "t", json::object(), {p, p, p, t, d}},
      {"started", "transcriber", "other", json::object(), {s, a, p, t, d}},
      {"speech", "transcriber", "t", {{"text", "x"}, {"direction", "in"}}, {s, a, p, t, d}},
      {"stopped", "transcriber", "t", json::object(), {d, d, d, d, d}},
      {"stopped", "transcriber", "other", json::object(), {s, a, p, t, d}},
      {"no such message", "call", "c", json::object(), {s, a, p, t, d}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      tell("t", row.name, row.body, {row.from, row.from_id});
      EXPECT_EQ(shown(), row.next[i]) << row.name << " of " << row.from_id << " while " << statuses[i];
    }
  }
}

TEST_F(transcribe_alone, every_status_can_be_stopped_and_deleted) {
  const std::string t = "stopping", d = "done";
  const std::vector<std::string> stopped{d, t, t, t, d}, deleted{"gone", t, t, t, "gone"};
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    put(statuses[i]);
    EXPECT_EQ(world_.request("POST", "/v1/transcribes/t/stop", nullptr, tenant).status, 200);
    EXPECT_EQ(shown(), stopped[i]) << statuses[i];
    put(statuses[i]);
    EXPECT_EQ(world_.request("DELETE", "/v1/transcribes/t", nullptr, tenant).status, 200);
    EXPECT_EQ(shown(), deleted[i]) << statuses[i];
  }
}

TEST_F(transcribe_alone, timers_of_another_time_do_nothing) {
  const std::string s = "starting", a = "asked", p = "progressing", t = "stopping", d = "done";
  struct {
    const char* name;
    std::vector<std::string> next;
  } const table[] = {{"start", {d, d, p, t, d}},
                     {"wait", {d, a, p, t, d}},
                     {"max_duration", {s, a, t, t, d}},
                     {"stop", {s, a, p, d, d}},
                     {"forget", {s, a, p, t, "gone"}}};
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      world_.expire({"transcribe", "t"}, row.name);
      world_.settle();
      EXPECT_EQ(shown(), row.next[i]) << row.name << " while " << statuses[i];
    }
  }
}

TEST_F(transcribe_alone, an_engine_nobody_wants_is_stopped) {
  put("done");
  tell("t", "speech", {{"text", "x"}}, {"transcriber", "t"});
  tell("t", "started", json::object(), {"transcriber", "t"});
  tell("unknown", "speech", {{"text", "x"}}, {"transcriber", "unknown"});
  tell("unknown", "started", json::object(), {"transcriber", "unknown"});
  world_.settle();
  EXPECT_THAT(said(), ElementsAre("transcriber stop", "transcriber stop", "transcriber stop", "transcriber stop"));
}

TEST_F(transcribe_alone, only_what_was_asked_for_is_kept_and_only_the_last_of_it) {
  put("progressing");
  auto state = world_.state("transcribe", "t");
  state["direction"] = "in";
  world_.put("transcribe", "t", state);
  for (int i = 0; i < 120; ++i)
    for (const char* side : {"in", "out"})
      tell("t", "speech", {{"text", std::to_string(i)}, {"direction", side}, {"start_ms", i}}, {"transcriber", "t"});
  tell("t", "speech", {{"text", ""}, {"direction", "in"}}, {"transcriber", "t"});
  tell("t", "speech", {{"text", 7}, {"direction", "in"}}, {"transcriber", "t"});
  EXPECT_EQ(world_.event_types("transcript.").size(), 120U);
  const auto shown = world_.request("GET", "/v1/transcribes/t/transcripts", nullptr, tenant).body;
  EXPECT_EQ(shown["transcript_count"], 120);
  EXPECT_EQ(shown["result"].size(), 100U);
  EXPECT_EQ(shown["result"][0]["message"], "20");
  EXPECT_EQ(shown["result"][99]["start_ms"], 119);
}

TEST_F(transcribe_alone, says_what_is_wrong) {
  const std::pair<json, const char*> table[] = {
      {json::object(), "reference_id must be"},
      {{{"reference_id", "c"}, {"reference_type", "queue"}}, "reference_type must be"},
      {{{"reference_id", "c"}, {"language", "English"}}, "language must be"},
      {{{"reference_id", "c"}, {"direction", "up"}}, "direction must be"},
  };
  for (const auto& [body, why] : table) {
    const auto answer = world_.request("POST", "/v1/transcribes", body, tenant);
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.text, ::testing::HasSubstr(why));
  }
}

class transcribe_scenario : public transcribe_world {
protected:
  transcribe_scenario() { world_.add(sdk::abi_of<&loopback_transcriber_type>()); }
};

TEST_F(transcribe_scenario, listens_from_the_answer_to_the_end_of_the_call) {
  const auto id = make();
  world_.settle();
  EXPECT_THAT(said(), ElementsAre("call follow"));
  EXPECT_EQ(json::parse(world_.outside()[0].body)["customer_id"], tenant);
  call_says(id, "call_followed", {{"status", "ringing"}});
  world_.advance(1min);
  EXPECT_EQ(status(id), "starting");
  call_says(id, "call_answered");
  EXPECT_EQ(status(id), "progressing");
  world_.advance(7s);
  call_says(id, "call_ended");
  EXPECT_EQ(status(id), "done");
  EXPECT_EQ(view(id)["reason"], "call_ended");
  EXPECT_EQ(view(id)["transcript_count"], 3);
  EXPECT_THAT(world_.event_types(), ElementsAre("transcribe.created", "transcribe.started", "transcript.created",
                                                "transcript.created", "transcript.created", "transcribe.completed"));
  const auto* heard = world_.last_event("transcript.created");
  EXPECT_EQ(heard->customer_id, tenant);
  EXPECT_EQ(heard->data["reference_id"], "c");
  EXPECT_EQ(heard->data["direction"], "out");
  EXPECT_EQ(heard->data["start_ms"], 6000);
  EXPECT_THAT(world_.ids("transcriber"), IsEmpty());
  EXPECT_THAT(said(), ElementsAre("call follow", "call unfollow"));
  world_.advance(24h);
  EXPECT_EQ(status(id), "gone");
}

TEST_F(transcribe_scenario, every_way_not_to_begin_has_its_reason) {
  const auto refused = make(), silent = make(), rings = make();
  call_says(refused, "call_refused", {{"reason", "call_is_over"}});
  call_says(rings, "call_followed", {{"status", "ringing"}});
  world_.advance(1h);
  EXPECT_EQ(view(refused)["reason"], "call_is_over");
  EXPECT_EQ(view(silent)["reason"], "not_found");
  EXPECT_EQ(view(rings)["reason"], "not_answered");
  for (const auto& id : {refused, silent, rings})
    EXPECT_EQ(status(id), "done");
}

TEST_F(transcribe_scenario, a_conference_is_followed_likewise) {
  const auto id = make({{"reference_type", "conference"}, {"reference_id", "room"}, {"direction", "in"}});
  tell(id, "conference_followed", {{"status", "progressing"}}, {"conference", "room"});
  EXPECT_EQ(status(id), "progressing");
  world_.advance(9s);
  EXPECT_EQ(view(id)["transcript_count"], 2) << "one side only";
  tell(id, "conference_ended", json::object(), {"conference", "room"});
  EXPECT_EQ(view(id)["reason"], "conference_ended");
}

TEST_F(transcribe_scenario, is_over_after_its_longest_time_and_when_it_is_deleted) {
  world_.add(sdk::abi_of<&transcribe_type>(), {{"max_duration_ms", 60'000}});
  const auto one = make(), two = make();
  for (const auto& id : {one, two})
    call_says(id, "call_followed", {{"status", "progressing"}});
  world_.advance(5s);
  EXPECT_EQ(world_.request("DELETE", "/v1/transcribes/" + two, nullptr, tenant).status, 200);
  world_.settle();
  EXPECT_EQ(status(two), "gone");
  world_.advance(1min);
  EXPECT_EQ(view(one)["reason"], "max_duration");
  EXPECT_THAT(world_.ids("transcriber"), IsEmpty());
}

TEST_F(transcribe_scenario, another_tenant_sees_none_of_it) {
  const auto id = make();
  for (const auto* route : {"", "/transcripts"})
    EXPECT_EQ(world_.request("GET", "/v1/transcribes/" + id + route, nullptr, "another").status, 404);
  EXPECT_EQ(world_.request("POST", "/v1/transcribes/" + id + "/stop", nullptr, "another").status, 404);
}

} // namespace
} // namespace switchboard::telephony
