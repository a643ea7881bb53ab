#include "sdk/plugin.hpp"

#include "actors/loopback_transcriber/loopback_transcriber.hpp"

SWITCHBOARD_PLUGIN("loopback_transcriber", "1.0.0", &switchboard::telephony::loopback_transcriber_type)
