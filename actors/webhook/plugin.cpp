#include "sdk/plugin.hpp"

#include "actors/webhook/webhook.hpp"

SWITCHBOARD_PLUGIN("webhook", "1.0.0", &switchboard::telephony::webhook_type)
