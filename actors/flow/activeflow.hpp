// A run of a flow against one call: one action after the other, each until its report comes or its limit is over. It
// ends with the call.
//
//   starting ──> following ──> running ──> ended
//   asks its     asks the      one action   is looked at for a while,
//   flow         call          at a time    then forgotten
#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/flow/flow_actions.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

enum class activeflow_status { starting, following, running, ended };
constexpr std::array<std::string_view, 4> names_of(activeflow_status) {
  return {"starting", "following", "running", "ended"};
}

struct activeflow {
  std::string id;
  std::string customer_id;
  std::string flow_id; ///< empty: its actions were given with it
  std::string call_id;
  activeflow_status status = activeflow_status::starting;
  std::string reason; ///< why it ended: finished, stopped, call_ended, call_refused, flow_refused, no_answer, limit,
                      ///< too_many_steps
  action_list actions;
  std::size_t at = 0;               ///< the action that runs
  std::int64_t step = 0;            ///< actions begun; names the timer, and what the call is asked for
  bool owns_call = false;           ///< the call was placed with its flow, and ends with it
  bool answered = false;            ///< the call is
  bool accepted = false;            ///< the queue of a queue_join has the caller
  bool is_over = false;             ///< the action is, and the next one begins in a moment unless the call ends
  bool went_well = false;           ///< ... and how
  std::string digits;               ///< pressed, and not collected yet
  std::string collected;            ///< by the last digits_collect
  std::map<std::string, int> jumps; ///< by index of a goto, as text
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<activeflow>& activeflow_type();

} // namespace switchboard::telephony
