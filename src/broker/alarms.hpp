// The alarms of the node, as everybody sees them: one value shared by all vhosts, sessions and pages. A monitor sets
// them (runtime/alarm_monitor.hpp); who reads publishers asks before each read.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "broker/alarm_rules.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

/// Thread-safe, without locks.
class alarms {
public:
  explicit alarms(std::uint64_t memory_bytes_max = std::numeric_limits<std::int64_t>::max()) noexcept
      : memory_bytes_max_(static_cast<std::int64_t>(memory_bytes_max)) {}

  /// What is raised now. Memory fills faster than any monitor looks: whoever asks raises that alarm himself.
  alarm_set raised() noexcept {
    if (message::resident_bytes() > memory_bytes_max_)
      set(alarm::memory, true);
    return alarm_set{bits_.load(std::memory_order_acquire)};
  }
  /// What was set last.
  alarm_set known() const noexcept { return alarm_set{bits_.load(std::memory_order_acquire)}; }
  void set(alarm which, bool on) noexcept {
    if (on)
      bits_.fetch_or(alarm_set::bit(which), std::memory_order_acq_rel);
    else
      bits_.fetch_and(static_cast<std::uint8_t>(~alarm_set::bit(which)), std::memory_order_acq_rel);
  }

  // What the operator's pages show beside it.
  std::uint64_t memory_bytes_max() const noexcept { return static_cast<std::uint64_t>(memory_bytes_max_); }
  std::atomic<std::uint64_t> disk_free{0};     ///< bytes, as of the last look
  std::atomic<std::uint64_t> disk_free_min{0}; ///< bytes; 0: not watched

private:
  const std::int64_t memory_bytes_max_;
  std::atomic<std::uint8_t> bits_{0};
};

} // namespace switchboard::broker
