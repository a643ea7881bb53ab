// A group call in random orders against a model of its own: sets of calls, written down from the description and not
// from the actor's rules. After each step: at most one call talks, every other one is told to go, and there is always a
// way out.
#include <algorithm>
#include <set>

#include "actors/groupcall/groupcall.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {
namespace {

struct groupcall_model {
  bool linear = false;
  std::vector<std::string> not_called;
  std::set<std::string> ringing, going; ///< placed; told to hang up
  std::string winner;                   ///< talks now
  bool somebody_won = false;
  bool ending = false, over = false, forgotten = false, to_be_deleted = false;

  void call_next() {
    do {
      if (not_called.empty())
        return;
      ringing.insert(not_called.front());
      not_called.erase(not_called.begin());
    } while (!linear);
  }
  void end_all() {
    if (over || ending)
      return;
    ending = true;
    not_called.clear();
    going.insert(ringing.begin(), ringing.end());
    if (!winner.empty())
      going.insert(winner);
    ringing.clear();
    winner.clear();
    if (going.empty())
      finish();
  }
  void finish() {
    over = true;
    ending = false;
    going.clear();
    ringing.clear();
    winner.clear();
    not_called.clear();
    forgotten = to_be_deleted;
  }
  /// True: the call that answered has to be hung up.
  bool answered(const std::string& call) {
    if (call == winner)
      return false;
    if (over || ending || somebody_won || !ringing.contains(call))
      return true;
    winner = call;
    somebody_won = true;
    ringing.erase(call);
    going.insert(ringing.begin(), ringing.end());
    ringing.clear();
    not_called.clear();
    return false;
  }
  void ended(const std::string& call) {
    const bool won = call == winner;
    if (!won && !ringing.contains(call) && !going.contains(call))
      return;
    if (won)
      winner.clear();
    ringing.erase(call);
    going.erase(call);
    const bool nobody_left = winner.empty() && ringing.empty() && going.empty();
    if (won || ending)
      nobody_left ? finish() : end_all();
    else if (nobody_left && !somebody_won && !not_called.empty())
      call_next();
    else if (nobody_left)
      finish();
  }
  void silence() {
    if (over || ending)
      return;
    if (somebody_won || not_called.empty())
      return end_all();
    going.insert(ringing.begin(), ringing.end());
    ringing.clear();
    call_next();
  }
};

class groupcall_order {
public:
  explicit groupcall_order(std::uint64_t seed) : dice_(seed), group_(groupcall_type(), "g", seed) {
    const auto destinations = 1 + dice_.roll(4);
    json list = json::array();
    for (std::size_t i = 0; i < destinations; ++i)
      list.push_back("+1555987000" + std::to_string(i));
    model_.linear = dice_.once_in(2);
    json body{{"customer_id", "t"},
              {"source", "+1"},
              {"destinations", list},
              {"ring_method", model_.linear ? "linear" : "ring_all"}};
    if (dice_.once_in(3))
      body["master_call_id"] = "master";
    group_.request("POST", "/v1/groupcalls", body);
    for (const auto& one : group_.state->members)
      calls_.push_back(one.call_id);
    model_.not_called = calls_;
    model_.call_next();
    has_master_ = body.contains("master_call_id");
    note_sent();
    check("created");
  }

  void run() {
    const auto steps = 8 + dice_.roll(23);
    for (std::size_t i = 0; i < steps && group_.state && !testing::Test::HasFailure(); ++i)
      step();
  }

private:
  void step() {
    const auto& call = dice_.one_of(calls_);
    group_.now += milliseconds{static_cast<std::int64_t>(dice_.roll(5000))};
    std::string what;
    switch (dice_.roll(12)) {
    case 0:
    case 1:
    case 2: {
      what = "call_answered " + call;
      const bool hung_up = model_.answered(call);
      group_.tell({"call", call}, "call_answered", {{"call_id", call}});
      const auto told = [&](const auto& one) { return one.name == "hang_up" && one.to.id == call; };
      EXPECT_EQ(std::any_of(group_.sent.begin(), group_.sent.end(), told), hung_up) << what;
      break;
    }
    case 3:
    case 4:
    case 5:
    case 6:
      what = "call_ended " + call;
      model_.ended(call);
      group_.tell({"call", call}, "call_ended", {{"call_id", call}, {"reason", "busy"}});
      break;
    case 7:
      what = "hangup";
      model_.end_all();
      group_.request("POST", "/v1/groupcalls/g/hangup");
      EXPECT_EQ(group_.answered, 200);
      break;
    case 8:
      what = "guard";
      if (dice_.once_in(2)) {
        model_.silence();
        group_.fire("guard", json::object());
      }
      break;
    case 9:
      what = "release";
      if (model_.ending)
        model_.finish();
      group_.fire("release", json::object());
      break;
    case 10:
      what = "master or repeat";
      if (dice_.once_in(2)) {
        if (has_master_)
          model_.end_all();
        group_.tell({"call", "master"}, dice_.once_in(2) ? "call_ended" : "call_refused", {{"call_id", "master"}});
      } else {
        group_.tell({"call", "g"}, "create", json::object());
      }
      break;
    default:
      what = "delete or forget";
      if (dice_.once_in(3)) {
        model_.to_be_deleted = true;
        model_.forgotten = model_.over;
        model_.end_all();
        group_.request("DELETE", "/v1/groupcalls/g");
      } else {
        model_.forgotten = model_.forgotten || model_.over;
        group_.fire("forget", json::object());
      }
      break;
    }
    note_sent();
    check(what);
  }

  void note_sent() {
    for (const auto& one : group_.sent) {
      if (one.name == "create") {
        EXPECT_TRUE(placed_.insert(one.to.id).second) << "placed twice";
      } else if (one.name == "hang_up") {
        told_to_go_.insert(one.to.id);
      }
    }
    group_.sent.clear();
  }

  void check(const std::string& after) {
    ASSERT_EQ(!group_.state.has_value(), model_.forgotten) << after;
    if (!group_.state)
      return;
    const auto& g = *group_.state;
    std::set<std::string> ringing, going, waiting;
    std::string winner;
    for (const auto& one : g.members) {
      if (one.status == member_status::calling)
        ringing.insert(one.call_id);
      if (one.status == member_status::leaving)
        going.insert(one.call_id);
      if (one.status == member_status::waiting)
        waiting.insert(one.call_id);
      if (one.status == member_status::winner) {
        EXPECT_TRUE(winner.empty()) << "two winners after " << after;
        winner = one.call_id;
      }
    }
    EXPECT_EQ(ringing, model_.ringing) << after;
    EXPECT_EQ(going, model_.going) << after;
    EXPECT_EQ(winner, model_.winner) << after;
    EXPECT_EQ(waiting, std::set<std::string>(model_.not_called.begin(), model_.not_called.end())) << after;
    EXPECT_EQ(sdk::text(g.status), model_.over ? "hangup" : model_.ending ? "hangingup" : "progressing") << after;
    for (const auto& one : going)
      EXPECT_TRUE(told_to_go_.contains(one)) << one << " was never told";
    // A way out: a timer, always.
    const char* exit = model_.over ? "forget" : model_.ending ? "release" : "guard";
    EXPECT_TRUE(group_.timers.contains(exit)) << "no way out after " << after;
    EXPECT_EQ(group_.count_of_event("groupcall.created"), 1);
    EXPECT_EQ(group_.count_of_event("groupcall.progressing"), model_.somebody_won ? 1 : 0) << after;
    EXPECT_EQ(group_.count_of_event("groupcall.hangup"), model_.over ? 1 : 0) << after;
  }

  order_dice dice_;
  driven<groupcall> group_;
  groupcall_model model_;
  std::vector<std::string> calls_;
  std::set<std::string> placed_, told_to_go_;
  bool has_master_ = false;
};

TEST(groupcall_model, one_answer_wins_in_every_order) {
  run_orders([](std::uint64_t seed) { groupcall_order(seed).run(); });
}

} // namespace
} // namespace switchboard::telephony
