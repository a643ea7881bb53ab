// A transcription of a call or a conference. The speech is heard by an engine, another plugin; this one keeps it
// company from the first word to the end of the call.
//
//   starting ── the engine listens ──> progressing ── stop, end of the call ──> stopping ── stopped ──> done
//      └── refused, or nobody answers ───────────────────────────────────────────────────────────────^
//
//   to the call or conference:  follow, unfollow
//   from it:                    <x>_followed {status}, <x>_refused {reason}, call_answered, <x>_ended
//   to the engine (entity transcriber/<id>):  start, stop
//   from it:                    started, speech {direction, text, start_ms}, stopped {reason}
#pragma once

#include <string>
#include <vector>

#include "actors/transcribe/transcribe_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

/// One piece of speech.
struct transcript {
  std::string id;
  speech_direction direction = speech_direction::in;
  std::string text;
  std::int64_t start_ms = 0; ///< since the engine began to listen
  time_point heard{};
};

struct transcribe {
  std::string id;
  std::string customer_id;
  transcribe_status status = transcribe_status::starting;
  reference_type kind = reference_type::call;
  std::string reference_id;
  std::string language;
  speech_direction direction = speech_direction::both;
  bool engine_asked = false;
  bool delete_when_over = false;
  bool simulated = false;              ///< the engine says so
  std::vector<transcript> transcripts; ///< the last ones; older ones are in the event log alone
  std::uint64_t transcript_count = 0;
  std::string reason; ///< why it ended: stopped, call_ended, conference_ended, max_duration, not_found …
  time_point created{};
  time_point started{};
  time_point ended{};
  time_point updated{};
};

const sdk::entity_type<transcribe>& transcribe_type();

} // namespace switchboard::telephony
