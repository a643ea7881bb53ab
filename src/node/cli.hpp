// The command line: reads the arguments, runs the node or speaks HTTP and WebSocket to a running one.
#pragma once

#include "node/config.hpp"

namespace switchboard::node {

/// What a process ends with.
enum exit_code : int {
  done = 0,
  failed = 1,        ///< said why on stderr
  wrong_usage = 2,   ///< unknown command or option, missing argument
  wrong_config = 78, ///< sysexits' EX_CONFIG; one line: file, line, key, cause
};

/// Returns the exit code. `run` is run_node, handed in so that everything but the node itself can be tested without it.
int run_cli(int argc, const char* const* argv, int (*run)(const config&));

} // namespace switchboard::node
