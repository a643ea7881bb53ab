// The sound of a call, those who follow it, and its record: whole flows in virtual time.
#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

/// Something that follows calls and writes down what it is told.
struct listener {
  std::string customer_id;
  std::vector<std::string> heard;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(listener, customer_id, heard)

using heard_result = sdk::outcome<listener>;

heard_result note(listener l, const sdk::message& msg, const sdk::context&) {
  sdk::body_reader in{msg};
  auto line = msg.name;
  for (const auto* name : {"status", "digit", "reason"}) {
    if (const auto said = in.text(name); !said.empty())
      line += " " + said;
  }
  if (const auto* answered = in.find("answered"))
    line += *answered == true ? " answered" : " not answered";
  l.heard.push_back(line);
  heard_result out;
  out.next(std::move(l));
  return out;
}

const sdk::entity_type<listener>& listener_type() {
  using namespace sdk;
  static const entity_type<listener> made{"listener",
                                          nullptr,
                                          1,
                                          [](const listener& l) { return json(l); },
                                          {
                                              told<listener>("call_followed", note),
                                              told<listener>("call_refused", note),
                                              told<listener>("call_answered", note),
                                              told<listener>("call_ended", note),
                                              told<listener>("call_digit", note),
                                              told<listener>("call_status", note),
                                              told<listener>("play_finished", note),
                                              told<listener>("connect_finished", note),
                                          }};
  return made;
}

class call_media : public scenario {
protected:
  call_media() {
    world_.add(sdk::abi_of<&listener_type>());
    world_.put("listener", "l", listener{tenant, {}});
  }
  void tell(const std::string& id, const char* name, json body = json::object()) {
    if (!body.contains("customer_id"))
      body["customer_id"] = tenant;
    world_.tell({"call", id}, name, body, {"listener", "l"});
    world_.settle();
  }
  std::vector<std::string> heard() { return world_.state("listener", "l")["heard"]; }
  std::string answered(const std::string& number = stays) {
    const auto id = place_call(number);
    world_.advance(1s);
    return id;
  }
  std::string route(const std::string& id, const std::string& rest) { return "/v1/calls/" + id + rest; }
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

TEST_F(call_media, mute_adds_up_and_is_taken_away_by_direction) {
  const auto id = answered();
  EXPECT_EQ(post(route(id, "/mute"), {{"direction", "in"}})["mute_direction"], "in");
  EXPECT_EQ(post(route(id, "/mute"), {{"direction", "out"}})["mute_direction"], "both");
  world_.settle();
  EXPECT_EQ(world_.view("trunk", id)["mute"], "both");
  EXPECT_EQ(ask("DELETE", route(id, "/mute"), {{"direction", "in"}})["mute_direction"], "out");
  EXPECT_FALSE(ask("DELETE", route(id, "/mute")).contains("mute_direction"));
  ask("DELETE", route(id, "/mute"));
  world_.settle();
  EXPECT_EQ(world_.view("trunk", id)["mute"], "");
  EXPECT_EQ(world_.event_types("call.updated", id).size(), 4U);
  post(route(id, "/mute"), {{"direction", "up"}}, 400);
  post(route(id, "/hangup"));
  post(route(id, "/mute"), nullptr, 409);
}

TEST_F(call_media, what_is_played_ends_by_itself_when_stopped_when_replaced_and_with_the_call) {
  const auto id = answered();
  const auto reason = [&] { return world_.last_event("call.play_finished")->data["reason"]; };
  post(route(id, "/play"), {{"media_urls", {"https://a/1.wav", "https://a/2.wav"}}});
  world_.advance(1999ms);
  EXPECT_TRUE(call(id).contains("play_id"));
  world_.advance(1ms);
  EXPECT_EQ(reason(), "finished");
  post(route(id, "/play"), {{"media_urls", {"https://a/1.wav"}}, {"loops", 0}});
  world_.advance(1min);
  EXPECT_TRUE(call(id).contains("play_id")) << "until it is stopped";
  post(route(id, "/play"), {{"media_urls", {"https://a/2.wav"}}});
  EXPECT_EQ(reason(), "stopped");
  post(route(id, "/media_stop"));
  post(route(id, "/media_stop"));
  world_.advance(1min);
  EXPECT_EQ(world_.event_types("call.play_finished").size(), 3U);
  post(route(id, "/play"), {{"media_urls", {"https://a/missing"}}});
  world_.settle();
  EXPECT_EQ(reason(), "failed");
  post(route(id, "/play"), {{"media_urls", {"https://a/1.wav"}}});
  post(route(id, "/hangup"));
  world_.settle();
  EXPECT_EQ(reason(), "stopped");
  post(route(id, "/play"), {{"media_urls", {"https://a/1.wav"}}}, 409);
  post(route(id, "/play"), json::object(), 400);
}

TEST_F(call_media, keys_are_sent_and_heard) {
  const auto id = answered("+15559870642"); // presses 4, then 2
  post(route(id, "/digits"), {{"digits", "12#"}});
  world_.settle();
  EXPECT_EQ(world_.view("trunk", id)["digits_sent"], "12#");
  world_.advance(3s);
  EXPECT_EQ(ask("GET", route(id, "/digits"))["digits"], "42");
  EXPECT_EQ(world_.event_types("call.digit").size(), 2U);
  world_.tell({"call", id}, "digit", {{"digit", "2"}, {"sequence", 2}}, {"trunk", id}); // the report comes twice
  world_.settle();
  EXPECT_EQ(ask("GET", route(id, "/digits"))["digits"], "42");
  post(route(id, "/digits"), {{"digits", "12x"}}, 400);
  post(route(id, "/digits"), {{"digits", ""}}, 400);
}

TEST_F(call_media, a_recording_is_announced_and_ends_by_request_by_time_and_with_the_call) {
  const auto id = answered();
  const auto finished = [&] { return world_.last_event("call.recording_finished")->data["reason"]; };
  const auto recording = post(route(id, "/recording_start"))["recording_id"];
  world_.settle();
  EXPECT_EQ(world_.view("trunk", id)["recording_id"], recording);
  post(route(id, "/recording_start"), nullptr, 409);
  EXPECT_FALSE(post(route(id, "/recording_stop")).contains("recording_id"));
  world_.settle();
  EXPECT_EQ(finished(), "stopped");
  EXPECT_EQ(world_.view("trunk", id)["recording_id"], "");
  post(route(id, "/recording_start"), {{"duration", 5}});
  world_.advance(5s);
  EXPECT_EQ(finished(), "duration");
  post(route(id, "/recording_start"), {{"format", "mp3"}});
  post(route(id, "/hangup"));
  world_.settle();
  EXPECT_EQ(finished(), "hangup");
  EXPECT_EQ(world_.event_types("call.recording").size(), 6U);
  EXPECT_THAT(world_.timers("call", id), ElementsAre("forget"));
}

TEST_F(call_media, a_follower_hears_the_whole_life) {
  const auto id = place_call("+15559870607"); // presses 0, then 7
  tell(id, "follow");
  world_.advance(2s);
  tell(id, "play", {{"play_id", "p"}, {"media_urls", {"https://a/1.wav"}}, {"loops", 1}});
  world_.advance(2s);
  tell(id, "play", {{"play_id", "q"}, {"media_urls", {"https://a/1.wav"}}});
  tell(id, "stop_play", {{"play_id", "q"}});
  tell(id, "hang_up", {{"reason", "insufficient_balance"}});
  EXPECT_THAT(heard(), ElementsAre("call_followed dialing", "call_status ringing", "call_answered", "call_digit 0",
                                   "call_digit 7", "play_finished finished", "play_finished stopped",
                                   "call_status terminating", "call_ended insufficient_balance"));
  EXPECT_EQ(record_of(id)["hangup_reason"], "insufficient_balance");
}

TEST_F(call_media, a_connection_asked_for_leaves_the_call_to_who_asked) {
  const auto id = answered();
  tell(id, "connect", {{"connect_id", "c1"}, {"destination", busy}, {"dial_timeout_ms", 5000}});
  tell(id, "connect", {{"connect_id", "c1"}, {"destination", busy}, {"dial_timeout_ms", 5000}}); // a repeat
  world_.advance(2s);
  tell(id, "connect", {{"connect_id", "c2"}, {"destination", "+15559870103"}});
  tell(id, "connect", {{"connect_id", "c3"}, {"destination", stays}}); // one at a time
  world_.advance(5s);
  EXPECT_THAT(heard(), ElementsAre("connect_finished busy not answered", "connect_finished failed not answered",
                                   "connect_finished normal answered"));
  EXPECT_EQ(call(id)["status"], "progressing");
  EXPECT_FALSE(call(id).contains("bridged_call_id"));
  tell(id, "connect", {{"connect_id", "c4"}, {"destination", stays}});
  world_.advance(2s);
  post(route(id, "/hangup"));
  world_.settle();
  EXPECT_EQ(heard().back(), "connect_finished hangup answered");
}

TEST_F(call_media, an_incoming_call_is_answered_for_who_asks) {
  const auto id = arrive();
  tell(id, "follow");
  tell(id, "answer");
  tell(id, "answer");
  EXPECT_THAT(heard(), ElementsAre("call_followed ringing", "call_answered", "call_answered"));
}

TEST_F(call_media, nobody_follows_a_call_of_another_tenant_or_one_that_is_over) {
  const auto id = answered();
  tell(id, "follow", {{"customer_id", "another"}});
  tell(id, "play", {{"customer_id", "another"}, {"play_id", "p"}, {"media_urls", {"https://a/1.wav"}}});
  tell(id, "hang_up", {{"customer_id", "another"}});
  tell("nobody", "follow");
  tell("nobody", "play", {{"play_id", "p"}});
  tell("nobody", "connect", {{"connect_id", "c"}, {"destination", stays}});
  EXPECT_EQ(call(id)["status"], "progressing");
  post(route(id, "/hangup"));
  world_.settle();
  tell(id, "follow");
  EXPECT_THAT(heard(),
              ElementsAre("call_refused not_found", "play_finished failed", "call_refused not_found",
                          "play_finished failed", "connect_finished failed not answered", "call_refused call_is_over"));
}

TEST_F(call_media, followers_are_bounded_and_may_stop) {
  const auto id = answered();
  for (int i = 0; i < 20; ++i) {
    const auto name = "l" + std::to_string(i);
    world_.put("listener", name, listener{tenant, {}});
    world_.tell({"call", id}, "follow", {{"customer_id", tenant}}, {"listener", name});
  }
  world_.settle();
  EXPECT_EQ(world_.state("listener", "l15")["heard"][0], "call_followed progressing");
  EXPECT_EQ(world_.state("listener", "l16")["heard"][0], "call_refused too_many_followers");
  world_.tell({"call", id}, "unfollow", json::object(), {"listener", "l0"});
  world_.settle();
  post(route(id, "/hangup"));
  world_.settle();
  EXPECT_EQ(world_.state("listener", "l0")["heard"].size(), 1U);
  EXPECT_EQ(world_.state("listener", "l1")["heard"].size(), 3U);
}

TEST_F(call_media, the_record_says_what_is_to_be_billed) {
  const auto id = place_call("+15559870103"); // rings at 200 ms, answers at 1 s, stays 3 s
  world_.advance(5s);
  const auto record = record_of(id);
  EXPECT_EQ(record["id"], id);
  EXPECT_EQ(record["call_id"], id);
  EXPECT_EQ(record["customer_id"], tenant);
  EXPECT_EQ(record["ring_ms"], 800);
  EXPECT_EQ(record["billable_ms"], 3000);
  EXPECT_EQ(record["duration_ms"], 4000);
  EXPECT_EQ(record["hangup_by"], "remote");
  EXPECT_EQ(record["simulated"], true);
  EXPECT_FALSE(record.contains("status")) << "it is no news of the call's state";
  const auto missed = place_call(busy);
  world_.advance(1s);
  EXPECT_EQ(record_of(missed)["billable_ms"], 0);
  EXPECT_EQ(record_of(missed)["hangup_reason"], "busy");
  EXPECT_TRUE(record_of(missed)["tm_progressing"].is_null());
}

TEST_F(call_media, a_plain_call_stores_and_shows_nothing_of_what_it_never_had) {
  const auto id = answered();
  const auto saved = world_.state("call", id);
  for (const auto* name : {"parts", "held", "owner", "queue_id", "conference_id", "pending_reason", "ended"})
    EXPECT_FALSE(saved.contains(name)) << name;
  EXPECT_LT(saved.dump().size(), 480U);
  for (const auto* name : {"other", "transfer", "tm_park", "mute_direction", "chained_call_ids"})
    EXPECT_FALSE(call(id).contains(name)) << name;
  EXPECT_THAT(world_.timers("call", id), ElementsAre("max_duration"));
}

} // namespace
} // namespace switchboard::telephony
