// Whether to begin a request, when there is more to do than can be done. A queue serves the oldest first, so under
// overload everything it hands out is about to be late: begun all the same, it would be done after its deadline, every
// time, and nobody would be served. So who can't be served in time is told so, while there is still time to hear it.
// Pure.
//
// How long a request will take is how many are at work before it times how far apart they are done (Little's law).
// Unlike how long the last ones took, that is known as soon as a crowd has begun to form.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/time.hpp"

namespace switchboard::runtime {

/// Of one service. Not thread-safe. If the clock goes back, it measures anew.
class admission {
public:
  /// `at_work`: requests begun and not done. `left`: time to its deadline.
  bool admits(std::size_t at_work, milliseconds left, time_point now) noexcept {
    if (at_work < busy_from) { // no crowd, and nothing that would tell how long things take
      since_.reset();
      apart_ms_ = 0;
      return true;
    }
    if (!since_ || now < *since_)
      begin(now);
    return static_cast<double>(left.count()) >= static_cast<double>(at_work) * apart(now) * margin;
  }

  /// One was done.
  void done(time_point now) noexcept {
    if (!since_)
      return;
    ++count_;
    if (now < *since_ || now - *since_ < window)
      return;
    apart_ms_ = apart(*since_, now, count_);
    begin(now);
  }

private:
  /// What is at work at fewer is no overload.
  static constexpr std::size_t busy_from = 16;
  static constexpr milliseconds window{100}; ///< what is done comes in bursts: measured over so long
  static constexpr double margin = 2;        ///< for those that take longer than others, and for the way back

  static double apart(time_point from, time_point to, std::size_t count) noexcept {
    return static_cast<double>((to - from).count()) / static_cast<double>(count);
  }
  /// Milliseconds; at least what this window says so far, lest a service that has stopped looks as fast as it was.
  double apart(time_point now) const noexcept { return std::max(apart_ms_, apart(*since_, now, count_ + 1)); }

  void begin(time_point now) noexcept {
    since_ = now;
    count_ = 0;
  }

  double apart_ms_ = 0;             ///< of the last window
  std::optional<time_point> since_; ///< begin of this window; empty without a crowd
  std::size_t count_ = 0;           ///< done in it
};

} // namespace switchboard::runtime
