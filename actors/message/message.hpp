// A text message (SMS) to one or several targets, or one that came in. Each target fares for itself:
//
//                 submitted           delivery_report
//   queued ──────────────────> sent ──────────────────> delivered | failed
//    │  ^ └─ refused for good ──────────────────────────^   ^
//    │  └── refused for now: again after 1 … 32 s           │ late reports
//    ├── no answer ──> gw_timeout ──────────────────────────┤
//                      sent, no report ──> dlr_timeout ─────┘
//
//   to the gateway (entity sms_gateway/<target id>):  submit
//   from it:  submitted, refused {reason, transient}, delivery_report {delivered, reason}, received
#pragma once

#include <string>
#include <vector>

#include "actors/message/message_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

enum class message_direction { outbound, inbound };
constexpr std::array<std::string_view, 2> names_of(message_direction) { return {"outbound", "inbound"}; }

struct target {
  std::string number;
  target_status status = target_status::queued;
  int attempts = 0; ///< submits that the gateway got
  std::string reason;
  time_point updated{};
};

struct text_message {
  std::string id;
  std::string customer_id;
  message_direction direction = message_direction::outbound;
  std::string source;
  std::string text;
  text_encoding encoding = text_encoding::gsm7;
  std::size_t segments = 0;
  std::vector<target> targets; ///< the n-th is known outside as "<id>.<n>", from 1
  bool simulated = false;      ///< the gateway says so
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<text_message>& message_type();

} // namespace switchboard::telephony
