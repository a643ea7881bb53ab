// How long to wait before trying again. Pure: the caller counts the attempts and brings the random value, so a test
// or a replayed entity gets the same delays.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/time.hpp"

namespace switchboard {

/// `wait`, up to 10 % shorter or longer: what failed together doesn't come back together. `random`: any 64 bits.
constexpr milliseconds jittered(milliseconds wait, std::uint64_t random) noexcept {
  constexpr std::int64_t parts = 2001; // -10.00 % … +10.00 %
  const auto share = static_cast<std::int64_t>(random % parts) - 1000;
  // Long waits by their thousandth, so that nothing overflows.
  const auto stray = wait.count() > 1'000'000'000'000 ? wait.count() / 10'000 * share : wait.count() * share / 10'000;
  return wait + milliseconds{stray};
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
