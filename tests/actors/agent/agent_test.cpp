// An agent: every status × message and request alone; the queue's side is played by the test.
#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

class agent_alone : public ::testing::Test {
protected:
  agent_alone() { world_.add(sdk::abi_of<&agent_type>()); }
  ~agent_alone() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  /// "busy by hand" is busy without a reservation.
  void put(std::string status) {
    const bool reserved = status == "ringing" || status == "busy" || status == "wrap_up";
    const auto phase = status == "busy" ? "talking" : status;
    if (status == "busy by hand")
      status = "busy";
    json slots = json::array();
    if (reserved)
      slots.push_back({{"offer_id", "mine"},
                       {"epoch", 5},
                       {"queue_id", "q"},
                       {"call_id", ""},
                       {"channel", "voice"},
                       {"phase", phase},
                       {"checked", false}});
    world_.put("agent", "a",
               {{"id", "a"},
                {"customer_id", tenant},
                {"username", ""},
                {"name", "Ada"},
                {"detail", ""},
                {"ring_method", "ringall"},
                {"addresses", json::array()},
                {"tag_ids", json::array()},
                {"skills", json::object()},
                {"capacity", {{"voice", 1}}},
                {"presence", reserved ? "available" : status},
                {"status", status},
                {"since", 1},
                {"sequence", 7},
                {"slots", slots},
                {"pause_reason", ""},
                {"paused_until", 0},
                {"back_by_itself", true},
                {"no_answers", 0},
                {"resting_until", 0},
                {"queues", {{{"queue_id", "q"}, {"epoch", 4}}}},
                {"created", 1},
                {"updated", 1}});
  }
  json view() const { return world_.view("agent", "a"); }
  std::string shown() const {
    const auto v = view();
    if (v.is_null())
      return "gone";
    const auto next = v["next_status"].get<std::string>();
    return v["status"].get<std::string>() + (next.empty() ? "" : ">" + next);
  }
  std::vector<std::string> sent(std::size_t from = 0) {
    world_.settle();
    std::vector<std::string> names;
    for (auto i = from; i < world_.outside().size(); ++i)
      names.push_back(world_.outside()[i].name);
    return names;
  }
  void tell(const char* name, json body = json::object(), const char* queue = "q") {
    body["customer_id"] = body.value("customer_id", tenant);
    world_.tell({"agent", "a"}, name, body, {"queue", queue});
    world_.settle();
  }

  sdk::test_kit::world world_;
};

const std::vector<std::string> statuses{"offline", "available", "away", "ringing", "busy", "busy by hand", "wrap_up"};

TEST_F(agent_alone, every_status_and_message_has_one_outcome) {
  const std::string o = "offline", v = "available", w = "away", r = "ringing", b = "busy", u = "wrap_up";
  struct {
    const char *name, *offer_id;
    std::vector<std::string> next;
  } const table[] = {
      {"offer", "new", {o, r, w, r, b, b, u}},
      {"offer", "mine", {o, r, w, r, b, b, u}},
      {"offer", "", {o, v, w, r, b, b, u}},
      {"connected", "mine", {"busy>offline", b, "busy>away", b, b, "busy>busy", u}}, // given back a moment too late
      {"connected", "other", {"busy>offline", b, "busy>away", r, b, "busy>busy", u}},
      {"connected", "", {o, v, w, r, b, b, u}},
      {"release", "mine", {o, v, w, v, u, b, u}},
      {"release", "other", {o, v, w, r, b, b, u}},
      {"release", "", {o, v, w, r, b, b, u}},
      {"watch", "", {o, v, w, r, b, b, u}},
      {"unwatch", "", {o, v, w, r, b, b, u}},
      {"no such message", "", {o, v, w, r, b, b, u}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      tell(row.name, {{"offer_id", row.offer_id}, {"wrap_up_ms", 5000}, {"call_id", "c"}});
      EXPECT_EQ(shown(), row.next[i]) << row.name << " " << row.offer_id << " while " << statuses[i];
    }
  }
}

TEST_F(agent_alone, every_status_can_be_left_by_hand_or_after_the_call) {
  const std::string o = "offline", v = "available", w = "away", r = "ringing", b = "busy";
  struct {
    const char *method, *path, *wanted;
    std::vector<std::string> next;
  } const table[] = {
      {"PUT", "/status", "offline", {o, o, o, o, "busy>offline", o, o}},
      {"PUT", "/status", "available", {v, v, v, r, b, v, v}},
      {"PUT", "/status", "away", {w, w, w, w, "busy>away", w, w}},
      {"PUT", "/status", "busy", {b, b, b, b, b, b, b}},
      {"POST", "/login", "", {v, v, v, r, b, v, "wrap_up"}},
      {"POST", "/logout", "", {o, o, o, o, "busy>offline", o, o}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      const auto answer =
          world_.request(row.method, std::string{"/v1/agents/a"} + row.path, {{"status", row.wanted}}, tenant);
      EXPECT_EQ(answer.status, 200);
      EXPECT_EQ(shown(), row.next[i]) << row.path << " " << row.wanted << " while " << statuses[i];
    }
  }
}

TEST_F(agent_alone, timers_of_another_time_do_nothing) {
  const std::string o = "offline", v = "available", w = "away", r = "ringing", b = "busy", u = "wrap_up";
  struct {
    const char* name;
    json payload;
    std::vector<std::string> next;
  } const table[] = {
      {"lease", {{"offer_id", "mine"}}, {o, v, w, v, b, b, u}}, // of a talk: the queue is asked first
      {"lease", {{"offer_id", "older"}}, {o, v, w, r, b, b, u}},
      {"wrap_up", {{"offer_id", "mine"}}, {o, v, w, r, b, b, v}},
      {"wrap_up", {{"offer_id", "older"}}, {o, v, w, r, b, b, u}},
      {"pause", json::object(), {o, v, w, r, b, b, u}},
      {"rest", json::object(), {o, v, w, r, b, b, u}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < statuses.size(); ++i) {
      put(statuses[i]);
      world_.expire({"agent", "a"}, row.name, row.payload);
      world_.settle();
      EXPECT_EQ(shown(), row.next[i]) << row.name << row.payload << " while " << statuses[i];
    }
  }
}

TEST_F(agent_alone, ringing_and_wrap_up_and_nonsense_cannot_be_set) {
  put("available");
  for (const json& wanted : {json("ringing"), json("wrap_up"), json("asleep"), json(7), json()})
    EXPECT_EQ(world_.request("PUT", "/v1/agents/a/status", {{"status", wanted}}, tenant).status, 400) << wanted;
  EXPECT_EQ(shown(), "available");
}

TEST_F(agent_alone, the_first_offer_wins_and_its_repeat_is_accepted_again) {
  put("available");
  tell("offer", {{"offer_id", "1"}, {"call_id", "c"}}, "q");
  tell("offer", {{"offer_id", "2"}, {"call_id", "d"}}, "q2");
  tell("offer", {{"offer_id", "1"}, {"call_id", "c"}}, "q");
  EXPECT_THAT(sent(), ElementsAre("agent_status", "offer_accepted", "offer_rejected", "offer_accepted"));
  const auto rejection = json::parse(world_.outside()[2].body);
  EXPECT_EQ(rejection["status"], "ringing");
  EXPECT_EQ(rejection["offer_id"], "2");
  EXPECT_EQ(view()["call_id"], "c");
}

TEST_F(agent_alone, going_away_while_it_rings_gives_the_call_back) {
  put("ringing");
  world_.request("PUT", "/v1/agents/a/status", {{"status", "away"}}, tenant);
  EXPECT_THAT(sent(), ElementsAre("offer_withdrawn", "agent_status"));
  EXPECT_EQ(shown(), "away");
}

TEST_F(agent_alone, going_away_in_the_moment_of_the_answer_takes_effect_after_the_call) {
  put("ringing");
  world_.request("PUT", "/v1/agents/a/status", {{"status", "away"}}, tenant);
  tell("connected", {{"offer_id", "mine"}});
  EXPECT_EQ(shown(), "busy>away");
  tell("release", {{"offer_id", "mine"}, {"wrap_up_ms", 5000}});
  EXPECT_EQ(shown(), "away");
}

TEST_F(agent_alone, a_queue_whose_agent_is_taken_by_another_is_told_so) {
  put("ringing");
  tell("connected", {{"offer_id", "other"}});
  EXPECT_THAT(sent(), ElementsAre("offer_withdrawn"));
  EXPECT_EQ(json::parse(world_.outside()[0].body)["reason"], "not_reserved");
  EXPECT_EQ(shown(), "ringing");
}

TEST_F(agent_alone, logging_out_while_talking_waits_for_the_end_and_can_be_taken_back) {
  put("busy");
  world_.request("POST", "/v1/agents/a/logout", nullptr, tenant);
  EXPECT_THAT(world_.event_types("agent."), IsEmpty());
  tell("release", {{"offer_id", "mine"}, {"wrap_up_ms", 5000}});
  EXPECT_EQ(shown(), "offline");
  EXPECT_THAT(world_.event_types("agent."), ElementsAre("agent.logout", "agent.status_change"));
  put("busy");
  world_.request("POST", "/v1/agents/a/logout", nullptr, tenant);
  world_.request("POST", "/v1/agents/a/login", nullptr, tenant);
  tell("release", {{"offer_id", "mine"}, {"wrap_up_ms", 5000}});
  EXPECT_EQ(shown(), "wrap_up");
}

TEST_F(agent_alone, a_reservation_nobody_ends_is_over_after_its_lease) {
  put("available");
  tell("offer", {{"offer_id", "1"}, {"ring_timeout_ms", 20000}});
  world_.advance(35s - 1ms);
  EXPECT_EQ(shown(), "ringing");
  world_.advance(1ms);
  EXPECT_EQ(shown(), "available");
  tell("offer", {{"offer_id", "2"}, {"ring_timeout_ms", 20000}});
  tell("connected", {{"offer_id", "2"}});
  world_.advance(4h);
  EXPECT_EQ(shown(), "busy") << "a talk may just be long: the queue is asked";
  EXPECT_EQ(world_.outside().back().name, "offer_check");
  world_.advance(15s - 1ms);
  tell("connected", {{"offer_id", "2"}});
  world_.advance(4h + 14s);
  EXPECT_EQ(shown(), "busy") << "it said that they still talk";
  world_.advance(1s);
  EXPECT_EQ(shown(), "available") << "it said nothing";
}

TEST_F(agent_alone, a_changed_status_makes_the_old_wrap_up_timer_harmless) {
  put("busy");
  tell("release", {{"offer_id", "mine"}, {"wrap_up_ms", 5000}});
  world_.advance(4s);
  world_.request("PUT", "/v1/agents/a/status", {{"status", "away"}}, tenant);
  world_.advance(10s);
  EXPECT_EQ(shown(), "away");
}

TEST_F(agent_alone, another_tenants_queue_finds_nobody) {
  put("available");
  tell("watch", {{"customer_id", "another"}});
  tell("offer", {{"customer_id", "another"}, {"offer_id", "1"}});
  world_.tell({"agent", "nobody"}, "watch", {{"customer_id", tenant}}, {"queue", "q"});
  EXPECT_THAT(sent(), ElementsAre("agent_gone", "agent_gone", "agent_gone"));
  EXPECT_EQ(shown(), "available");
}

TEST_F(agent_alone, events_say_who_and_from_what_to_what) {
  const auto id = world_.request("POST", "/v1/agents", {{"name", "Ada"}, {"addresses", {"+15550001111"}}}, tenant)
                      .body.value("id", "");
  world_.request("POST", "/v1/agents/" + id + "/login", nullptr, tenant);
  world_.request("POST", "/v1/agents/" + id + "/login", nullptr, tenant);
  world_.request("POST", "/v1/agents/" + id + "/logout", nullptr, tenant);
  EXPECT_THAT(world_.event_types("agent.", id), ElementsAre("agent.created", "agent.login", "agent.status_change",
                                                            "agent.logout", "agent.status_change"));
  const auto& change = world_.last_event("agent.status_change")->data;
  EXPECT_EQ(change["agent_id"], id);
  EXPECT_EQ(change["previous"], "available");
  EXPECT_EQ(change["status"], "offline");
  EXPECT_EQ(world_.last_event("agent.login")->customer_id, tenant);
}

TEST_F(agent_alone, a_profile_can_be_changed_in_part_and_nonsense_is_refused) {
  put("available");
  const auto changed = world_.request("PUT", "/v1/agents/a", {{"name", "Grace"}}, tenant);
  EXPECT_EQ(changed.body["name"], "Grace");
  EXPECT_EQ(changed.body["ring_method"], "ringall");
  for (const json& wrong : {json{{"name", 7}}, json{{"ring_method", "loudly"}}, json{{"addresses", "x"}},
                            json{{"addresses", {{{"type", "pigeon"}, {"target", "x"}}}}}, json{{"tag_ids", {1}}}})
    EXPECT_EQ(world_.request("PUT", "/v1/agents/a", wrong, tenant).status, 400) << wrong;
  EXPECT_EQ(world_.view("agent", "a")["name"], "Grace");
}

TEST_F(agent_alone, only_an_agent_without_a_call_can_be_deleted) {
  for (const auto* status : {"ringing", "busy"}) {
    put(status);
    EXPECT_EQ(world_.request("DELETE", "/v1/agents/a", nullptr, tenant).status, 409);
  }
  put("available");
  EXPECT_EQ(world_.request("DELETE", "/v1/agents/a", nullptr, tenant).status, 200);
  EXPECT_EQ(shown(), "gone");
  EXPECT_THAT(sent(), ElementsAre("agent_gone"));
}

// -- capacity, epochs, pauses, no answer ------------------------------------------------------------------------------

TEST_F(agent_alone, takes_as_many_calls_of_a_channel_as_fit_and_rings_for_one_at_a_time) {
  put("available");
  world_.request("PUT", "/v1/agents/a", {{"capacity", {{"voice", 2}, {"chat", 1}}}}, tenant);
  const auto offers = [&](const char* id, int epoch, const char* channel) {
    tell("offer", {{"offer_id", id}, {"epoch", epoch}, {"channel", channel}});
    return world_.outside().back().name;
  };
  EXPECT_EQ(offers("1", 11, "voice"), "offer_accepted");
  EXPECT_EQ(offers("2", 12, "voice"), "offer_rejected") << "the phone rings";
  tell("connected", {{"offer_id", "1"}, {"epoch", 11}});
  EXPECT_EQ(json::parse(world_.outside().back().body)["free"]["voice"], 1);
  EXPECT_EQ(offers("2", 13, "voice"), "offer_accepted");
  EXPECT_EQ(shown(), "ringing");
  tell("connected", {{"offer_id", "2"}, {"epoch", 13}});
  EXPECT_EQ(offers("3", 14, "voice"), "offer_rejected") << "two are two";
  EXPECT_EQ(offers("4", 15, "chat"), "offer_accepted");
  EXPECT_EQ(offers("5", 16, "fax"), "offer_rejected");
  tell("release", {{"offer_id", "1"}, {"epoch", 11}, {"wrap_up_ms", 5000}});
  EXPECT_EQ(shown(), "ringing");
  EXPECT_EQ(view()["calls"].size(), 3U);
}

TEST_F(agent_alone, an_offer_that_is_not_newer_than_what_is_over_comes_too_late) {
  put("available");
  tell("release", {{"offer_id", "rescinded"}, {"epoch", 9}});
  tell("offer", {{"offer_id", "rescinded"}, {"epoch", 9}});
  auto answer = json::parse(world_.outside().back().body);
  EXPECT_EQ(answer["reason"], "stale");
  EXPECT_EQ(answer["settled_epoch"], 9) << "so that a queue that began anew goes on after it";
  EXPECT_EQ(shown(), "available");
  tell("offer", {{"offer_id", "next"}, {"epoch", 10}});
  EXPECT_EQ(shown(), "ringing");
  tell("release", {{"offer_id", "next"}, {"epoch", 10}});
  tell("connected", {{"offer_id", "next"}, {"epoch", 10}});
  EXPECT_EQ(shown(), "available") << "that talk is over";
}

TEST_F(agent_alone, a_place_given_back_is_not_free_until_the_queue_has_let_go) {
  put("ringing");
  world_.request("POST", "/v1/agents/a/logout", nullptr, tenant);
  world_.request("POST", "/v1/agents/a/login", nullptr, tenant);
  EXPECT_EQ(shown(), "available");
  tell("offer", {{"offer_id", "new"}, {"epoch", 8}}, "q2");
  EXPECT_EQ(world_.outside().back().name, "offer_rejected") << "the first phone may still ring";
  tell("release", {{"offer_id", "mine"}, {"epoch", 5}});
  tell("offer", {{"offer_id", "newer"}, {"epoch", 9}}, "q2");
  EXPECT_EQ(world_.outside().back().name, "offer_accepted");
}

TEST_F(agent_alone, a_pause_ends_by_itself) {
  put("available");
  const auto paused =
      world_.request("POST", "/v1/agents/a/pause", {{"reason", "lunch"}, {"duration_ms", 60000}}, tenant);
  EXPECT_EQ(paused.body["status"], "paused");
  EXPECT_EQ(paused.body["pause_reason"], "lunch");
  world_.advance(60s - 1ms);
  EXPECT_EQ(shown(), "paused");
  world_.advance(1ms);
  EXPECT_EQ(shown(), "available");
  world_.request("POST", "/v1/agents/a/pause", {{"reason", "gone"}}, tenant);
  world_.advance(12h);
  EXPECT_EQ(shown(), "offline") << "forgotten";
  EXPECT_EQ(world_.request("POST", "/v1/agents/a/pause", json::object(), tenant).status, 409);
}

TEST_F(agent_alone, a_pause_can_be_ended_by_hand_and_its_timer_then_means_nothing) {
  put("available");
  world_.request("PUT", "/v1/agents/a/status", {{"status", "paused"}, {"reason", "x"}, {"duration_ms", 5000}}, tenant);
  world_.request("DELETE", "/v1/agents/a/pause", nullptr, tenant);
  EXPECT_EQ(shown(), "available");
  world_.request("PUT", "/v1/agents/a/status", {{"status", "away"}}, tenant);
  world_.advance(1min);
  EXPECT_EQ(shown(), "away");
}

TEST_F(agent_alone, who_lets_three_calls_in_a_row_ring_out_is_paused_for_a_minute) {
  put("available");
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(shown(), "available");
    tell("offer", {{"offer_id", std::to_string(i)}, {"epoch", 10 + i}});
    tell("release", {{"offer_id", std::to_string(i)}, {"epoch", 10 + i}, {"reason", "noanswer"}});
  }
  EXPECT_EQ(shown(), "paused");
  EXPECT_EQ(view()["pause_reason"], "no_answer");
  world_.advance(1min);
  EXPECT_EQ(shown(), "available");
}

TEST_F(agent_alone, a_faulty_phone_is_not_rung_again_at_once) {
  const auto free = [&] { return json::parse(world_.outside().back().body)["free"]["voice"]; };
  for (const auto* reason : {"busy", "failed", "normal", "insufficient_balance"}) {
    put("available");
    tell("offer", {{"offer_id", "1"}, {"epoch", 11}});
    tell("release", {{"offer_id", "1"}, {"epoch", 11}, {"reason", reason}});
    EXPECT_EQ(shown(), "available");
    EXPECT_EQ(free(), 0) << reason;
    world_.advance(1s);
    EXPECT_EQ(world_.outside().back().name, "agent_status");
    EXPECT_EQ(free(), 1) << reason;
  }
  for (const auto* reason : {"caller_left", "answered_elsewhere", "rejected", "withdrawn"}) {
    put("available");
    tell("offer", {{"offer_id", "1"}, {"epoch", 11}});
    tell("release", {{"offer_id", "1"}, {"epoch", 11}, {"reason", reason}});
    EXPECT_EQ(free(), 1) << reason << " is no fault of the phone";
  }
}

TEST(agent_upgrade, an_agent_of_version_1_goes_on_where_it_was) {
  const auto& type = agent_type();
  const auto older = [](const char* status, const char* next, const char* offer) {
    return json{{"id", "a"},
                {"customer_id", tenant},
                {"username", ""},
                {"name", "Ada"},
                {"detail", ""},
                {"ring_method", "ringall"},
                {"addresses", json::array()},
                {"tag_ids", {"x"}},
                {"status", status},
                {"next_status", next},
                {"since", 1},
                {"sequence", 7},
                {"reserved", {{"offer_id", offer}, {"queue_id", "q"}, {"call_id", "c"}}},
                {"queues", {"q"}},
                {"created", 1},
                {"updated", 1}};
  };
  const auto now = [&](const char* status, const char* next, const char* offer) {
    return type.load(type.upgrade(older(status, next, offer), 1));
  };
  EXPECT_EQ(now("away", "", "").presence, agent_status::away);
  EXPECT_TRUE(now("away", "", "").slots.empty());
  EXPECT_EQ(now("busy", "away", "o").presence, agent_status::away);
  EXPECT_EQ(now("busy", "away", "o").slots.at(0).phase, slot_phase::talking);
  EXPECT_EQ(now("ringing", "", "o").slots.at(0).phase, slot_phase::ringing);
  EXPECT_EQ(now("wrap_up", "", "").slots.at(0).phase, slot_phase::wrap_up);
  EXPECT_EQ(now("wrap_up", "", "").presence, agent_status::available);
  EXPECT_EQ(now("busy", "", "").presence, agent_status::busy) << "by hand";
  EXPECT_EQ(now("busy", "", "o").queues.at(0).queue_id, "q");
}

} // namespace
} // namespace switchboard::telephony
