// Whose delivery goes next: at most so many at once, first come first served, and no attempt for a target that has
// stopped answering but one probe from time to time (base/circuit_breaker.hpp), so that dead targets take no places
// from living ones. Pure: the caller brings time and dice.
//
//   join ──> waiting ──next──> under way ──over──> (gone)
//              ^  └─ circuit open ─> held until its wait is over, or the target answers somebody else
//              └─────────────────────┘
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/circuit_breaker.hpp"

namespace switchboard::webhook {

/// Not thread-safe. Times must not decrease.
class turns {
public:
  using clock_time = circuit_breaker::clock_time;
  using ticket = std::uint64_t; ///< the caller's name for an attempt, never reused

  explicit turns(std::size_t at_once_max, circuit_limits limits = {}) : at_once_max_(at_once_max), limits_(limits) {}

  /// `origin`: scheme, host and port, which share a fate.
  void join(ticket who, std::string origin);
  /// It wants no turn any more. False if it waits for none.
  bool leave(ticket who);
  /// Who may go now, if anybody; it is under way from then on.
  std::optional<ticket> next(clock_time now);
  /// Its attempt ended; `answered` says whether the target gave any answer. `random`: any 64 bits.
  void over(ticket who, bool answered, clock_time now, std::uint64_t random);
  /// Its attempt ended before the target was asked.
  void not_asked(ticket who);
  /// When next() may have more to say without join() or over(): the end of the first wait.
  std::optional<clock_time> next_look() const;

  std::size_t under_way() const noexcept { return under_way_.size(); }
  std::size_t waiting() const noexcept { return waiting_.size() + held_.size(); }
  /// Origins that are not asked now.
  std::size_t open_circuits() const noexcept;

private:
  struct attempt {
    ticket who = 0;
    std::string origin;
  };
  void release_due(clock_time now);
  void release(const std::string& origin);

  const std::size_t at_once_max_;
  const circuit_limits limits_;
  std::deque<attempt> waiting_;
  std::multimap<clock_time, attempt> held_;
  struct running {
    std::string origin;
    circuit_breaker::leave under = circuit_breaker::leave::normal;
  };
  std::unordered_map<ticket, running> under_way_;
  std::unordered_map<std::string, circuit_breaker> broken_; ///< those that did not answer of late
};

} // namespace switchboard::webhook
