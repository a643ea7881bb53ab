// Whether to ask a target that has stopped answering. Pure: the caller brings the time and the dice.
//
//   closed --(failures_max timeouts in a row)--> open --(wait over)--> half open: one probe
//     ^                                           ^  \                     |
//     +------------- an answer, whenever it comes -+---+------ answered ---+--- timed out: open again, for twice as
//     long
//
// Whoever asks tells it of answers and timeouts only: an answer that says "error" is an answer.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/back_off.hpp"

namespace switchboard {

struct circuit_limits {
  unsigned failures_max = 5; ///< timeouts in a row, with no answer between them, that open it
  back_off wait{std::chrono::seconds{1}, std::chrono::seconds{30}, 20}; ///< before the first probe, the second, …
};

/// One target. Not thread-safe. Times must not decrease.
class circuit_breaker {
public:
  using clock_time = std::chrono::steady_clock::time_point;
  enum class phase {
    closed,    ///< everything is asked
    open,      ///< nothing is asked until the wait is over
    half_open, ///< one probe is on its way, nothing else is asked
  };
  enum class leave {
    refused, ///< don't ask
    normal,  ///< ask
    probe,   ///< ask, and say so to timed_out()
  };

  explicit circuit_breaker(circuit_limits limits = {}) : limits_(limits) {}

  /// May the target be asked now?
  leave ask(clock_time now) noexcept {
    if (phase_ == phase::closed)
      return leave::normal;
    if (phase_ == phase::half_open || now < until_)
      return leave::refused;
    phase_ = phase::half_open;
    return leave::probe;
  }

  /// It answered, in time or late. True if that closed the circuit.
  bool answered() noexcept {
    const bool closes = phase_ != phase::closed;
    phase_ = phase::closed;
    failures_ = opened_ = 0;
    return closes;
  }

  /// It did not answer what was asked under `under`. True if that opened the circuit. `random`: any 64 random bits.
  bool timed_out(leave under, clock_time now, std::uint64_t random) noexcept {
    const bool opens = phase_ == phase::half_open ? under == leave::probe
                                                  : phase_ == phase::closed && ++failures_ >= limits_.failures_max;
    if (!opens)
      return false; // what was asked before it opened says nothing new
    phase_ = phase::open;
    failures_ = 0;
    until_ = now + limits_.wait.delay(opened_++, random);
    return true;
  }

  /// The probe was not asked after all: the next one may be, at once.
  void probe_withdrawn() noexcept {
    if (phase_ == phase::half_open)
      phase_ = phase::open;
  }

  phase now() const noexcept { return phase_; }
  /// Nothing to remember: as one just made.
  bool is_fresh() const noexcept { return phase_ == phase::closed && failures_ == 0; }
  /// How long it will refuse, at least; while a probe is on its way nobody knows, then the shortest wait.
  milliseconds left(clock_time now) const noexcept {
    if (phase_ == phase::closed)
      return milliseconds{0};
    if (phase_ == phase::half_open || until_ <= now)
      return limits_.wait.first;
    return std::chrono::ceil<milliseconds>(until_ - now);
  }

private:
  circuit_limits limits_;
  phase phase_ = phase::closed;
  unsigned failures_ = 0; ///< in a row, while closed
  unsigned opened_ = 0;   ///< times since the last answer
  clock_time until_{};    ///< open: then a probe may go
};

} // namespace switchboard
