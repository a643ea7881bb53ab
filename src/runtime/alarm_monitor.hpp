// Looks at memory, disk and store, sets the node's alarms by the rules of broker/alarm_rules.hpp, tells the log and the
// connections. On a thread of its own: a busy scheduler must not make it late.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "runtime/node_context.hpp"
#include "store/store.hpp"

namespace switchboard::runtime {

/// Owned by the node; node and store outlive it.
class alarm_monitor {
public:
  struct settings {
    std::string directory;           ///< whose file system is watched
    std::uint64_t disk_free_min = 0; ///< bytes; 0: the disk is not watched
    std::uint64_t log_bytes_max = 0; ///< of the store: as much may come to its map at any time
  };
  /// Has looked once when it returns, and looks on until it is destroyed.
  alarm_monitor(node_context& node, std::shared_ptr<store::environment> store, settings how);
  ~alarm_monitor();
  alarm_monitor(const alarm_monitor&) = delete;
  alarm_monitor& operator=(const alarm_monitor&) = delete;

private:
  milliseconds look();
  void say(broker::alarm which, bool raised, broker::headroom at) const;
  void run(milliseconds first);

  node_context& node_;
  const std::shared_ptr<store::environment> store_;
  const settings how_;
  broker::alarm_set told_; ///< of the thread that looks
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_; ///< last: starts when the rest is there
};

} // namespace switchboard::runtime
