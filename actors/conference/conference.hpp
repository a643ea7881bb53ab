// A conference: the calls that hear each other. Leaving means hanging up, as VoIPBIN has it, so a participant goes when
// its call says that it ended.
//
//   create ──> progressing ── stop, or too few left ──> terminating ── last one out ──> terminated
#pragma once

#include <string>
#include <vector>

#include "actors/conference/conference_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

struct participant {
  std::string call_id;
  participant_status status = participant_status::joining;
  bool was_in = false; ///< it had joined before it began to leave
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
  bool used = false; ///< somebody has joined
  bool delete_when_over = false;
  time_point created{};
  time_point updated{};
  time_point ended{};
};

const sdk::entity_type<conference>& conference_type();

} // namespace switchboard::telephony
