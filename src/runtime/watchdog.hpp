// Finds handlers that take too long – a plugin that blocks, a session that loops – while they still run: logs them
// (`handler_slow`) with who and what, again when they end, and counts them. One thread, a look at each thread that runs
// actors four times within the bound; handlers pay for it in base/handler_section.hpp.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/time.hpp"
#include "runtime/metrics.hpp"

namespace switchboard::runtime {

class watchdog {
public:
  /// `handler_max`: what a handler may take; it is told within a quarter of that after it. `counts` outlives this.
  watchdog(milliseconds handler_max, metrics& counts);
  ~watchdog();

private:
  void watch();
  void look();

  const milliseconds handler_max_;
  metrics& metrics_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false; ///< under mutex_
  std::thread thread_;
};

} // namespace switchboard::runtime
