// The faults of the test kit, seen by two entities: a sender that numbers what it sends, and a receiver that keeps what
// came, in order. Also state that an older version of a type saved.
#include <gmock/gmock.h>

#include <numeric>

#include "sdk/entity.hpp"
#include "sdk/testing.hpp"

namespace switchboard::sdk::kit_test {

using namespace std::chrono_literals;
using test_kit::world;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Lt;
using ::testing::SizeIs;

struct sender {
  std::string customer_id;
  int sent = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(sender, customer_id, sent)

struct receiver {
  std::string customer_id;
  std::vector<int> got;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(receiver, customer_id, got)

int failures_left = 0; // a plugin's decision must not look at such a thing: here it plays the broken one

json view_sender(const sender& s) { return {{"sent", s.sent}}; }
json view_receiver(const receiver& r) { return {{"got", r.got}}; }

outcome<sender> make_sender(const message& msg, const context&) {
  outcome<sender> out;
  out.next({msg.customer_id, 0}).reply(200, nullptr);
  return out;
}
outcome<sender> say(sender s, const message&, const context&) {
  outcome<sender> out;
  ++s.sent;
  out.send({"receiver", "r"}, "number", {{"n", s.sent}});
  out.event("sender.said", {{"n", s.sent}, {"receiver_id", "r"}}).next(s).reply(200, nullptr);
  return out;
}
outcome<sender> arm(sender, const message&, const context&) {
  outcome<sender> out;
  out.arm("say", 100ms).reply(200, nullptr);
  return out;
}
outcome<sender> say_by_timer(sender s, const message&, const context&) {
  ++s.sent;
  outcome<sender> out;
  out.next(s);
  return out;
}

outcome<sender> misname(sender, const message&, const context&) {
  outcome<sender> out;
  out.event("sender_box.said", json::object()).reply(200, nullptr);
  return out;
}

outcome<receiver> make_receiver(const message& msg, const context&) {
  outcome<receiver> out;
  out.next({msg.customer_id, {}}).reply(200, nullptr);
  return out;
}
outcome<receiver> hear(receiver r, const message& msg, const context&) {
  r.got.push_back(msg.body()->at("n"));
  outcome<receiver> out;
  out.next(r);
  return out;
}
outcome<receiver> take(receiver r, const message& msg, const context& ctx) {
  if (failures_left > 0) {
    --failures_left;
    throw std::runtime_error("not today");
  }
  return hear(std::move(r), msg, ctx);
}
outcome<receiver> never(receiver, const message&, const context&) { throw permanent_error("never"); }
outcome<receiver> later(receiver, const message&, const context&) { throw transient_error("later"); }

const entity_type<sender>& sender_type() {
  static const entity_type<sender> made{
      "sender",
      "sender",
      1,
      view_sender,
      {creates<sender>("POST", "/v1/senders", make_sender), answers<sender>("POST", "/v1/senders/{id}/say", say),
       answers<sender>("POST", "/v1/senders/{id}/arm", arm),
       answers<sender>("POST", "/v1/senders/{id}/misname", misname), timer<sender>("say", say_by_timer)}};
  return made;
}
const entity_type<receiver>& receiver_type() {
  static const entity_type<receiver> made{"receiver",
                                          "receiver",
                                          1,
                                          view_receiver,
                                          {creates<receiver>("POST", "/v1/receivers", make_receiver),
                                           told<receiver>("number", take), told<receiver>("never", never),
                                           answers<receiver>("POST", "/v1/receivers/{id}/later", later)}};
  return made;
}
/// Hears by event what the other one is told by message.
const entity_type<receiver>& listener_type() {
  static const entity_type<receiver> made{
      "listener",
      "listener",
      1,
      view_receiver,
      {creates<receiver>("POST", "/v1/listeners", make_receiver), hears<receiver>("sender.said", "receiver_id", hear)}};
  return made;
}

struct pair_world {
  explicit pair_world(std::uint64_t seed = 1) : world_(seed) {
    failures_left = 0;
    world_.add(abi_of<&sender_type>());
    world_.add(abi_of<&receiver_type>());
    world_.add(abi_of<&listener_type>());
    world_.request("POST", "/v1/senders", {{"id", "s"}}, "c");
    world_.request("POST", "/v1/receivers", {{"id", "r"}}, "c");
    world_.request("POST", "/v1/listeners", {{"id", "r"}}, "c");
  }
  void say_times(int times) {
    for (int i = 0; i < times; ++i)
      EXPECT_EQ(world_.request("POST", "/v1/senders/s/say").status, 200);
  }
  std::vector<int> told() { return world_.state("receiver", "r")["got"]; }
  std::vector<int> heard() { return world_.state("listener", "r")["got"]; }
  static std::vector<int> upto(int last) {
    std::vector<int> all(static_cast<std::size_t>(last));
    std::iota(all.begin(), all.end(), 1);
    return all;
  }

  world world_;
};
struct test_kit_test : ::testing::Test, pair_world {};

TEST_F(test_kit_test, lost_messages_are_missing_and_the_others_keep_their_order) {
  test_kit::faults how;
  how.messages.lost = 0.5;
  world_.spoil(how);
  say_times(100);
  world_.advance(1min);
  EXPECT_THAT(told(), AllOf(SizeIs(::testing::Gt(20U)), SizeIs(Lt(80U))));
  const auto got = told();
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
  EXPECT_EQ(heard(), upto(100)) << "events were not spoilt";
}

TEST_F(test_kit_test, an_event_that_nobody_could_hear_fails_its_decision) {
  const auto answer = world_.request("POST", "/v1/senders/s/misname");
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(world_.failures(),
              ElementsAre("sender/s: event sender_box.said would be lost: there is no type 'sender_box'"));
  EXPECT_THAT(world_.events(), IsEmpty());
}

TEST_F(test_kit_test, doubled_messages_come_twice) {
  test_kit::faults how;
  how.events.doubled = 1;
  world_.spoil(how);
  say_times(2);
  world_.settle();
  EXPECT_THAT(heard(), ElementsAre(1, 1, 2, 2));
  EXPECT_EQ(told(), upto(2));
}

TEST_F(test_kit_test, late_messages_come_in_order_and_hold_up_nobody_else) {
  test_kit::faults how;
  how.messages.late = 0.3;
  world_.spoil(how);
  say_times(50);
  world_.settle();
  EXPECT_THAT(told(), SizeIs(Lt(50U)));
  EXPECT_EQ(heard(), upto(50));
  world_.advance(1min);
  EXPECT_EQ(told(), upto(50));
}

TEST_F(test_kit_test, reordered_messages_all_come_but_not_in_order) {
  test_kit::faults how;
  how.messages.reordered = 0.5;
  world_.spoil(how);
  say_times(50);
  world_.settle();
  auto got = told();
  EXPECT_NE(got, upto(50));
  std::sort(got.begin(), got.end());
  EXPECT_EQ(got, upto(50));
}

TEST_F(test_kit_test, only_what_goes_to_and_from_outsiders_is_lost) {
  auto how = test_kit::outside_faults(0.2, {"listener"});
  how.crash = 0;
  world_.spoil(how);
  say_times(100);
  world_.spoil({});
  world_.advance(10min);
  EXPECT_EQ(told(), upto(100)) << "late at most, as at the host";
  EXPECT_NE(heard(), upto(100));
}

TEST_F(test_kit_test, a_late_timer_fires_late_and_once) {
  test_kit::faults how;
  how.timers.late = 1;
  world_.spoil(how);
  world_.request("POST", "/v1/senders/s/arm");
  world_.advance(100ms);
  EXPECT_EQ(world_.state("sender", "s")["sent"], 0);
  world_.advance(1min);
  EXPECT_EQ(world_.state("sender", "s")["sent"], 1);
}

TEST_F(test_kit_test, the_same_seed_gives_the_same_faults_and_another_one_others) {
  const auto run = [](std::uint64_t seed) {
    pair_world one{seed};
    one.world_.spoil(test_kit::outside_faults(0.2, {"listener"}));
    for (int i = 0; i < 50; ++i)
      one.world_.request("POST", "/v1/senders/s/say");
    one.world_.advance(10min);
    return one.heard();
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST_F(test_kit_test, what_fails_is_tried_again_on_the_schedule_and_what_came_after_it_waits) {
  failures_left = 2;
  say_times(3);
  world_.settle();
  EXPECT_THAT(told(), IsEmpty());
  world_.advance(1s);
  EXPECT_THAT(told(), IsEmpty()) << "the second attempt failed too";
  world_.advance(1999ms);
  EXPECT_THAT(told(), IsEmpty());
  world_.advance(1ms);
  EXPECT_EQ(told(), upto(3));
  EXPECT_THAT(world_.failures(), SizeIs(2));
  EXPECT_THAT(world_.dead_letters(), IsEmpty());
}

TEST_F(test_kit_test, after_seven_attempts_it_is_a_dead_letter_and_the_others_go_on) {
  failures_left = 7;
  say_times(2);
  world_.advance(62s);
  EXPECT_THAT(told(), IsEmpty());
  world_.advance(1s);
  EXPECT_THAT(told(), ElementsAre(2));
  ASSERT_THAT(world_.dead_letters(), SizeIs(1));
  EXPECT_EQ(world_.dead_letters()[0].what.name, "number");
  EXPECT_EQ(world_.dead_letters()[0].why, "not today");
}

TEST_F(test_kit_test, what_can_never_succeed_is_a_dead_letter_at_once) {
  world_.tell({"receiver", "r"}, "never");
  world_.settle();
  ASSERT_THAT(world_.dead_letters(), SizeIs(1));
  EXPECT_EQ(world_.dead_letters()[0].why, "never");
  EXPECT_EQ(world_.request("POST", "/v1/receivers/r/later").status, 503);
}

TEST_F(test_kit_test, crashed_decisions_lose_nothing) {
  test_kit::faults how;
  how.crash = 0.2;
  world_.spoil(how);
  int done = 0;
  for (int i = 0; i < 50; ++i)
    done += world_.request("POST", "/v1/senders/s/say").status == 200 ? 1 : 0;
  world_.advance(1h);
  EXPECT_GT(world_.crashes(), 10U);
  EXPECT_LT(done, 50);
  EXPECT_EQ(told(), upto(done));
  EXPECT_EQ(heard(), upto(done));
  EXPECT_THAT(world_.failures(), IsEmpty());
}

TEST_F(test_kit_test, a_restart_keeps_messages_timers_and_what_failed) {
  failures_left = 1;
  say_times(3);
  world_.request("POST", "/v1/senders/s/arm");
  world_.settle();
  EXPECT_THAT(told(), IsEmpty());
  const auto before = world_.now();
  world_.restart(10s);
  EXPECT_EQ(world_.now(), before + 10s);
  world_.settle();
  EXPECT_EQ(told(), upto(3));
  EXPECT_EQ(heard(), upto(3));
  EXPECT_EQ(world_.state("sender", "s")["sent"], 4) << "the timer came due while the node was down";
}

// -- a newer version of a type ----------------------------------------------------------------------------------------

struct sender_v2 {
  std::string customer_id;
  int total = 0; ///< was `sent`
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(sender_v2, customer_id, total)

outcome<sender_v2> say_v2(sender_v2 s, const message&, const context&) {
  ++s.total;
  outcome<sender_v2> out;
  out.next(s).reply(200, {{"total", s.total}});
  return out;
}
const entity_type<sender_v2>& sender_v2_type() {
  static const entity_type<sender_v2> made{"sender",
                                           "sender",
                                           2,
                                           [](const sender_v2& s) -> json {
                                             return {{"total", s.total}};
                                           },
                                           {answers<sender_v2>("POST", "/v1/senders/{id}/say", say_v2)},
                                           [](json older, std::uint32_t version) {
                                             if (version == 1)
                                               older["total"] = older["sent"];
                                             return older;
                                           }};
  return made;
}

TEST_F(test_kit_test, a_newer_version_takes_over_the_states_and_an_older_one_refuses_newer_ones) {
  say_times(3);
  world_.add(abi_of<&sender_v2_type>());
  EXPECT_EQ(world_.view("sender", "s"), (json{{"total", 3}}));
  EXPECT_EQ(world_.request("POST", "/v1/senders/s/say").body["total"], 4);
  world_.add(abi_of<&sender_type>());
  const auto refused = world_.request("POST", "/v1/senders/s/say");
  EXPECT_EQ(refused.status, 500);
  EXPECT_EQ(refused.text, "the state is of a newer version: 2");
}

TEST_F(test_kit_test, a_state_can_be_put_as_an_older_version_saved_it) {
  world_.add(abi_of<&sender_v2_type>());
  world_.put("sender", "old", {{"customer_id", "c"}, {"sent", 7}}, 1);
  world_.put("sender", "new", {{"customer_id", "c"}, {"total", 5}});
  EXPECT_EQ(world_.view("sender", "old")["total"], 7);
  EXPECT_EQ(world_.view("sender", "new")["total"], 5);
}

} // namespace switchboard::sdk::kit_test
