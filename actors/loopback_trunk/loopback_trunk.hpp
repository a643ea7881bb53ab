// A trunk that reaches nobody: one entity per leg, under the id of its call, plays the far end by the dialled number.
// Every report says "simulated": true.
//
//   from the call:  originate, simulate_arrival, answer, hang_up, hold, mute, bridge, unbridge, play, stop_play,
//                   send_digits, record_start, record_stop, check
//   to the call:    ringing, answered, hung_up {reason}, digit, play_finished, leg_status
//
// A second kind of entity, `trunk_room`, under the id of its conference, records what is said there.
#pragma once

#include <array>
#include <cstdint>
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
  sdk::address far_end;        ///< the destination, or of an arriving leg the caller
  sdk::entity_ref call;        ///< who is told
  std::string conference_id;   ///< it hears that conference
  std::string bridged_call_id; ///< or that call; never both
  std::string mute;            ///< in, out, both; empty: not muted
  std::string play_id;         ///< of what is played to it
  std::string recording_id;
  std::string digits_sent; ///< the last ones; nobody is there to hear them
  std::uint64_t pressed = 0;
};

/// What a conference has of its own at the trunk: a recorder.
struct trunk_room {
  std::string customer_id;
  std::string recording_id;
};

const sdk::entity_type<leg>& loopback_trunk_type();
const sdk::entity_type<trunk_room>& loopback_room_type();

} // namespace switchboard::telephony
