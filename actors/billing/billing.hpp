// What one call or one text message costs; the entity's id is the call's or the sms target's, so nothing is charged
// twice. A call is paid ahead, slice by slice, as in credit control (RFC 8506):
//
//   open ── its time is nearly over: reserve again ──┐     refused: to the end of what is paid, then hang up
//    ^───────────────────── granted ─────────────────┘           │
//    │ the call ends                                              v
//    └────────────> settling ── settled ──> settled       hanging_up ── the call ends, or silence ──> settling
#pragma once

#include <string>

#include "actors/billing/billing_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

enum class billing_status {
  open,       ///< the call goes on
  hanging_up, ///< the money is used up, the call was told so
  settling,   ///< the account was told the amount
  settled,    ///< over; only kept to be looked at
};
constexpr std::array<std::string_view, 4> names_of(billing_status) {
  return {"open", "hanging_up", "settling", "settled"};
}

struct billing {
  std::string id;
  std::string customer_id;
  billing_status status = billing_status::open;
  std::string destination;
  rate priced_by;
  micros granted_micro = 0; ///< reserved for it at the account
  bool asked = false;       ///< a reserve is not answered yet
  bool over = false;        ///< the call has ended while `asked`
  bool followed = false;    ///< the call was asked to tell us of its end
  milliseconds length{};    ///< of the call
  std::int64_t segments = 0;
  micros amount_micro = 0;      ///< what was taken
  micros uncollected_micro = 0; ///< what it would have cost beyond that
  std::string reason;           ///< "insufficient_balance" if we ended the call, "lost" if we never heard its end
  time_point started{};
  time_point ended{};
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<billing>& billing_type();

} // namespace switchboard::telephony
