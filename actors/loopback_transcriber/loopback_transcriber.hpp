// A speech engine that hears nothing: one entity per transcription, under its id, says a line every few seconds, in
// turn for both directions. Every report says "simulated": true.
//
//   from the transcription:  start, stop
//   to it:                   started, speech {direction, text, start_ms}, stopped {reason}
#pragma once

#include <string>

#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct listening {
  std::string customer_id;
  std::string direction;
  std::int64_t pieces = 0; ///< said so far
  time_point since{};
  sdk::entity_ref transcription; ///< who is told
};

const sdk::entity_type<listening>& loopback_transcriber_type();

} // namespace switchboard::telephony
