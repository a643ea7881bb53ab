// See crashing.hpp.
#include "tests/runtime/plugins/crashing.hpp"

#include "actors/queue/queue.hpp"

SWITCHBOARD_PLUGIN("queue", "9.0.0", &switchboard::test::crashing<&switchboard::telephony::queue_type>)
