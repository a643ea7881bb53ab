// What a decision wants done. Nothing happens while it is filled: the host commits all of it as one transaction, or
// none of it.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "messages/envelope.hpp"

namespace switchboard::sdk {

/// Thrown by a decision that may succeed later: what it needs isn't there yet. The message is tried again on the seed's
/// schedule (1 … 32 s), then it is a dead letter. Anything else that is thrown fails a request at once.
struct transient_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// Thrown by a decision that can never succeed: the message is a dead letter at once.
struct permanent_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct reply_effect {
  int status;
  json body;
};
struct refuse_effect {
  int status;
  std::string reason; ///< stable, for programs: "NOT_FOUND"
  std::string text;   ///< a sentence
};
struct event_effect {
  std::string type;
  json data;
  std::string resource_id; ///< empty: the deciding entity's
};
struct send_effect {
  entity_ref to;
  std::string name;
  json body;
};
struct arm_effect {
  std::string name;
  milliseconds delay;
  json payload;
};
struct cancel_effect {
  std::string name;
};
using effect = std::variant<reply_effect, refuse_effect, event_effect, send_effect, arm_effect, cancel_effect>;

/// The state of workers and subscribers, which keep none (worker.hpp).
struct stateless {
  std::string customer_id;
};
template <class State>
concept keeps_state = !std::is_same_v<State, stateless>;

/// Filled from top to bottom: `out.next(call).event("call.created", …).reply(200, …)`. Effects leave in this order.
template <class State>
class outcome {
public:
  /// The state from now on. Without it the state stays as it is.
  outcome& next(State state) requires keeps_state<State> {
    next_ = std::move(state);
    return *this;
  }
  /// The entity is over: its state and timers go, events and messages of this outcome still leave.
  outcome& end() requires keeps_state<State> {
    ended_ = true;
    return *this;
  }
  outcome& reply(int status, json body) { return add(reply_effect{status, std::move(body)}); }
  outcome& refuse(int status, std::string reason, std::string text) {
    return add(refuse_effect{status, std::move(reason), std::move(text)});
  }
  /// A fact for everybody, about this entity, under its customer.
  outcome& event(std::string type, json data) requires keeps_state<State> {
    return add(event_effect{std::move(type), std::move(data), {}});
  }
  /// A fact about the resource of that id, under the customer of the message.
  outcome& event_about(std::string resource_id, std::string type, json data) requires(!keeps_state<State>) {
    return add(event_effect{std::move(type), std::move(data), std::move(resource_id)});
  }
  outcome& send(entity_ref to, std::string name, json body = json::object()) {
    return add(send_effect{std::move(to), std::move(name), std::move(body)});
  }
  /// Replaces an armed timer of that name.
  outcome& arm(std::string name, milliseconds delay, json payload = json::object()) requires keeps_state<State> {
    return add(arm_effect{std::move(name), delay, std::move(payload)});
  }
  /// Harmless if it isn't armed.
  outcome& cancel(std::string name) requires keeps_state<State> { return add(cancel_effect{std::move(name)}); }

  const std::optional<State>& next_state() const noexcept { return next_; }
  bool ended() const noexcept { return ended_; }
  const std::vector<effect>& effects() const noexcept { return effects_; }

private:
  outcome& add(effect one) {
    effects_.push_back(std::move(one));
    return *this;
  }

  std::optional<State> next_;
  bool ended_ = false;
  std::vector<effect> effects_;
};

/// An outcome that is nothing but an error reply.
template <class State>
outcome<State> refused(int status, std::string reason, std::string text) {
  outcome<State> out;
  out.refuse(status, std::move(reason), std::move(text));
  return out;
}

} // namespace switchboard::sdk
