#include "sdk/plugin.hpp"

#include "actors/talk/chat.hpp"

SWITCHBOARD_PLUGIN("talk", "1.0.0", &switchboard::telephony::chat_type)
