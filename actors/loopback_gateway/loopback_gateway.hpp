// An SMS gateway that reaches nobody: one entity per target, under the target's id, plays the phone by its number.
// Every report says "simulated": true.
//
//   from the message:  submit
//   to the message:    submitted, refused {reason, transient}, delivery_report {delivered, reason}; to a new one:
//   received
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "sdk/entity.hpp"

namespace switchboard::telephony {

enum class submission_phase {
  taken,    ///< about to be answered
  answered, ///< about to be reported
};
constexpr std::array<std::string_view, 2> names_of(submission_phase) { return {"taken", "answered"}; }

struct submission {
  std::string customer_id;
  submission_phase phase = submission_phase::taken;
  std::string source;
  std::string destination;
  std::string text;
  sdk::entity_ref message; ///< who is told
};

const sdk::entity_type<submission>& loopback_gateway_type();

} // namespace switchboard::telephony
