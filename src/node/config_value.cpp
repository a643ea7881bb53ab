#include "node/config_value.hpp"

#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace switchboard::node {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<unit, 4> duration_units{{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<unit, 5> byte_units{
    {{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"B", 1}}};
// Milliseconds and bytes both end up in signed 64 bits somewhere; nothing sensible comes near.
constexpr std::uint64_t value_max = std::numeric_limits<std::int64_t>::max();

expected<std::uint64_t> parse_with_unit(std::string_view text, std::span<const unit> units, std::string_view example) {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc::result_out_of_range)
    return {errc::bad_format, "is too large"};
  if (problem != std::errc{})
    return {errc::bad_format, "wants a whole number with a unit, e.g. " + std::string{example}};
  const auto suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& candidate : units) {
    if (candidate.name != suffix)
      continue;
    if (number > value_max / candidate.factor)
      return {errc::bad_format, "is too large"};
    return number * candidate.factor;
  }
  std::string names;
  for (const auto& candidate : units)
    names.insert(0, std::string{candidate.name} + (names.empty() ? "" : ", "));
  return {errc::bad_format,
          (suffix.empty() ? "has no unit (" : "has an unknown unit (") + names + "), e.g. " + std::string{example}};
}

std::string print_with_unit(std::uint64_t value, std::span<const unit> units, std::string_view zero) {
  if (value == 0)
    return std::string{zero};
  for (const auto& candidate : units)
    if (value % candidate.factor == 0)
      return std::to_string(value / candidate.factor) + std::string{candidate.name};
  return {}; // not reached: the smallest unit divides everything
}

} // namespace

expected<milliseconds> parse_duration(std::string_view text) {
  const auto value = parse_with_unit(text, duration_units, "\"30s\"");
  if (!value)
    return value.error();
  return milliseconds{static_cast<std::int64_t>(*value)};
}

std::string to_text(milliseconds value) {
  // Minutes are read but not written: "60s" is how protocols and their documents put it.
  constexpr std::array<unit, 3> written{duration_units[0], duration_units[2], duration_units[3]};
  return print_with_unit(static_cast<std::uint64_t>(value.count()), written, "0s");
}

expected<byte_count> parse_bytes(std::string_view text) {
  const auto value = parse_with_unit(text, byte_units, "\"64MiB\"");
  if (!value)
    return value.error();
  return byte_count{*value};
}

std::string to_text(byte_count value) { return print_with_unit(value.value, byte_units, "0B"); }

std::string quoted(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      (((out += "\\u00") += digits[static_cast<unsigned char>(c) >> 4]) += digits[c & 0xf]);
    else
      out += c;
  }
  return out += '"';
}

} // namespace switchboard::node
