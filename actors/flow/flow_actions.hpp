// The actions a flow is made of: what each may look like, and where a run goes next. Pure.
//
//   {"id": "menu", "type": "digits_collect", "option": {"digits_max": 1, "branches": {"1": "sales"}},
//    "on_failure": "again", "limit_ms": 10000}
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/address.hpp"
#include "sdk/names.hpp"

namespace switchboard::telephony {

enum class action_type {
  answer,          ///< picks up an incoming call; done when it is answered
  play,            ///< media_urls, loops; done when played
  queue_join,      ///< queue_id, priority, skills; done when an agent has served the caller
  conference_join, ///< conference_id; done when the call is over, or by its limit
  connect,         ///< destination, dial_timeout_ms; done when the other side has hung up
  digits_collect,  ///< digits_max, terminator, branches; done when they are there, goes where the branch says
  goto_action,     ///< action_id, times; at most so often
  sleep,           ///< duration_ms
  hangup,          ///< reason; done when the call is over
};
constexpr std::array<std::string_view, 9> names_of(action_type) {
  return {"answer", "play", "queue_join", "conference_join", "connect", "digits_collect", "goto", "sleep", "hangup"};
}

struct action {
  std::string id; ///< others may go to it; may be empty
  action_type type = action_type::answer;
  json option = json::object(); ///< of its type, complete
  std::string on_failure;       ///< id of the action that follows if this one fails; empty: the next one
  milliseconds limit{0};        ///< after it the run goes on, as after a failure; digits and sleep: as when done
};
void to_json(json& out, const action& from);
void from_json(const json& in, action& into);

inline constexpr std::size_t actions_max = 100;

/// The actions of a run: they never change, and a decision gets a copy of the whole state.
class action_list {
public:
  action_list() = default;
  action_list(std::vector<action> all) : all_(std::make_shared<const std::vector<action>>(std::move(all))) {}
  const std::vector<action>& operator*() const noexcept { return *all_; }
  const std::vector<action>* operator->() const noexcept { return all_.get(); }

private:
  std::shared_ptr<const std::vector<action>> all_ = std::make_shared<const std::vector<action>>();
};
inline void to_json(json& out, const action_list& from) { out = *from; }
inline void from_json(const json& in, action_list& into) { into = in.get<std::vector<action>>(); }

/// The list under that name of a body, checked; complains if it is none.
std::vector<action> read_actions(sdk::body_reader& in, const char* name);

/// Index of the action with that id; empty if there is none.
std::optional<std::size_t> find_action(const std::vector<action>& all, std::string_view id);

/// What a caller has pressed so far: where it leads, if it is complete. `over`: no more digits will come.
struct digits_outcome {
  bool complete = false;
  std::string typed;     ///< without the terminator
  std::string left;      ///< pressed beyond what was asked for
  std::string action_id; ///< where these digits lead; empty: no branch is for them
};
digits_outcome judge_digits(const action& collect, std::string_view digits, bool over);

} // namespace switchboard::telephony
