#include "base/time.hpp"

#include <gtest/gtest.h>

#include <random>

namespace switchboard {
namespace {

using namespace std::chrono;
using namespace std::chrono_literals;

const time_point noon = sys_days{2026y / January / 20} + 12h;

TEST(time, prints_as_the_documentation_does) {
  EXPECT_EQ(to_iso8601(noon), "2026-01-20T12:00:00.000Z");
  EXPECT_EQ(to_iso8601(noon + 1ms), "2026-01-20T12:00:00.001Z");
  EXPECT_EQ(to_iso8601(time_point{-1ms}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_iso8601(time_point{}), "1970-01-01T00:00:00.000Z");
}

TEST(time, prints_24_bytes_whatever_the_value) {
  EXPECT_EQ(to_iso8601(time_point::max()), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(to_iso8601(time_point::min()), "0000-01-01T00:00:00.000Z");
}

TEST(time, reads_the_forms_clients_send) {
  const std::pair<const char*, time_point> forms[] = {
      {"2026-01-20T12:00:00.000Z", noon},
      {"2026-01-20T12:00:00Z", noon},
      {"2026-01-20T12:00:00.5Z", noon + 500ms},
      {"2026-01-20T12:00:00.07Z", noon + 70ms},
      {"2026-01-20T12:00:00.123999999Z", noon + 123ms},
      {"2026-01-20T14:00:00+02:00", noon},
      {"2026-01-20T06:30:00.250-05:30", noon + 250ms},
      {"2024-02-29T00:00:00Z", sys_days{2024y / February / 29}},
  };
  for (const auto& [text, at] : forms) {
    const auto read = from_iso8601(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(*read, at) << text;
  }
}

TEST(time, refuses_what_is_no_time) {
  for (const auto* wrong : {"",
                            "2026-01-20",
                            "2026-01-20T12:00:00",
                            "2026-01-20 12:00:00Z",
                            "2026-13-20T12:00:00Z",
                            "2026-02-29T12:00:00Z",
                            "2026-00-20T12:00:00Z",
                            "2026-01-00T12:00:00Z",
                            "2026-01-20T24:00:00Z",
                            "2026-01-20T12:60:00Z",
                            "2026-01-20T12:00:60Z",
                            "2026-01-20T12:00:00.Z",
                            "2026-01-20T12:00:00.1234567890Z",
                            "2026-01-20T12:00:00+24:00",
                            "2026-01-20T12:00:00+0200",
                            "2026-01-20T12:00:00ZZ",
                            "+2026-01-20T12:00:00Z",
                            "2026-01-20T12:00:0\xb2Z",
                            "-026-01-20T12:00:00Z",
                            "2026-1-20T12:00:00Z"}) {
    const auto read = from_iso8601(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code, errc::bad_format) << wrong;
  }
}

TEST(time, refuses_every_cut_off_prefix) {
  const std::string whole = "2026-01-20T12:00:00.000+02:00";
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(from_iso8601(whole.substr(0, size))) << size;
  EXPECT_TRUE(from_iso8601(whole));
}

TEST(time, reads_back_what_it_prints) {
  std::mt19937_64 dice{1};
  std::uniform_int_distribution<std::int64_t> any{-62167219200000, 253402300799999}; // years 0000 to 9999
  for (int i = 0; i < 10000; ++i) {
    const time_point at{milliseconds{any(dice)}};
    const auto read = from_iso8601(to_iso8601(at));
    ASSERT_TRUE(read);
    ASSERT_EQ(*read, at) << to_iso8601(at);
  }
}

TEST(clock, a_manual_clock_stands_until_told) {
  manual_clock clock{noon};
  EXPECT_EQ(clock.now(), noon);
  clock.advance(1500ms);
  EXPECT_EQ(clock.now(), noon + 1500ms);
}

TEST(clock, the_systems_clock_agrees_with_the_standard_library) {
  const auto before = floor<milliseconds>(std::chrono::system_clock::now());
  const auto asked = system_clock{}.now();
  const auto after = std::chrono::system_clock::now();
  EXPECT_LE(before, asked);
  EXPECT_LE(asked, after);
}

} // namespace
} // namespace switchboard
