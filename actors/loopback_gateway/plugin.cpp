#include "sdk/plugin.hpp"

#include "actors/loopback_gateway/loopback_gateway.hpp"

SWITCHBOARD_PLUGIN("loopback_gateway", "1.0.0", &switchboard::telephony::loopback_gateway_type)
