// Bridges, transfers, parking and group calls among many calls in random orders: requests at any moment, news of
// different pairs overtaking each other, far ends that are busy, reject, never answer or hang up. When all has come to
// rest, whoever talks talks to somebody who talks back, at both calls and both legs; nobody waits for anything; no leg
// is left over.
#include <algorithm>
#include <deque>
#include <functional>

#include "actors/call/call.hpp"
#include "actors/groupcall/groupcall.hpp"
#include "actors/loopback_trunk/loopback_trunk.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;

class many_calls {
public:
  explicit many_calls(std::uint64_t seed) : dice_(seed), seed_(seed) {}

  void run() {
    for (const auto* id : {"a", "b", "c", "d"})
      place(id);
    pass(2s);
    const auto steps = 8 + dice_.roll(23);
    for (std::size_t i = 0; i < steps; ++i) {
      act();
      for (auto some = dice_.roll(8); some > 0; --some)
        deliver_one();
      if (dice_.once_in(3))
        pass(milliseconds{static_cast<std::int64_t>(dice_.roll(3000))});
    }
    pass(5min); // longer than every wait but a talk
    check();
    for (auto& [id, one] : calls_) {
      if (one.state)
        ask(id, "POST", "/hangup");
    }
    pass(5min);
    for (const auto& [id, one] : calls_)
      EXPECT_TRUE(!one.state || one.state->status == call_status::hangup) << id;
    for (const auto& [id, one] : legs_)
      EXPECT_FALSE(one.state.has_value()) << "a leg without a call: " << id;
    for (const auto& [id, one] : groups_)
      EXPECT_TRUE(!one.state || one.state->status == groupcall_status::hangup) << id;
  }

private:
  struct parcel {
    sdk::entity_ref from, to;
    std::string name, body;
  };

  driven<call>& call_at(const std::string& id) {
    return at(calls_, call_type(), id, {{"dial_timeout_ms", 5000}, {"park_ms", 20000}});
  }
  driven<leg>& leg_at(const std::string& id) { return at(legs_, loopback_trunk_type(), id, json::object()); }
  driven<groupcall>& group_at(const std::string& id) { return at(groups_, groupcall_type(), id, json::object()); }
  template <class State>
  driven<State>& at(std::map<std::string, driven<State>>& all, const sdk::entity_type<State>& type,
                    const std::string& id, const json& settings) {
    auto found = all.find(id);
    if (found == all.end())
      found = all.emplace(id, driven<State>(type, id, seed_ * 1000 + ++made_, settings)).first;
    found->second.now = now_;
    return found->second;
  }

  std::string number() {
    static const std::string numbers[] = {"+15559876543", "+15559876543", "+15559876543", "+15559870200",
                                          "+15559870300", "+15559870500", "+15559870103", "+15559870101"};
    return dice_.one_of(numbers);
  }
  std::string any_call() {
    auto which = calls_.begin();
    std::advance(which, static_cast<std::ptrdiff_t>(dice_.roll(calls_.size())));
    return which->first;
  }
  void ask(const std::string& id, const char* method, const std::string& rest, const json& body = nullptr) {
    auto& c = call_at(id);
    if (!c.state)
      return;
    c.request(method, "/v1/calls/" + id + rest, body);
    post({"call", id}, c.sent);
  }
  void place(const std::string& id) {
    auto& c = call_at(id);
    c.request("POST", "/v1/calls", {{"customer_id", "t"}, {"source", "+1"}, {"destination", "+15559876543"}});
    post({"call", id}, c.sent);
  }

  void act() {
    const auto one = any_call(), two = any_call();
    switch (dice_.roll(14)) {
    case 0:
    case 1:
    case 2:
      return ask(one, "POST", "/bridge", {{"call_id", two}});
    case 3:
      return ask(one, "DELETE", "/bridge");
    case 4:
      return ask(one, "POST", "/connect", {{"destination", number()}, {"dial_timeout_ms", 3000}});
    case 5:
    case 6:
      return ask(
          one, "POST", "/transfer",
          {{"type", dice_.once_in(2) ? "blind" : "attended"}, {"destination", number()}, {"dial_timeout_ms", 3000}});
    case 7:
      return ask(one, "POST", "/transfer", {{"type", dice_.once_in(2) ? "blind" : "attended"}, {"call_id", two}});
    case 8:
      return ask(one, "POST", "/transfer/complete");
    case 9:
      return dice_.once_in(2) ? ask(one, "DELETE", "/transfer") : ask(one, "POST", "/hangup");
    case 10:
      return ask(one, "POST", "/park", dice_.once_in(2) ? json{{"return_to", number()}} : json::object());
    case 11:
      return ask(one, "DELETE", "/park",
                 dice_.once_in(2) ? json{{"call_id", two}}
                                  : json{{"destination", number()}, {"dial_timeout_ms", 3000}});
    case 12:
      return dice_.once_in(3) ? ask(one, "DELETE", "")
                              : ask(one, "POST", "/chained-call-ids", {{"chained_call_id", two}});
    default: {
      if (groups_.size() > 1)
        return;
      auto& g = group_at("g" + std::to_string(groups_.size()));
      g.request("POST", "/v1/groupcalls",
                {{"customer_id", "t"},
                 {"source", "+1"},
                 {"destinations", {number(), number(), number()}},
                 {"dial_timeout_ms", 4000},
                 {"ring_method", dice_.once_in(2) ? "linear" : "ring_all"}});
      post({"groupcall", g.id()}, g.sent);
      return;
    }
    }
  }

  void post(const sdk::entity_ref& from, const std::vector<sdk::send_effect>& sent) {
    for (const auto& one : sent)
      line_.push_back({from, one.to, one.name, dump(one.body)});
  }
  /// The oldest of some pair of entities: pairs keep their order, nothing else does.
  void deliver_one() {
    if (line_.empty())
      return;
    const auto& chosen = line_[dice_.roll(line_.size())];
    const auto first = std::find_if(line_.begin(), line_.end(),
                                    [&](const auto& p) { return p.from == chosen.from && p.to == chosen.to; });
    const auto p = std::move(*first);
    line_.erase(first);
    if (p.to.type == "call")
      hand_over(call_at(p.to.id), p);
    else if (p.to.type == "trunk")
      hand_over(leg_at(p.to.id), p);
    else if (p.to.type == "groupcall")
      hand_over(group_at(p.to.id), p);
  }
  template <class State>
  void hand_over(driven<State>& to, const parcel& p) {
    to.tell_text(p.from, p.name, p.body);
    post(p.to, to.sent);
  }

  template <class State>
  void earliest(const char* type, std::map<std::string, driven<State>>& all, time_point& due,
                std::function<void()>& then) {
    for (auto& [id, one] : all) {
      for (const auto& [name, timer] : one.timers) {
        if (timer.due >= due || name == "forget" || name == "max_duration")
          continue;
        due = timer.due;
        then = [this, type, &actor = one, which = name, payload = timer.payload] {
          actor.now = now_;
          actor.fire(which, json(payload));
          post({type, actor.id()}, actor.sent);
        };
      }
    }
  }
  void pass(milliseconds by) {
    const auto until = now_ + by;
    for (;;) {
      while (!line_.empty() && !dice_.once_in(40))
        deliver_one();
      auto due = until;
      std::function<void()> then;
      earliest("call", calls_, due, then);
      earliest("trunk", legs_, due, then);
      earliest("groupcall", groups_, due, then);
      if (!then && line_.empty())
        break;
      if (then) {
        now_ = std::max(now_, due);
        then();
      }
    }
    now_ = until;
  }

  void check() {
    for (const auto& [id, one] : calls_) {
      if (!one.state)
        continue;
      const auto& c = *one.state;
      const auto& p = *c.parts;
      EXPECT_TRUE(c.status == call_status::hangup || c.status == call_status::progressing) << id;
      EXPECT_FALSE(p.other.has_value() && !p.other->answered) << id << " still waits for another call";
      EXPECT_FALSE(p.moving.has_value() && p.moving->phase != calls::transfer_phase::consulting)
          << id << " still transfers";
      EXPECT_FALSE(p.parked.has_value()) << id << " is still parked";
      const auto leg = legs_.find(id);
      const bool has_leg = leg != legs_.end() && leg->second.state;
      EXPECT_EQ(has_leg, c.status == call_status::progressing) << id;
      if (c.status != call_status::progressing || !has_leg)
        continue;
      const bool consults = p.other && p.other->answered;
      const auto with = consults ? p.other->call_id : p.peer ? p.peer->call_id : "";
      EXPECT_EQ(leg->second.state->bridged_call_id, with) << id;
      if (p.peer)
        expect_talks_back(id, p.peer->call_id, p.peer->token);
      if (consults)
        expect_talks_back(id, p.other->call_id, p.other->token);
    }
  }
  void expect_talks_back(const std::string& id, const std::string& other, const std::string& token) {
    const auto found = calls_.find(other);
    const bool there = found != calls_.end() && found->second.state;
    EXPECT_TRUE(there && found->second.state->status == call_status::progressing)
        << id << " talks to nobody: " << other;
    if (!there)
      return;
    const auto& back = *found->second.state->parts;
    const bool as_peer = back.peer && back.peer->call_id == id && back.peer->token == token;
    const bool as_consulted =
        back.other && back.other->answered && back.other->call_id == id && back.other->token == token;
    EXPECT_TRUE(as_peer || as_consulted) << id << " talks to " << other << ", who does not talk back";
  }

  order_dice dice_;
  std::uint64_t seed_, made_ = 0;
  std::map<std::string, driven<call>> calls_;
  std::map<std::string, driven<leg>> legs_;
  std::map<std::string, driven<groupcall>> groups_;
  std::deque<parcel> line_;
  time_point now_{std::chrono::hours{24 * 365 * 56}};
};

TEST(bridge_model, who_talks_is_talked_back_to_in_every_order) {
  run_orders([](std::uint64_t seed) { many_calls(seed).run(); }, 20);
}

} // namespace
} // namespace switchboard::telephony
