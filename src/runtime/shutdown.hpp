// Going down in phases, each with its share of time. A phase that takes too long is left behind, and the log names who
// blocked it: "it hangs at shutdown" is the classic complaint about actor systems.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "runtime/directory.hpp"

namespace switchboard::runtime {

struct shutdown_phase {
  std::string name;     ///< "drain", "finish", …
  milliseconds most{0}; ///< time it may take
  std::string blockers; ///< path prefix in the directory of those it waits for
  /// Does the work; false if it was not done when `most` was over.
  std::function<bool(milliseconds most)> run;
};

struct phase_report {
  std::string name;
  bool in_time = true;
  milliseconds took{0};
  /// At most 10 paths: who is stuck in a handler, then who has messages waiting, else who is left.
  std::vector<std::string> blocked_by;
};

/// Runs all phases in order on the calling thread, whatever becomes of each, and logs them.
std::vector<phase_report> run_phases(const std::vector<shutdown_phase>& phases, const directory& who);

} // namespace switchboard::runtime
