#include "sdk/plugin.hpp"

#include "actors/flow/activeflow.hpp"
#include "actors/flow/flow.hpp"

SWITCHBOARD_PLUGIN("flow", "1.0.0", &switchboard::telephony::flow_type, &switchboard::telephony::activeflow_type)
