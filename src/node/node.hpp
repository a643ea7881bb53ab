// The node: everything composed. Called by `switchboard run` with a configuration that has been checked.
#pragma once

#include "node/config.hpp"

namespace switchboard::node {

/// Starts store, broker, actors and bridges, prints the addresses, waits for SIGTERM or SIGINT and drains. Returns the
/// exit code: 0 after an orderly stop, 1 if something could not start (it has said what, in one line, on stderr).
int run_node(const config& settings);

} // namespace switchboard::node
