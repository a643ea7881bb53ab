// Enums with names and times, as JSON. An enum gets its text form by one function beside it, found by its argument:
//
//   enum class phase { ringing, busy };
//   constexpr auto names_of(phase) { return std::array<std::string_view, 2>{"ringing", "busy"}; }
//
// Values count from 0 in the order of the names. A text that is none of them throws on reading, so a damaged state
// fails to open instead of turning into another one.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "messages/envelope.hpp"

namespace switchboard::sdk {

template <class Enum>
concept named = std::is_enum_v<Enum> && requires(Enum value) {
  names_of(value);
};

template <named Enum>
constexpr std::string_view text(Enum value) noexcept {
  return names_of(value)[static_cast<std::size_t>(value)];
}

template <named Enum>
constexpr std::optional<Enum> from_text(std::string_view name) noexcept {
  const auto names = names_of(Enum{});
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (names[at] == name)
      return static_cast<Enum>(at);
  }
  return std::nullopt;
}

/// ISO 8601 for people and programs outside; null for "never" (the zero time).
inline json shown(time_point at) { return at == time_point{} ? json{} : json(to_iso8601(at)); }

} // namespace switchboard::sdk

template <switchboard::sdk::named Enum>
struct nlohmann::adl_serializer<Enum, void> {
  static void to_json(json& out, Enum value) { out = switchboard::sdk::text(value); }
  static void from_json(const json& in, Enum& value) {
    const auto found = switchboard::sdk::from_text<Enum>(in.get_ref<const std::string&>());
    if (!found)
      throw std::runtime_error("unknown name: " + in.get<std::string>());
    value = *found;
  }
};

// States keep times and durations as whole milliseconds.
template <>
struct nlohmann::adl_serializer<switchboard::time_point, void> {
  static void to_json(json& out, switchboard::time_point at) { out = at.time_since_epoch().count(); }
  static void from_json(const json& in, switchboard::time_point& at) {
    at = switchboard::time_point{switchboard::milliseconds{in.get<std::int64_t>()}};
  }
};

template <>
struct nlohmann::adl_serializer<switchboard::milliseconds, void> {
  static void to_json(json& out, switchboard::milliseconds span) { out = span.count(); }
  static void from_json(const json& in, switchboard::milliseconds& span) {
    span = switchboard::milliseconds{in.get<std::int64_t>()};
  }
};
