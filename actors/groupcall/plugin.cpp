#include "sdk/plugin.hpp"

#include "actors/groupcall/groupcall.hpp"

SWITCHBOARD_PLUGIN("groupcall", "1.0.0", &switchboard::telephony::groupcall_type)
