// A conference: the calls that hear each other. Being put out means being hung up, as VoIPBIN has it, so a participant
// goes when its call says that it ended, or left without ending (transferred, let go). Who is in is checked against
// what the calls themselves say, and they check it against the trunk: a report that got lost is made good.
//
//   create ──> progressing ── stop, or too few left ──> terminating ── last one out ──> terminated
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/conference/conference_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct participant {
  std::string call_id;
  participant_status status = participant_status::joining;
  bool was_in = false; ///< it had joined before it began to leave
  bool let_go = false; ///< leaving, but not hung up
  bool held = false;
  std::string mute;        ///< in, out, both; empty: not muted
  std::uint64_t visit = 0; ///< which of our invitations: what belongs to an older one is not meant
  std::uint64_t check = 0; ///< the check it has still to answer; an answer to another one is stale
  unsigned misses = 0;     ///< checks since it last said something
};

struct conference {
  std::string id;
  std::string customer_id;
  conference_kind kind = conference_kind::conference;
  conference_status status = conference_status::progressing;
  std::string name;
  std::string detail;
  sdk::entity_ref owner; ///< the queue that made it and is told; may be empty
  std::vector<participant> participants;
  bool used = false;     ///< somebody has joined
  bool complete = false; ///< all who were asked have been in at the same time
  bool delete_when_over = false;
  bool locked = false;                    ///< nobody may join any more
  std::string recording_id;               ///< of what is being recorded
  std::vector<sdk::entity_ref> followers; ///< who else is told of its end
  std::uint64_t invited = 0;
  std::uint64_t checks = 0;
  time_point created{};
  time_point updated{};
  time_point ended{};
};

bool nobody_is_coming(const conference& c);

void to_json(json& out, const conference& from);
void from_json(const json& in, conference& to);

const sdk::entity_type<conference>& conference_type();

} // namespace switchboard::telephony
