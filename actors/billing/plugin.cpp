#include "sdk/plugin.hpp"

#include "actors/billing/account.hpp"
#include "actors/billing/billing.hpp"

SWITCHBOARD_PLUGIN("billing", "1.0.0", &switchboard::telephony::account_type, &switchboard::telephony::billing_type)
