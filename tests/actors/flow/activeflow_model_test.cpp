// Runs in random orders against a model of their own, written down from the description of the actions: the right
// reports, wrong ones, late ones, doubled ones, silence. After each step the run is where the model is, has told the
// others what the model has told them, and waits for nothing without a limit; at the end it comes to an end by itself.
#include <algorithm>

#include "actors/flow/activeflow.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {
namespace {

struct planned {
  std::string type;
  int after_failure = -1; ///< index; -1: the next one
  int jump_to = 0;
  int times = 1;
  std::size_t digits_max = 1;
  std::map<std::string, int> branches;
};
using plan = std::vector<planned>;

std::string name_of_action(int index) { return "a" + std::to_string(index); }

json body_of(const plan& all) {
  json list = json::array();
  for (std::size_t at = 0; at < all.size(); ++at) {
    const auto& one = all[at];
    json option = json::object();
    if (one.type == "play")
      option["media_urls"] = json::array({"x.wav"});
    else if (one.type == "queue_join")
      option["queue_id"] = "q";
    else if (one.type == "conference_join")
      option["conference_id"] = "m";
    else if (one.type == "connect")
      option["destination"] = "+15550001111";
    else if (one.type == "goto")
      option = {{"action_id", name_of_action(one.jump_to)}, {"times", one.times}};
    else if (one.type == "sleep")
      option["duration_ms"] = 1000;
    else if (one.type == "digits_collect") {
      option["digits_max"] = one.digits_max;
      option["branches"] = json::object();
      for (const auto& [digits, to] : one.branches)
        option["branches"][digits] = name_of_action(to);
    }
    list.push_back({{"id", name_of_action(static_cast<int>(at))}, {"type", one.type}, {"option", option}});
    if (one.after_failure >= 0)
      list.back()["on_failure"] = name_of_action(one.after_failure);
  }
  return list;
}

/// What a run should be like.
struct run_model {
  plan actions;
  std::string status, reason; ///< status "gone": forgotten
  int at = 0, step = 0;
  bool answered = false, in_queue = false;
  bool soon = false, well = false; ///< the action is over, and the next one begins when the call had time to end
  std::string keys, taken;
  std::map<int, int> jumped;
  std::vector<std::string> said; ///< in the last step

  const planned* doing() const { return status == "running" ? &actions[static_cast<std::size_t>(at)] : nullptr; }
  bool is_doing(const char* type) const { return doing() && doing()->type == type; }
  /// ... and waits for the report of it.
  bool does(const char* type) const { return is_doing(type) && !soon; }
  bool lives() const { return status != "ended" && status != "gone"; }

  void end(const char* why) {
    status = "ended";
    reason = why;
    said.push_back("call unfollow");
  }
  void failed() { begin(doing()->after_failure >= 0 ? doing()->after_failure : at + 1); }
  void done() { begin(at + 1); }
  void over(bool how) {
    soon = true;
    well = how;
  }

  /// Key by key, as if each were pressed now. False if more are needed.
  bool take_keys(bool no_more, int& next) {
    const auto* menu = doing();
    std::string typed;
    std::size_t used = 0;
    bool complete = false;
    while (!complete && used < keys.size()) {
      const char key = keys[used++];
      if (key != '#')
        typed += key;
      complete = key == '#' || typed.size() == menu->digits_max;
    }
    if (!complete && !no_more)
      return false;
    taken = typed;
    keys.erase(0, used);
    const auto branch = menu->branches.find(typed);
    next = branch != menu->branches.end() ? branch->second : menu->after_failure >= 0 ? menu->after_failure : at + 1;
    return true;
  }

  void begin(int next) {
    while (next < static_cast<int>(actions.size())) {
      if (++step > 1000)
        return end("too_many_steps");
      at = next;
      in_queue = soon = false;
      const auto& type = doing()->type;
      if (type != "play" && type != "digits_collect" && type != "goto" && type != "sleep")
        keys.clear();
      if (type == "goto") {
        next = ++jumped[at] <= doing()->times ? doing()->jump_to : at + 1;
        continue;
      }
      if (type == "answer" && answered) {
        next = at + 1;
        continue;
      }
      if (type == "digits_collect") {
        if (take_keys(false, next))
          continue;
        return;
      }
      if (type == "queue_join")
        said.push_back("queue add_caller");
      else if (type == "conference_join")
        said.push_back("conference add_call");
      else if (type != "sleep")
        said.push_back("call " + std::string{type == "hangup" ? "hang_up" : type});
      return;
    }
    end("finished");
  }

  void limit() {
    if (status == "starting" || status == "following")
      return end("no_answer");
    const auto type = doing()->type;
    if (soon)
      return well ? done() : failed();
    if (type == "sleep")
      return done();
    if (type == "digits_collect") {
      int next = 0;
      take_keys(true, next);
      return begin(next);
    }
    if (type == "queue_join" && in_queue)
      said.push_back("queue disown_caller");
    if (type == "conference_join" || type == "connect" || (type == "queue_join" && in_queue))
      return end("limit");
    failed();
    if (type == "play")
      said.push_back("call stop_play");
  }
  void key(char pressed) {
    const bool listens = is_doing("play") || is_doing("digits_collect") || is_doing("sleep");
    if (!listens || keys.size() >= 64)
      return;
    keys += pressed;
    int next = 0;
    if (does("digits_collect") && take_keys(false, next))
      begin(next);
  }
};

class order {
public:
  explicit order(std::uint64_t seed) : dice_(seed), run_(activeflow_type(), "run", seed) {}

  void play() {
    create();
    for (std::size_t left = 6 + dice_.roll(16); left > 0 && !testing::Test::HasFailure() && model_.status != "gone";
         --left) {
      step();
      check();
    }
    come_to_an_end();
  }

private:
  static constexpr const char* customer = "customer-1";
  const sdk::entity_ref call_{"call", "c"}, queue_{"queue", "q"}, conference_{"conference", "m"}, flow_{"flow", "f"};

  void create() {
    static const std::vector<std::string> types{"answer",  "play",           "play", "queue_join", "conference_join",
                                                "connect", "digits_collect", "goto", "sleep",      "hangup"};
    const auto count = static_cast<int>(1 + dice_.roll(6));
    const auto some = [&] { return static_cast<int>(dice_.roll(static_cast<std::size_t>(count))); };
    for (int i = 0; i < count; ++i) {
      planned one;
      one.type = dice_.one_of(types);
      if (dice_.once_in(3))
        one.after_failure = some();
      one.jump_to = some();
      one.times = static_cast<int>(1 + dice_.roll(dice_.once_in(50) ? 100 : 3));
      one.digits_max = 1 + dice_.roll(2);
      for (const auto* digits : {"1", "2", "11"})
        if (dice_.once_in(2))
          one.branches[digits] = some();
      model_.actions.push_back(one);
    }
    const bool stored = dice_.once_in(4);
    json body{{"customer_id", customer}, {"call_id", "c"}};
    if (stored)
      body["flow_id"] = "f";
    else
      body["actions"] = body_of(model_.actions);
    model_.status = stored ? "starting" : "following";
    model_.said = {stored ? "flow fetch_flow" : "call follow"};
    run_.request("POST", "/v1/activeflows", body);
    EXPECT_EQ(run_.answered, 200);
    check();
  }

  void tell(const sdk::entity_ref& from, const char* name, json body = json::object()) {
    if (!body.contains("call_id"))
      body["call_id"] = "c";
    run_.tell(from, name, body);
  }
  /// Of this action, or of one long ago.
  std::string task(bool right) const { return "run-" + std::to_string(right ? model_.step : model_.step - 1); }

  void step() {
    model_.said.clear();
    run_.sent.clear();
    switch (dice_.roll(16)) {
    case 0:
    case 1:
    case 2:
      return what_is_waited_for(true);
    case 3:
    case 4:
      return what_is_waited_for(false);
    case 5:
      return limit_is_over();
    case 6:
      return late_timer();
    case 7:
    case 8:
    case 9:
      return press();
    case 10:
      return play_report();
    case 11:
      return connect_report();
    case 12:
      return queue_report();
    case 13:
      return call_says();
    case 14:
      return stranger();
    case 15:
      if (dice_.once_in(4))
        return over_or_stopped();
      return what_is_waited_for(true);
    }
  }

  /// The report that this state is there for; `well`: a good one.
  void what_is_waited_for(bool well) {
    if (model_.status == "starting") {
      if (!well) {
        tell(flow_, "flow_refused");
        return model_.end("flow_refused");
      }
      tell(flow_, "flow_actions", {{"actions", body_of(model_.actions)}});
      model_.status = "following";
      return model_.said.push_back("call follow");
    }
    if (model_.status == "following") {
      if (!well && dice_.once_in(3)) {
        tell(call_, "call_refused");
        return model_.end("call_refused");
      }
      return followed();
    }
    if (model_.does("answer"))
      return answered();
    if (model_.does("play"))
      return play_over(true, well);
    if (model_.does("connect"))
      return connect_over(true, well);
    if (model_.does("queue_join"))
      return well && !model_.in_queue ? accepted() : left(well ? "serviced" : "overflowed");
    if (model_.does("conference_join") && !well)
      return refused_by_conference();
    if (model_.does("digits_collect"))
      return press();
    if (model_.does("hangup"))
      return ended();
    limit_is_over();
  }

  void followed() {
    const bool up = dice_.once_in(2);
    tell(call_, "call_followed", {{"status", up ? "progressing" : "ringing"}});
    if (model_.status != "following")
      return;
    model_.answered = up;
    model_.status = "running";
    model_.begin(0);
  }
  void answered() {
    tell(call_, "call_answered");
    if (!model_.lives())
      return;
    model_.answered = true;
    if (model_.does("answer"))
      model_.done();
  }
  void ended() {
    tell(call_, "call_ended", {{"reason", "normal"}});
    if (model_.lives())
      model_.end(model_.does("hangup") ? "finished" : "call_ended");
  }
  void play_over(bool right, bool well) {
    const bool stopped = well && dice_.once_in(3);
    tell(call_, "play_finished",
         {{"play_id", task(right)},
          {"reason", stopped ? "stopped"
                     : well  ? "finished"
                             : "failed"}});
    if (!model_.does("play") || !right)
      return;
    if (stopped)
      model_.over(true);
    else
      well ? model_.done() : model_.failed();
  }
  void connect_over(bool right, bool well) {
    tell(call_, "connect_finished", {{"connect_id", task(right)}, {"reason", "x"}, {"answered", well}});
    if (model_.does("connect") && right)
      model_.over(well);
  }
  void accepted() {
    tell(queue_, "caller_accepted", {{"queue_id", "q"}});
    if (model_.does("queue_join"))
      model_.in_queue = true;
    else
      model_.said.push_back(model_.lives() ? "queue remove_caller" : "queue disown_caller");
  }
  void left(const std::string& outcome) {
    const bool is_sent_on = outcome == "overflowed" && dice_.once_in(2);
    json body{{"outcome", outcome}};
    if (is_sent_on || dice_.once_in(2))
      body["target"] = is_sent_on ? "queue" : "owner";
    tell(queue_, "caller_left", body);
    if (model_.does("queue_join"))
      is_sent_on ? model_.end("overflowed") : model_.over(outcome == "serviced");
  }
  void refused_by_conference() {
    tell(conference_, "join_refused", {{"reason", "x"}});
    if (model_.does("conference_join"))
      model_.failed();
  }

  void play_report() { play_over(dice_.once_in(2), dice_.once_in(2)); }
  void connect_report() { connect_over(dice_.once_in(2), dice_.once_in(2)); }
  void queue_report() {
    static const std::vector<std::string> outcomes{"serviced", "abandoned", "overflowed", "callback", "kicked"};
    switch (dice_.roll(4)) {
    case 0:
      return accepted();
    case 1:
      tell(queue_, "caller_refused", {{"reason", "queue_full"}});
      if (model_.does("queue_join"))
        model_.failed();
      return;
    default:
      return left(dice_.one_of(outcomes));
    }
  }
  void call_says() {
    switch (dice_.roll(5)) {
    case 0:
      return answered();
    case 1:
      return followed();
    case 2:
      tell(call_, "call_refused");
      if (model_.status == "following")
        model_.end("call_refused");
      return;
    case 3:
      return refused_by_conference();
    default:
      if (dice_.once_in(2))
        return tell(call_, "call_status", {{"status", "ringing"}}); // nothing to a run
      tell(flow_, "flow_refused");
      if (model_.status == "starting")
        model_.end("flow_refused");
      return;
    }
  }
  void press() {
    const char key = "12#0"[dice_.roll(4)];
    tell(call_, "call_digit", {{"digit", std::string(1, key)}});
    model_.key(key);
  }
  /// Right words from the wrong one, or of the wrong call.
  void stranger() {
    const sdk::entity_ref other{"call", "other"};
    switch (dice_.roll(5)) {
    case 0:
      return tell(other, "call_ended");
    case 1:
      return tell(other, "play_finished", {{"play_id", task(true)}});
    case 2:
      return tell({"queue", "other"}, "caller_left", {{"outcome", "serviced"}});
    case 3:
      return tell(queue_, "caller_left", {{"outcome", "serviced"}, {"call_id", "other"}});
    default:
      return tell({"conference", "other"}, "join_refused");
    }
  }

  void limit_is_over() {
    const auto found = run_.timers.find("limit");
    if (found == run_.timers.end())
      return;
    run_.now = std::max(run_.now, found->second.due);
    const auto payload = found->second.payload;
    run_.fire("limit", payload);
    model_.limit();
  }
  /// The host drops those that were replaced; a run must not need that.
  void late_timer() {
    if (dice_.once_in(2) || !run_.timers.contains("limit"))
      return;
    const auto kept = run_.timers.at("limit");
    run_.fire("limit", {{"step", model_.step - 1 - static_cast<int>(dice_.roll(3))}});
    run_.timers["limit"] = kept;
  }
  void over_or_stopped() {
    if (dice_.once_in(2))
      return ended();
    const bool plays = model_.does("play"), queues = model_.does("queue_join");
    const bool lived = model_.lives();
    run_.request("DELETE", "/v1/activeflows/run");
    if (plays)
      model_.said.push_back("call stop_play");
    if (queues)
      model_.said.push_back("queue disown_caller");
    if (lived)
      model_.said.push_back("call unfollow");
    model_.status = "gone";
  }

  void check() {
    if (testing::Test::HasFailure())
      return;
    // 1. No illegal transition.
    const auto rank = run_.state ? static_cast<int>(run_.state->status) : 4;
    EXPECT_GE(rank, rank_);
    rank_ = rank;
    // 2. Every state has a way out by itself.
    if (run_.state && run_.state->status == activeflow_status::ended)
      EXPECT_TRUE(run_.timers.contains("forget"));
    else if (run_.state && run_.timers.contains("limit"))
      EXPECT_EQ(run_.timers.at("limit").payload.at("step"), run_.state->step);
    else
      EXPECT_FALSE(run_.state) << "waits without a limit";
    // 3. As the model has it.
    EXPECT_EQ(run_.state ? std::string{sdk::text(run_.state->status)} : "gone", model_.status);
    std::vector<std::string> said;
    for (const auto& one : run_.sent)
      said.push_back(one.to.type + " " + one.name);
    EXPECT_EQ(said, model_.said);
    if (!run_.state)
      return;
    EXPECT_EQ(run_.state->reason, model_.reason);
    EXPECT_EQ(run_.state->step, model_.step);
    if (model_.status == "running") {
      EXPECT_EQ(run_.state->at, static_cast<std::size_t>(model_.at));
      EXPECT_EQ(run_.state->digits, model_.keys);
      EXPECT_EQ(run_.state->collected, model_.taken);
    }
  }

  /// Nobody says anything any more. Loops may take a thousand steps: some orders see them through.
  void come_to_an_end() {
    for (int left = dice_.once_in(16) ? 1100 : 20;
         left > 0 && run_.timers.contains("limit") && !testing::Test::HasFailure(); --left) {
      model_.said.clear();
      run_.sent.clear();
      limit_is_over();
      check();
    }
    if (testing::Test::HasFailure() || !run_.state || run_.timers.contains("limit"))
      return;
    EXPECT_EQ(run_.state->status, activeflow_status::ended);
    run_.fire("forget", json::object());
    EXPECT_FALSE(run_.state);
    EXPECT_EQ(run_.count_of_event("activeflow.deleted"), 1);
  }

  order_dice dice_;
  driven<activeflow> run_;
  run_model model_;
  int rank_ = 0;
};

TEST(activeflow_model, holds_in_random_orders) {
  run_orders([](std::uint64_t seed) { order{seed}.play(); });
}

} // namespace
} // namespace switchboard::telephony
