#include "sdk/plugin.hpp"

#include "actors/message/message.hpp"

SWITCHBOARD_PLUGIN("message", "1.0.0", &switchboard::telephony::message_type)
