// Route patterns: "/v1/calls/{id}/hold" against "/v1/calls/call-7/hold". Pure text, used by the table of an entity and
// by whoever needs the same rule: literal segments match themselves, {name} matches one non-empty segment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchboard::sdk {

/// What the {names} of a pattern stood for, percent-decoded.
using path_parameters = std::vector<std::pair<std::string, std::string>>;

namespace detail {

inline int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// Takes the next segment off `path`, which is at its '/'. The segment of "/" is empty.
inline std::string_view take_segment(std::string_view& path) noexcept {
  const auto slash = path.find('/', 1);
  const auto segment = path.substr(1, slash == std::string_view::npos ? slash : slash - 1);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash);
  return segment;
}

} // namespace detail

/// "%2B1" -> "+1"; what isn't a valid escape stays as it is.
inline std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '%' && at + 2 < text.size();
    const int high = escape ? detail::hex_digit(text[at + 1]) : -1;
    const int low = escape ? detail::hex_digit(text[at + 2]) : -1;
    if (high < 0 || low < 0) {
      out += text[at];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return out;
}

/// The parameters if `path` (without query) has the form of `pattern`.
inline std::optional<path_parameters> match_route(std::string_view pattern, std::string_view path) {
  if (!pattern.starts_with('/') || !path.starts_with('/'))
    return std::nullopt;
  path_parameters found;
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = detail::take_segment(pattern);
    const auto given = detail::take_segment(path);
    if (wanted.size() > 2 && wanted.front() == '{' && wanted.back() == '}' && !given.empty())
      found.emplace_back(wanted.substr(1, wanted.size() - 2), percent_decode(given));
    else if (wanted != given)
      return std::nullopt;
  }
  if (!pattern.empty() || !path.empty())
    return std::nullopt;
  return found;
}

/// The value of `name` in "a=1&name=2", percent-decoded; empty if absent.
inline std::string query_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) == name)
      return equals == std::string_view::npos ? std::string{} : percent_decode(pair.substr(equals + 1));
  }
  return {};
}

} // namespace switchboard::sdk
