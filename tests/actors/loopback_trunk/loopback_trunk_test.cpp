// The loopback trunk: its table of numbers, and every phase × message; the call's side is played by the test.
#include "actors/loopback_trunk/loopback_trunk_rules.hpp"
#include "tests/actors/scenario.hpp"

namespace switchboard::telephony {
namespace {

TEST(far_end, is_chosen_by_the_last_four_digits) {
  const auto tel = [](const char* number) { return far_end_of({"tel", number, ""}); };
  EXPECT_EQ(tel("+15559870200"), far_end{far_end_answer::busy});
  EXPECT_EQ(tel("+15559870300"), far_end{far_end_answer::rings});
  EXPECT_EQ(tel("+15559870400"), far_end{far_end_answer::unreachable});
  EXPECT_EQ(tel("+15559870500"), far_end{far_end_answer::rejects});
  EXPECT_EQ(tel("+15559870103"), (far_end{far_end_answer::answers, 3s}));
  EXPECT_EQ(tel("+15559870199"), (far_end{far_end_answer::answers, 99s}));
  EXPECT_EQ(tel("+15559870100"), (far_end{far_end_answer::answers, 0s}));
  for (const auto* other : {"+15559876543", "0200x", "200", "", "+1555987020 0"})
    EXPECT_EQ(tel(other), far_end{}) << other;
  EXPECT_EQ(far_end_of({"sip", "sip:5550200@example.org", ""}), far_end{far_end_answer::busy});
  EXPECT_EQ(far_end_of({"sip", "0200", ""}), far_end{far_end_answer::busy});
  EXPECT_EQ(far_end_of({"agent", "4a1b0200", ""}), far_end{}) << "an agent's id is no number";
}

class trunk_alone : public ::testing::Test {
protected:
  trunk_alone() { world_.add(sdk::abi_of<&loopback_trunk_type>()); }
  ~trunk_alone() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  void put(const std::string& phase, bool arriving, const char* number = stays) {
    world_.put("trunk", "c",
               {{"customer_id", tenant},
                {"phase", phase},
                {"arriving", arriving},
                {"held", false},
                {"far_end", sdk::address{"tel", number, ""}},
                {"call", sdk::entity_ref{"call", "c"}},
                {"conference_id", ""}});
  }
  std::string phase() const {
    const auto shown = world_.view("trunk", "c");
    return shown.is_null() ? "gone" : shown.value("status", "");
  }
  sdk::test_kit::world world_;
};

TEST_F(trunk_alone, every_phase_and_message_has_one_outcome) {
  const std::string d = "dialing", r = "ringing", a = "answered", g = "gone";
  struct {
    const char *kind, *name;
    std::vector<std::string> next; // dialing, ringing, answered, ringing for us (arriving)
  } const table[] = {
      {"message", "originate", {d, r, a, r}},     {"message", "simulate_arrival", {d, r, a, r}},
      {"message", "answer", {d, r, a, a}},        {"message", "hold", {d, r, a, r}},
      {"message", "bridge", {d, r, a, r}},        {"message", "hang_up", {g, g, g, g}},
      {"message", "no such thing", {d, r, a, r}}, {"timer", "ring", {r, r, a, r}},
      {"timer", "pick_up", {d, a, a, r}},         {"timer", "had_enough", {g, g, g, g}},
  };
  for (const auto& row : table) {
    for (std::size_t i = 0; i < 4; ++i) {
      put(i == 3 ? r : std::vector{d, r, a}[i], i == 3);
      if (row.kind == std::string{"timer"})
        world_.expire({"trunk", "c"}, row.name);
      else
        world_.tell({"trunk", "c"}, row.name, json::object(), {"call", "c"});
      world_.settle();
      EXPECT_EQ(phase(), row.next[i]) << row.name << ", case " << i;
    }
  }
}

TEST_F(trunk_alone, every_report_says_that_it_is_simulated_and_a_leg_that_is_not_there_has_hung_up) {
  put("ringing", true, "+15557770101");
  world_.tell({"trunk", "c"}, "answer", json::object(), {"call", "c"});
  world_.advance(1s);
  world_.tell({"trunk", "c"}, "hang_up", json::object(), {"call", "c"});
  world_.settle();
  std::vector<std::string> names;
  for (const auto& one : world_.outside()) {
    names.push_back(one.name);
    EXPECT_EQ(json::parse(one.body)["simulated"], true);
  }
  EXPECT_THAT(names, ElementsAre("answered", "hung_up", "hung_up"));
}

TEST_F(trunk_alone, its_times_come_from_the_settings) {
  world_.add(sdk::abi_of<&loopback_trunk_type>(), {{"ring_ms", 50}, {"answer_ms", 70}});
  const json body{{"customer_id", tenant}, {"destination", sdk::address{"tel", stays, ""}}};
  world_.tell({"trunk", "c"}, "originate", body, {"call", "c"});
  world_.advance(49ms);
  EXPECT_EQ(phase(), "dialing");
  world_.advance(1ms);
  EXPECT_EQ(phase(), "ringing");
  world_.advance(20ms);
  EXPECT_EQ(phase(), "answered");
}

} // namespace
} // namespace switchboard::telephony
