#include "sdk/plugin.hpp"

#include "actors/agent/agent.hpp"

SWITCHBOARD_PLUGIN("agent", "1.0.0", &switchboard::telephony::agent_type)
