// Named places where tests make the process kill itself, by SIGKILL: what a crash leaves there is found again at the
// next start. Armed by the environment (SWITCHBOARD_FAIL_POINT=name:pass[,name:pass…]); otherwise a place costs one
// relaxed load.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/expected.hpp"

namespace switchboard {

/// In the order of a message's way; fail_point.cpp has the names.
enum class fail_point : std::uint8_t {
  log_before_write,           ///< of the group nothing is in the log's file
  log_after_write,            ///< it is, and not synced
  log_after_sync,             ///< it is synced, and nobody knows
  checkpoint_before_commit,   ///< the lump is in LMDB's transaction, which is open
  checkpoint_after_commit,    ///< it is in LMDB, and still in the log
  recovery_before_commit,     ///< at the start: what the log has is in LMDB's transaction, which is open
  recovery_after_commit,      ///< it is in LMDB, and still in the log
  queue_before_deletions,     ///< messages are settled, their deletions not submitted
  queue_after_deletions,      ///< they are
  dead_letters_before_commit, ///< the move is made up, and not submitted
  dead_letters_after_commit,  ///< it is submitted, and the letters are not with their queues
  entity_before_commit,       ///< the decision is made, and not submitted
  entity_submitted,           ///< it is submitted, and not known to be durable
  entity_committed,           ///< it is durable, and none of its effects has left
};
inline constexpr std::size_t fail_point_count = 14;

std::string_view text(fail_point where) noexcept;

/// For each point the pass at which the process ends, from 1 on; 0: never.
using fail_plan = std::array<std::uint32_t, fail_point_count>;
/// errc::bad_format with what is wrong.
expected<fail_plan> parse_fail_plan(std::string_view text);

/// Counts passes. Thread-safe, but for arm(), which comes before any of them.
class fail_points {
public:
  void arm(const fail_plan& plan) noexcept;
  bool are_armed() const noexcept { return armed_.load(std::memory_order_relaxed); }
  /// True at the one pass that the plan names.
  bool is_over(fail_point where) noexcept;

private:
  std::atomic<bool> armed_{false};
  std::array<std::atomic<std::uint32_t>, fail_point_count> left_{}; ///< passes; 0: it never comes, or is over
};

/// Of this process.
inline constinit fail_points the_fail_points;

/// Doesn't return.
void end_by_sigkill() noexcept;

/// The place itself.
inline void pass(fail_point where) noexcept {
  if (the_fail_points.are_armed() && the_fail_points.is_over(where)) [[unlikely]]
    end_by_sigkill();
}

} // namespace switchboard
