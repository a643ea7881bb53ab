#include "base/time.hpp"

#include <algorithm>
#include <cstdio>

namespace switchboard {

namespace {

using namespace std::chrono;

constexpr time_point first_writable = sys_days{year{0} / 1 / 1};
constexpr time_point last_writable = sys_days{year{9999} / 12 / 31} + days{1} - milliseconds{1};

/// Takes fixed pieces off the front of the text; `ok` turns false at the first piece that doesn't fit.
class reader {
public:
  explicit reader(std::string_view text) : rest_(text) {}

  bool ok() const noexcept { return ok_; }
  bool done() const noexcept { return rest_.empty(); }
  bool next_is(char c) const noexcept { return !rest_.empty() && rest_.front() == c; }

  void skip(char c) {
    if (!next_is(c))
      fail();
    else
      rest_.remove_prefix(1);
  }

  /// Exactly `digits` decimal digits, within 0..most.
  int number(int digits, int most) {
    int value = 0;
    for (; digits > 0; --digits)
      value = value * 10 + digit();
    if (value > most)
      fail();
    return value;
  }

  /// 1..9 digits after the point, cut to milliseconds.
  milliseconds fraction() {
    int value = 0;
    int count = 0;
    for (; count < 9 && (count == 0 || (!rest_.empty() && is_digit(rest_.front()))); ++count) {
      const auto next = digit();
      if (count < 3)
        value = value * 10 + next;
    }
    for (; count < 3; ++count)
      value *= 10;
    return milliseconds{value};
  }

  void fail() noexcept {
    ok_ = false;
    rest_ = {};
  }

private:
  static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

  int digit() {
    if (rest_.empty() || !is_digit(rest_.front())) {
      fail();
      return 0;
    }
    const int value = rest_.front() - '0';
    rest_.remove_prefix(1);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

sys_days read_date(reader& in) {
  const year y{in.number(4, 9999)};
  in.skip('-');
  const month m{static_cast<unsigned>(in.number(2, 12))};
  in.skip('-');
  const day d{static_cast<unsigned>(in.number(2, 31))};
  const year_month_day date{y, m, d};
  if (!date.ok()) {
    in.fail();
    return {};
  }
  return sys_days{date};
}

milliseconds read_time_of_day(reader& in) {
  const hours h{in.number(2, 23)};
  in.skip(':');
  const minutes m{in.number(2, 59)};
  in.skip(':');
  const seconds s{in.number(2, 59)};
  milliseconds fraction{0};
  if (in.next_is('.')) {
    in.skip('.');
    fraction = in.fraction();
  }
  return h + m + s + fraction;
}

minutes read_offset(reader& in) {
  if (in.next_is('Z')) {
    in.skip('Z');
    return minutes{0};
  }
  const bool west = in.next_is('-');
  in.skip(west ? '-' : '+');
  const hours h{in.number(2, 23)};
  in.skip(':');
  const minutes m{in.number(2, 59)};
  return west ? -(h + m) : h + m;
}

} // namespace

time_point system_clock::now() const { return floor<milliseconds>(std::chrono::system_clock::now()); }

std::string to_iso8601(time_point at) {
  at = std::clamp(at, first_writable, last_writable);
  const auto midnight = floor<days>(at);
  const year_month_day date{midnight};
  const hh_mm_ss time{at - midnight};
  char text[40];
  const int size =
      std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                    static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
  return {text, static_cast<std::size_t>(size)};
}

expected<time_point> from_iso8601(std::string_view text) {
  reader in{text};
  const auto date = read_date(in);
  in.skip('T');
  const auto time = read_time_of_day(in);
  const auto offset = read_offset(in);
  if (!in.ok() || !in.done())
    return {errc::bad_format, "not a time like 2026-01-20T12:00:00.000Z"};
  return time_point{date} + time - offset;
}

} // namespace switchboard
