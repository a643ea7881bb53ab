#include "sdk/plugin.hpp"

#include "actors/call/call.hpp"

SWITCHBOARD_PLUGIN("call", "2.0.0", &switchboard::telephony::call_type)
