// Whether to begin a request, when there is more to do than can be done. A queue serves the oldest first, so under
// overload everything it hands out is about to be late: begun all the same, it would be done after its deadline, every
// time, and nobody would be served. So who can't be served in time is told so, while there is still time to hear it.
// Pure.
#pragma once

#include <algorithm>
#include <cstddef>

#include "base/time.hpp"

namespace switchboard::runtime {

/// Of one service. Not thread-safe.
class admission {
public:
  /// `at_work`: requests begun and not done. `left`: time to its deadline.
  bool admits(std::size_t at_work, milliseconds left) const noexcept {
    return at_work < busy_from || left.count() >= ms_ * margin;
  }

  /// One was done, so long after it had begun.
  void done(milliseconds took) noexcept { ms_ += (static_cast<double>(std::max(took.count(), {})) - ms_) * weight; }

  milliseconds expected() const noexcept { return milliseconds{static_cast<milliseconds::rep>(ms_)}; }

private:
  /// With fewer at work there is no overload, and perhaps nothing that would tell how long things take now.
  static constexpr std::size_t busy_from = 64;
  static constexpr double weight = 1.0 / 64; ///< of one request in the mean
  static constexpr double margin = 2;        ///< for those that take longer than the mean, and for the way back

  double ms_ = 0; ///< what a request took lately
};

} // namespace switchboard::runtime
