// See counter_v2.cpp.
#define COUNTER_ONE_WAY
#include "tests/runtime/plugins/counter_v2.cpp"
