// A rate as JSON: in saved states, in messages between account and billing, and as users write it.
#pragma once

#include "actors/billing/billing_rules.hpp"
#include "sdk/body.hpp"
#include "sdk/names.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(rate, kind, prefix, price_micro, setup_micro, minimum_s, increment_s)

/// Reads what a user wrote; `name` is for the complaint.
rate read_rate(sdk::body_reader& in, const std::string& name, const json& value);

} // namespace switchboard::telephony
