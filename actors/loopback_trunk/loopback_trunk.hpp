// A trunk that reaches nobody: one entity per leg, under the id of its call, plays the far end by the dialled number.
// Every report says "simulated": true.
//
//   from the call:  originate, simulate_arrival, answer, hold, bridge, hang_up
//   to the call:    ringing, answered, hung_up {reason}
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "sdk/entity.hpp"

namespace switchboard::telephony {

enum class leg_phase {
  dialing,  ///< on its way to the far end
  ringing,  ///< the far end rings; or the caller waits for our answer
  answered, ///< both talk
};
constexpr std::array<std::string_view, 3> names_of(leg_phase) { return {"dialing", "ringing", "answered"}; }

struct leg {
  std::string customer_id;
  leg_phase phase = leg_phase::dialing;
  bool arriving = false; ///< the far end called us
  bool held = false;
  sdk::address far_end; ///< the destination, or of an arriving leg the caller
  sdk::entity_ref call; ///< who is told
  std::string conference_id;
};

const sdk::entity_type<leg>& loopback_trunk_type();

} // namespace switchboard::telephony
