#include "sdk/plugin.hpp"

#include "actors/loopback_trunk/loopback_trunk.hpp"

SWITCHBOARD_PLUGIN("loopback_trunk", "2.0.0", &switchboard::telephony::loopback_trunk_type,
                   &switchboard::telephony::loopback_room_type)
