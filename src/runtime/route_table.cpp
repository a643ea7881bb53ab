#include "runtime/route_table.hpp"

#include <algorithm>

namespace switchboard::runtime {

namespace {

/// Takes the segment before the next '/' off the front.
std::string_view take_segment(std::string_view& path) noexcept {
  const auto end = path.find('/');
  const auto segment = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  return segment;
}

bool is_parameter(std::string_view segment) noexcept {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

/// What a request's path may hold and a pattern needs; braces only around a whole segment.
bool is_pattern_segment(std::string_view segment) noexcept {
  if (is_parameter(segment))
    segment = segment.substr(1, segment.size() - 2);
  return !segment.empty() && std::all_of(segment.begin(), segment.end(), [](char c) {
    return c > ' ' && c < '\x7f' && c != '{' && c != '}' && c != '?' && c != '#' && c != '%';
  });
}

bool is_pattern(std::string_view pattern) noexcept {
  if (!pattern.starts_with("/v1/") || pattern.size() > 256)
    return false;
  pattern.remove_prefix(1);
  while (!pattern.empty()) {
    const bool last = pattern.find('/') == std::string_view::npos;
    if (!is_pattern_segment(take_segment(pattern)) || (!last && pattern.empty()))
      return false;
  }
  return true;
}

bool is_method(std::string_view method) noexcept {
  return method == "GET" || method == "POST" || method == "PUT" || method == "DELETE";
}

struct fit {
  int literals = 0;
  std::string_view id;
};

std::optional<fit> compare(std::string_view pattern, std::string_view path) noexcept {
  fit result;
  while (!pattern.empty() && !path.empty()) {
    const auto expected_segment = take_segment(pattern);
    const auto segment = take_segment(path);
    if (!is_parameter(expected_segment)) {
      if (expected_segment != segment)
        return std::nullopt;
      ++result.literals;
    } else if (segment.empty()) {
      return std::nullopt;
    } else if (expected_segment == "{id}") {
      result.id = segment;
    }
  }
  if (!pattern.empty() || !path.empty())
    return std::nullopt;
  return result;
}

/// "/v1/calls/" names the same as "/v1/calls".
std::string_view trimmed(std::string_view path) noexcept {
  if (path.starts_with('/'))
    path.remove_prefix(1);
  if (path.ends_with('/'))
    path.remove_suffix(1);
  return path;
}

} // namespace

expected<void> check_route(const sb_route& route) {
  if (!route.method || !route.pattern)
    return {errc::bad_format, "a route lacks its method or pattern"};
  const std::string_view pattern{route.pattern};
  const auto text = "route " + std::string{route.method} + " " + route.pattern;
  if (!is_method(route.method))
    return {errc::bad_format, text + " has no method that requests have"};
  if (!pattern.starts_with("/v1/"))
    return {errc::bad_format, text + " is not below /v1/"};
  if (!is_pattern(pattern))
    return {errc::bad_format, text + " has a malformed segment"};
  switch (route.target) {
  case SB_CREATE:
  case SB_LIST:
  case SB_WORK:
    return {};
  case SB_BY_ID:
    if (pattern.find("/{id}") == std::string_view::npos)
      return {errc::bad_format, text + " has no {id}"};
    return {};
  case SB_BY_BODY:
    if (!route.key || !*route.key)
      return {errc::bad_format, text + " has no key"};
    return {};
  }
  return {errc::bad_format, text + " has an unknown target"};
}

bool same_shape(std::string_view pattern, std::string_view other) noexcept {
  while (!pattern.empty() && !other.empty()) {
    const auto one = take_segment(pattern);
    const auto two = take_segment(other);
    if (one != two && !(is_parameter(one) && is_parameter(two)))
      return false;
  }
  return pattern.empty() && other.empty();
}

split_route split(std::string_view route) noexcept {
  const auto mark = route.find('?');
  if (mark == std::string_view::npos)
    return {route, {}};
  return {route.substr(0, mark), route.substr(mark + 1)};
}

std::string_view query_value(std::string_view query, std::string_view name) noexcept {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  }
  return {};
}

void route_table::add(const sb_entity_type& type) {
  for (std::size_t index = 0; index < type.route_count; ++index)
    rows_.push_back({&type, &type.routes[index]});
}

std::optional<route_table::match> route_table::find(std::string_view method, std::string_view path) const {
  std::optional<match> best;
  int best_literals = -1;
  for (const auto& [type, route] : rows_) {
    if (method != route->method)
      continue;
    const auto found = compare(trimmed(route->pattern), trimmed(path));
    if (found && found->literals > best_literals) {
      best = match{type, route, found->id};
      best_literals = found->literals;
    }
  }
  return best;
}

} // namespace switchboard::runtime
