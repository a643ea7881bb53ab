#include "sdk/plugin.hpp"

#include "actors/conference/conference.hpp"

SWITCHBOARD_PLUGIN("conference", "2.0.0", &switchboard::telephony::conference_type)
