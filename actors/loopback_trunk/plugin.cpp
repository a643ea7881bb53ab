#include "sdk/plugin.hpp"

#include "actors/loopback_trunk/loopback_trunk.hpp"

SWITCHBOARD_PLUGIN("loopback_trunk", "1.0.0", &switchboard::telephony::loopback_trunk_type)
