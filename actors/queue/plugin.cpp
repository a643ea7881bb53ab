#include "sdk/plugin.hpp"

#include "actors/queue/queue.hpp"

SWITCHBOARD_PLUGIN("queue", "1.0.0", &switchboard::telephony::queue_type)
