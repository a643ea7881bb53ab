// The table of an entity: which handler answers which request, message, event and timer. It is both the dispatch of
// decide() and the list of routes and subscriptions the host reads.
//
//   const sdk::behavior<call> table{
//       sdk::creates<call>("POST", "/v1/calls", place),
//       sdk::lists<call>("GET", "/v1/calls"),
//       sdk::answers<call>("POST", "/v1/calls/{id}/hangup", hang_up),
//       sdk::told<call>("ringing", far_end_rings),
//       sdk::timer<call>("dial_timeout", stop_dialing),
//   };
//
// A state is any struct with `std::string customer_id` and nlohmann's to_json/from_json.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sdk/message.hpp"
#include "sdk/outcome.hpp"

namespace switchboard::sdk {

/// Decides for an entity that exists; gets a copy to change and hand to next().
template <class State>
using handler = outcome<State> (*)(State, const message&, const context&);

/// Decides where there is no entity (yet).
template <class State>
using first_handler = outcome<State> (*)(const message&, const context&);

template <class State>
struct row {
  message_kind kind = message_kind::message;
  const char* name = "";    ///< method, message, event type or timer; literals
  const char* pattern = ""; ///< of a request
  const char* key = nullptr;
  sb_route_target target = SB_BY_ID;
  handler<State> then = nullptr;            ///< nullptr: ignored, a request is refused
  first_handler<State> if_absent = nullptr; ///< nullptr: ignored, a request is refused
};

/// A request that makes a new entity. Its id is fresh, or the body's "id"; one that is taken is refused with 409.
template <class State>
row<State> creates(const char* method, const char* pattern, first_handler<State> then) {
  return {message_kind::request, method, pattern, nullptr, SB_CREATE, nullptr, then};
}
/// A request that the host answers from the views of all entities of the caller's tenant.
template <class State>
row<State> lists(const char* method, const char* pattern) {
  return {message_kind::request, method, pattern, nullptr, SB_LIST};
}
/// A request for the entity {id} of the pattern. Another tenant's request is refused with 404 before the handler.
template <class State>
row<State> answers(const char* method, const char* pattern, handler<State> then) {
  return {message_kind::request, method, pattern, nullptr, SB_BY_ID, then};
}
/// The same for the entity that the body's member `key` names.
template <class State>
row<State> answers_by(const char* key, const char* method, const char* pattern, handler<State> then) {
  return {message_kind::request, method, pattern, key, SB_BY_BODY, then};
}
/// A message from another entity.
template <class State>
row<State> told(const char* name, handler<State> then, first_handler<State> if_absent = nullptr) {
  return {message_kind::message, name, "", nullptr, SB_BY_ID, then, if_absent};
}
/// A timer this entity armed.
template <class State>
row<State> timer(const char* name, handler<State> then) {
  return {message_kind::timer, name, "", nullptr, SB_BY_ID, then};
}
/// An event whose data names this entity in `key`.
template <class State>
row<State> hears(const char* event_type, const char* key, handler<State> then) {
  return {message_kind::event, event_type, "", key, SB_BY_ID, then};
}

/// Immutable once built, thread-safe. Timers may be named "ring:<detail>": the row is found by what stands before ':'.
template <class State>
class behavior {
public:
  behavior(std::initializer_list<row<State>> rows) : rows_(rows) {}

  const std::vector<row<State>>& rows() const noexcept { return rows_; }

  /// Pure: the outcome depends on nothing but the arguments. Fills msg.path.
  outcome<State> decide(const State* state, message& msg, const context& ctx) const {
    return msg.kind == message_kind::request ? answer(state, msg, ctx) : react(state, msg, ctx);
  }

private:
  outcome<State> answer(const State* state, message& msg, const context& ctx) const {
    const auto* found = find_route(msg);
    if (!found || found->target == SB_LIST)
      return refused<State>(404, "NOT_FOUND", "no such route: " + msg.name + " " + msg.route);
    if (found->target == SB_WORK)
      return found->if_absent(msg, ctx);
    if (found->target == SB_CREATE)
      return state ? refused<State>(409, "ALREADY_EXISTS", "this id is taken") : found->if_absent(msg, ctx);
    if (!state || !may_see(*state, msg))
      return refused<State>(404, "NOT_FOUND", "no such resource");
    return found->then(*state, msg, ctx);
  }

  outcome<State> react(const State* state, const message& msg, const context& ctx) const {
    const auto name = std::string_view{msg.name}.substr(0, msg.name.find(':'));
    for (const auto& one : rows_) {
      if (one.kind != msg.kind || one.name != name)
        continue;
      if (state)
        return one.then ? one.then(*state, msg, ctx) : outcome<State>{};
      return one.if_absent ? one.if_absent(msg, ctx) : outcome<State>{};
    }
    return {}; // left over from another version, or not for us
  }

  /// The longest pattern wins, as at the host.
  const row<State>* find_route(message& msg) const {
    const row<State>* best = nullptr;
    for (const auto& one : rows_) {
      const bool longer = !best || std::string_view{one.pattern}.size() > std::string_view{best->pattern}.size();
      if (one.kind != message_kind::request || one.name != msg.name || !longer)
        continue;
      if (auto parameters = match_route(one.pattern, msg.route)) {
        best = &one;
        msg.path = std::move(*parameters);
      }
    }
    return best;
  }

  /// No customer at all: an inside caller, trusted.
  static bool may_see(const State& state, const message& msg) noexcept {
    return msg.customer_id.empty() || msg.customer_id == state.customer_id;
  }

  std::vector<row<State>> rows_;
};

} // namespace switchboard::sdk
