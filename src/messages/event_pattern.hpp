// Which events somebody wants, by type: "*" (all), "call.*" (all of one resource) or "call.ended" (one). Pure.
#pragma once

#include <algorithm>
#include <string_view>

namespace switchboard {

namespace detail {

/// A word of an event type: lower-case letters, digits and '_', as all types of ours are.
inline bool is_event_word(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

} // namespace detail

inline bool is_event_pattern(std::string_view text) noexcept {
  const auto dot = text.find('.');
  if (text == "*" || text.size() > 64 || dot == std::string_view::npos)
    return text == "*";
  const auto what = text.substr(dot + 1);
  return detail::is_event_word(text.substr(0, dot)) && (what == "*" || detail::is_event_word(what));
}

/// Precondition: is_event_pattern(pattern).
inline bool matches_event(std::string_view pattern, std::string_view event_type) noexcept {
  if (pattern.back() != '*')
    return pattern == event_type;
  pattern.remove_suffix(1); // "call.": also what would have a second dot
  return event_type.starts_with(pattern);
}

} // namespace switchboard
