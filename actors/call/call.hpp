// One call: one leg between us and a far end. It decides; the trunk plugin carries out and reports back.
//
//             create                 ringing            answered
//   (nothing) ──────> dialing ─────────────> ringing ─────────────> progressing
//                        │  hang up / timeout   │                        │ hang up / limit
//                        └──────> canceling <───┘                        v
//                                     │ hung_up                     terminating
//                                     └────────────> hangup <────────────┘ hung_up
//
// `hung_up` from the trunk leads to hangup from everywhere. Two calls that talk to each other are a bridge
// (call_bridge); transfer and parking are built of bridges.
#pragma once

#include <string>

#include "actors/call/call_parts.hpp"
#include "actors/call/call_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct call {
  std::string id;
  std::string customer_id;
  call_status status = call_status::dialing;
  call_direction direction = call_direction::outgoing;
  sdk::address source;
  sdk::address destination;
  bool held = false;
  bool simulated = false;        ///< the trunk says that nobody real is on it
  bool delete_when_over = false; ///< DELETE came while it was live
  sdk::entity_ref owner;         ///< who placed it by message and is told of its answer and end; may be empty
  std::string queue_id;          ///< it waits or is served there; empty if not
  std::string conference_id;     ///< it is in there; empty if not
  milliseconds max_duration{};
  time_point created{};
  time_point ringing_since{};
  time_point answered{};
  time_point ended{};
  time_point updated{};
  calls::rarely<calls::call_parts> parts;
  calls::rarely<calls::call_ending> ending; ///< from when we hang up
};

void to_json(json& out, const call& from);
void from_json(const json& in, call& to);

/// The type for the plugin and for tests.
const sdk::entity_type<call>& call_type();

} // namespace switchboard::telephony
