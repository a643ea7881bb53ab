#include "sdk/plugin.hpp"

#include "actors/transcribe/transcribe.hpp"

SWITCHBOARD_PLUGIN("transcribe", "1.0.0", &switchboard::telephony::transcribe_type)
