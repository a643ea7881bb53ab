// How long to wait before trying again. Pure: the caller counts the attempts and brings the random value, so a test
// or a replayed entity gets the same delays.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace switchboard {

/// Seed 000, "Retry Strategy": the wait before attempt 1, 2, … 7. After the last one a message is a dead letter.
inline constexpr std::array<milliseconds, 7> retry_schedule{
    std::chrono::seconds{0}, std::chrono::seconds{1},  std::chrono::seconds{2}, std::chrono::seconds{4},
    std::chrono::seconds{8}, std::chrono::seconds{16}, std::chrono::seconds{32}};

/// The wait before attempt `attempt` (the first is 1) of a message; empty once the attempts are used up.
constexpr std::optional<milliseconds> retry_delay(std::size_t attempt) noexcept {
  if (attempt < 1 || attempt > retry_schedule.size())
    return std::nullopt;
  return retry_schedule[attempt - 1];
}

/// Doubling waits for what is tried for ever: reconnecting, restarting a child.
struct back_off {
  milliseconds first{100};                     ///< before the first new attempt; at least 1 ms
  milliseconds most{std::chrono::seconds{30}}; ///< never longer than this
  unsigned jitter_percent = 20;                ///< 0..100: how much of the wait the dice may take off

  /// The wait before new attempt `attempt` (the first is 0). `random` is any 64 random bits; it shortens the wait by
  /// up to jitter_percent, so that a thousand clients cut off together don't come back together.
  constexpr milliseconds delay(unsigned attempt, std::uint64_t random) const noexcept {
    auto wait = std::max(first, milliseconds{1});
    for (; attempt > 0 && wait < most; --attempt)
      wait *= 2;
    wait = std::min(wait, most);
    const auto share = static_cast<std::uint64_t>(wait.count()) * std::min(jitter_percent, 100U) / 100;
    return wait - milliseconds{static_cast<milliseconds::rep>(random % (share + 1))};
  }
};

} // namespace switchboard
