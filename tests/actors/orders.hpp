// What the model tests share: many short random orders, each from its own seed, and one actor driven on its C++ state,
// since a hundred thousand orders would take too long over JSON and the ABI.
//
//   SWITCHBOARD_ORDERS=1000000   how many; by default 100000, a tenth of it in sanitizer builds
//   SWITCHBOARD_SEED=7           only the order of that seed: what a failure names
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sdk/entity.hpp"

namespace switchboard::telephony {

inline std::uint64_t orders_wanted(std::uint64_t share = 1) {
  if (const char* given = std::getenv("SWITCHBOARD_ORDERS"))
    return std::strtoull(given, nullptr, 10) / share;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 10000 / share;
#else
  return 100000 / share;
#endif
}

/// Runs `one(seed)` for each order until one fails; that one's seed is named. `share`: only every such order.
template <class One>
void run_orders(One one, std::uint64_t share = 1) {
  if (const char* seed = std::getenv("SWITCHBOARD_SEED"))
    return one(std::strtoull(seed, nullptr, 10));
  for (std::uint64_t seed = 1, last = orders_wanted(share); seed <= last; ++seed) {
    one(seed);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "this order alone: SWITCHBOARD_SEED=" << seed;
      return;
    }
  }
}

/// What a random order does and chooses.
class order_dice {
public:
  explicit order_dice(std::uint64_t seed) : state_(mixed(seed)) {} // neighbours must not be one stream, shifted

  std::size_t roll(std::size_t sides) { return static_cast<std::size_t>(bits() >> 33) % sides; }
  bool once_in(std::size_t sides) { return roll(sides) == 0; }
  template <class Some>
  const auto& one_of(const Some& some) {
    return *(std::begin(some) + static_cast<std::ptrdiff_t>(roll(std::size(some))));
  }
  /// splitmix64: an order has few numbers, so a generator that is set up at once.
  std::uint64_t bits() { return mixed(state_ += 0x9e3779b97f4a7c15U); }

private:
  static std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
    x = (x ^ x >> 27) * 0x94d049bb133111ebU;
    return x ^ x >> 31;
  }

  std::uint64_t state_;
};

/// One actor: its state, its armed timers, and what its last decision wanted done.
template <class State>
class driven {
public:
  struct armed {
    time_point due{};
    json payload;
  };

  driven(const sdk::entity_type<State>& type, std::string id, std::uint64_t seed, json settings = json::object())
      : type_(type), id_(std::move(id)), dice_(seed), settings_(std::make_shared<const json>(std::move(settings))) {}

  void request(std::string method, std::string route, const json& body = nullptr) {
    sdk::message msg;
    msg.kind = sdk::message_kind::request;
    msg.name = std::move(method);
    msg.route = std::move(route);
    if (!body.is_null())
      msg.body_text = dump(body);
    decide(msg);
  }
  void tell(const sdk::entity_ref& from, std::string name, const json& body = json::object()) {
    sdk::message msg;
    msg.name = std::move(name);
    msg.from_type = from.type;
    msg.from_id = from.id;
    msg.body_text = dump(body);
    decide(msg);
  }
  void tell_text(const sdk::entity_ref& from, std::string name, std::string body) {
    sdk::message msg;
    msg.name = std::move(name);
    msg.from_type = from.type;
    msg.from_id = from.id;
    msg.body_text = std::move(body);
    decide(msg);
  }
  /// An armed timer fires; or a late one, with whatever payload.
  void fire(const std::string& name, json payload) {
    timers.erase(name);
    sdk::message msg;
    msg.kind = sdk::message_kind::timer;
    msg.name = name;
    msg.body_text = dump(payload);
    decide(msg);
  }

  /// The armed timer that is due first; empty if there is none.
  std::string next_timer() const {
    const auto first = std::min_element(timers.begin(), timers.end(),
                                        [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
    return first == timers.end() ? std::string{} : first->first;
  }
  /// Time goes on to it, and it fires.
  void fire_next() {
    const auto name = next_timer();
    const auto one = timers.at(name);
    now = std::max(now, one.due);
    fire(name, one.payload);
  }

  const std::string& id() const noexcept { return id_; }
  int count_of_event(const std::string& type) const {
    int found = 0;
    for (const auto& one : events)
      found += one == type;
    return found;
  }
  const sdk::send_effect* sent_to(const char* type, const char* name) const {
    for (const auto& one : sent) {
      if (one.to.type == type && one.name == name)
        return &one;
    }
    return nullptr;
  }

  std::optional<State> state;
  time_point now{std::chrono::hours{24 * 365 * 56}};
  std::map<std::string, armed> timers;
  int answered = 0;                                ///< status of the last request
  json answer;                                     ///< its body
  std::vector<sdk::send_effect> sent;              ///< by the last decision
  std::vector<std::string> events;                 ///< since the beginning
  std::vector<const sdk::event_effect*> announced; ///< by the last decision, valid until the next

private:
  void decide(sdk::message& msg) {
    const sdk::context ctx{id_, now, dice_.bits(), settings_};
    last_ = type_.behavior.decide(state ? &*state : nullptr, msg, ctx);
    const auto& made = last_;
    sent.clear();
    announced.clear();
    answered = 0;
    for (const auto& effect : made.effects())
      std::visit(*this, effect);
    EXPECT_EQ(answered != 0, msg.kind == sdk::message_kind::request) << msg.name << " " << msg.route;
    if (made.ended()) {
      state.reset();
      timers.clear();
    } else if (made.next_state()) {
      state = made.next_state();
    }
  }

public:
  void operator()(const sdk::reply_effect& e) {
    answered = e.status;
    answer = e.body;
  }
  void operator()(const sdk::refuse_effect& e) { answered = e.status; }
  void operator()(const sdk::event_effect& e) {
    events.push_back(e.type);
    announced.push_back(&e);
  }
  void operator()(const sdk::send_effect& e) { sent.push_back(e); }
  void operator()(const sdk::arm_effect& e) { timers[e.name] = {now + e.delay, e.payload}; }
  void operator()(const sdk::cancel_effect& e) { timers.erase(e.name); }

private:
  const sdk::entity_type<State>& type_;
  std::string id_;
  order_dice dice_;
  std::shared_ptr<const json> settings_;
  sdk::outcome<State> last_;
};

} // namespace switchboard::telephony
