// See crashing.hpp.
#include "tests/runtime/plugins/crashing.hpp"

#include "actors/call/call.hpp"

SWITCHBOARD_PLUGIN("call", "9.0.0", &switchboard::test::crashing<&switchboard::telephony::call_type>)
