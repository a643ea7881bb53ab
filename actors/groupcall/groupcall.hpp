// A group call: several destinations, one talk. It exists before its calls, so that none of their news is lost, and it
// alone says who has answered first.
//
//   create ──> progressing ── somebody answers: the others are hung up ──> (progressing) ── the winner ends ──> hangup
//                   └── hang up, or its master is over ──> hangingup ── the last call is over ──> hangup
#pragma once

#include <string>
#include <vector>

#include "actors/groupcall/groupcall_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct groupcall_member {
  std::string call_id;
  sdk::address destination;
  member_status status = member_status::waiting;
  std::string reason; ///< why it ended
};

struct groupcall {
  std::string id;
  std::string customer_id;
  groupcall_status status = groupcall_status::progressing;
  ring_method method = ring_method::ring_all;
  sdk::address source;
  std::vector<groupcall_member> members;
  std::string answer_call_id; ///< who answered first; empty: nobody yet
  std::string master_call_id; ///< the call whose end ends this; may be empty
  std::string flow_id;        ///< begins with who answered; may be empty
  std::string activeflow_id;  ///< the run of it
  milliseconds dial_timeout{};
  milliseconds max_duration{};
  bool delete_when_over = false;
  time_point created{};
  time_point answered{};
  time_point updated{};
  time_point ended{};
};

const sdk::entity_type<groupcall>& groupcall_type();

} // namespace switchboard::telephony
