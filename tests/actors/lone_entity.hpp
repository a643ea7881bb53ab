// One entity driven directly by its table, without the C ABI, for tests that look at each outcome.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "sdk/entity.hpp"
#include "tests/actors/orders.hpp"

namespace switchboard::telephony {

/// As run_orders, with dice of that seed.
template <class Order>
void for_each_order(Order order) {
  run_orders([&](std::uint64_t seed) {
    std::mt19937_64 dice{seed};
    order(dice);
  });
}

/// One entity, its armed timers and its clock. What it sends and announces is in the outcome that each decision
/// returns.
template <class State>
class lone_entity {
public:
  lone_entity(const sdk::entity_type<State>& type, std::string id, json settings = json::object())
      : type_(type), id_(std::move(id)), settings_(std::make_shared<const json>(std::move(settings))) {}

  sdk::outcome<State> request(const char* method, std::string route, const json& body, std::string customer,
                              const json& headers = json::object()) {
    sdk::message msg;
    msg.kind = sdk::message_kind::request;
    msg.headers_text = headers.dump();
    msg.customer_id = std::move(customer);
    msg.name = method;
    msg.route = std::move(route);
    if (!body.is_null())
      msg.body_text = body.dump();
    return decide(msg);
  }
  sdk::outcome<State> tell(std::string name, const json& body = json::object(), sdk::entity_ref from = {"test", "1"}) {
    return decide(sdk::message_kind::message, std::move(name), body, std::move(from));
  }
  sdk::outcome<State> hear(std::string event, const json& data, std::string customer) {
    return decide(sdk::message_kind::event, std::move(event), data, {"test", "1"}, std::move(customer));
  }
  /// An armed timer, or with `payload` one of another time.
  sdk::outcome<State> expire(const std::string& name, std::optional<json> payload = std::nullopt) {
    const auto found = armed_.find(name);
    auto body = payload ? *std::move(payload) : found == armed_.end() ? json::object() : found->second.payload;
    if (found != armed_.end()) {
      now_ = std::max(now_, found->second.due);
      armed_.erase(found);
    }
    return decide(sdk::message_kind::timer, name, body, {type_.type, id_});
  }
  void wait(milliseconds span) { now_ += span; }
  void set_now(time_point now) { now_ = now; }

  const std::optional<State>& state() const noexcept { return state_; }
  bool is_armed(const std::string& name) const { return armed_.contains(name); }
  std::vector<std::string> armed() const {
    std::vector<std::string> names;
    for (const auto& [name, one] : armed_)
      names.push_back(name);
    return names;
  }
  time_point due(const std::string& name) const { return armed_.at(name).due; }
  /// The armed timer that fires first; empty if there is none.
  std::string next_timer() const {
    const auto first = std::min_element(armed_.begin(), armed_.end(),
                                        [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
    return first == armed_.end() ? std::string{} : first->first;
  }
  time_point now() const noexcept { return now_; }

private:
  struct armed_timer {
    time_point due{};
    json payload;
  };

  sdk::outcome<State> decide(sdk::message_kind kind, std::string name, const json& body, sdk::entity_ref from,
                             std::string customer = {}) {
    sdk::message msg;
    msg.kind = kind;
    msg.name = std::move(name);
    msg.body_text = body.dump();
    msg.customer_id = std::move(customer);
    msg.from_type = std::move(from.type);
    msg.from_id = std::move(from.id);
    return decide(msg);
  }

  sdk::outcome<State> decide(sdk::message& msg) {
    const sdk::context ctx{id_, now_, ++decisions_, settings_};
    auto made = type_.behavior.decide(state_ ? &*state_ : nullptr, msg, ctx);
    if (made.ended()) {
      state_.reset();
      armed_.clear();
    } else if (made.next_state()) {
      state_ = made.next_state();
    }
    for (const auto& one : made.effects()) {
      if (const auto* arm = std::get_if<sdk::arm_effect>(&one); arm && state_)
        armed_[arm->name] = {now_ + arm->delay, arm->payload};
      else if (const auto* cancel = std::get_if<sdk::cancel_effect>(&one))
        armed_.erase(cancel->name);
    }
    return made;
  }

  const sdk::entity_type<State>& type_;
  const std::string id_;
  const std::shared_ptr<const json> settings_;
  std::optional<State> state_;
  std::map<std::string, armed_timer> armed_;
  time_point now_{std::chrono::hours{24 * 365 * 56}};
  std::uint64_t decisions_ = 0;
};

/// Types of the events of an outcome, in order.
template <class State>
std::vector<std::string> events_of(const sdk::outcome<State>& made) {
  std::vector<std::string> types;
  for (const auto& one : made.effects())
    if (const auto* event = std::get_if<sdk::event_effect>(&one))
      types.push_back(event->type);
  return types;
}

/// The messages of an outcome, in order.
template <class State>
std::vector<sdk::send_effect> sends_of(const sdk::outcome<State>& made) {
  std::vector<sdk::send_effect> sends;
  for (const auto& one : made.effects())
    if (const auto* send = std::get_if<sdk::send_effect>(&one))
      sends.push_back(*send);
  return sends;
}

} // namespace switchboard::telephony
