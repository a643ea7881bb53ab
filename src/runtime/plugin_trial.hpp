// Loads plugins in a process of their own first: one whose constructors or entry crash, end the process or never return
// takes only that along. What a plugin does later, in a decision, is not tried: exceptions are caught there
// (entity_instance), a decision that hangs is named by the watchdog, one that corrupts memory ends the node.
//
//   node -- spawn: command FILE... --> child: load_plugin() for each, one line for each --> pipe --> node
#pragma once

#include <string>
#include <vector>

#include "base/expected.hpp"
#include "base/time.hpp"

namespace switchboard::runtime {

struct plugin_trial {
  std::vector<std::string>
      command;                ///< becomes run_plugin_trial(files) with the files behind it; empty: nothing is tried
  milliseconds limit{10'000}; ///< for each plugin, and the start of the process with the first
};

/// One outcome for each of `paths`: none, or why it must not be loaded, as load_plugin() says it. Blocks; thread-safe.
std::vector<expected<void>> try_plugins(const plugin_trial& how, const std::vector<std::string>& paths);

/// The child's side. Ends the process without running destructors: plugins may have made some.
[[noreturn]] void run_plugin_trial(const std::vector<std::string>& paths);

} // namespace switchboard::runtime
