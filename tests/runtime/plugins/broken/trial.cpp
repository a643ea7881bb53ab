// The process that tries plugins for the tests of the runtime; for a node it is the node's own binary.
#include "runtime/plugin_trial.hpp"

int main(int argc, char** argv) { switchboard::runtime::run_plugin_trial({argv + 1, argv + argc}); }
