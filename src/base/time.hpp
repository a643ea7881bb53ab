// Time: the clock seam and ISO 8601 text. Whoever decides gets `time_point`s from outside; only the shell asks a clock.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace switchboard {

/// Wall-clock time in UTC with milliseconds, the resolution of every envelope (seed 000).
using time_point = std::chrono::sys_time<std::chrono::milliseconds>;
using milliseconds = std::chrono::milliseconds;

/// The seam behind which tests put virtual time. Thread-safe.
class clock {
public:
  virtual ~clock() = default;
  virtual time_point now() const = 0;
};

/// The machine's wall clock.
class system_clock final : public clock {
public:
  time_point now() const override;
};

/// A clock that stands until it is told to move. For tests; not thread-safe.
class manual_clock final : public clock {
public:
  explicit manual_clock(time_point start = {}) : now_(start) {}
  time_point now() const override { return now_; }
  void advance(milliseconds by) { now_ += by; }

private:
  time_point now_;
};

/// "2026-01-20T12:00:00.000Z", as seed 000 prints it. Always 24 bytes: times outside the years 0000..9999 are cut to
/// the nearest one inside.
std::string to_iso8601(time_point at);

/// Reads what to_iso8601 writes; also without or with 1..9 fraction digits (cut to milliseconds) and with an
/// offset such as +02:00. errc::bad_format otherwise; a leap second (:60) is refused too, since UTC here has none.
expected<time_point> from_iso8601(std::string_view text);

} // namespace switchboard
