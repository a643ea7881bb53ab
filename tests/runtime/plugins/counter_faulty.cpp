// See counter_v2.cpp.
#define COUNTER_FAULTY
#include "tests/runtime/plugins/counter_v2.cpp"
