// The money of one customer; the entity's id is the customer's, so that the events of calls and messages find it. It
// rates what it hears of and has each call or message billed by an entity of its own (billing.hpp), which asks it for
// money: reserve before, settle after. Always: 0 <= reserved <= balance + credit limit.
//
//   heard:         call.created, call.answered, call.ended, call.record, sms.sent
//   to a billing:  open, close, charge; granted, refused, settled
//   from it:       reserve, settle
//   to a call:     hang_up {reason: insufficient_balance}
#pragma once

#include <string>
#include <vector>

#include "actors/billing/billing_rules.hpp"
#include "sdk/entity.hpp"

namespace switchboard::telephony {

enum class account_level {
  good,
  low,       ///< the balance is at or below low_balance_micro
  exhausted, ///< something could not be paid
};
constexpr std::array<std::string_view, 3> names_of(account_level) { return {"good", "low", "exhausted"}; }

struct account {
  std::string id;
  std::string customer_id; ///< the same
  std::string currency = "USD";
  account_level level = account_level::good;
  micros balance_micro = 0;
  micros reserved_micro = 0;     ///< for calls that go on
  micros credit_limit_micro = 0; ///< the balance may fall to minus that
  micros low_balance_micro = 0;
  micros charged_micro = 0; ///< all that was ever taken
  std::vector<rate> rates;
  time_point created{};
  time_point updated{};
};

const sdk::entity_type<account>& account_type();

} // namespace switchboard::telephony
