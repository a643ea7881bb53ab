// See crashing.hpp.
#include "tests/runtime/plugins/crashing.hpp"

#include "actors/agent/agent.hpp"

SWITCHBOARD_PLUGIN("agent", "9.0.0", &switchboard::test::crashing<&switchboard::telephony::agent_type>)
