#include "runtime/bearer_token.hpp"

#include <algorithm>
#include <cctype>

namespace switchboard::runtime {

namespace {

constexpr std::string_view token_name = "token";

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

int hex_value(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// As forms send it: '+' is a space.
std::string decode_percent(std::string_view text) {
  std::string spaced{text};
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decoded(spaced);
}

/// Calls `visit(name, value, whole)` for each parameter until it returns false.
template <class Visit>
void each_parameter(std::string_view target, Visit visit) {
  const auto begin = target.find('?');
  if (begin == target.npos)
    return;
  auto rest = target.substr(begin + 1);
  while (!rest.empty()) {
    const auto whole = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), whole.size() + 1));
    const auto equals = whole.find('=');
    const auto name = whole.substr(0, equals);
    const auto value = equals == whole.npos ? std::string_view{} : whole.substr(equals + 1);
    if (!visit(name, value, whole))
      return;
  }
}

} // namespace

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const int high = text[at] == '%' && at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[at + 2]) : -1;
    if (low >= 0) {
      decoded += static_cast<char>(high * 16 + low);
      at += 2;
    } else {
      decoded += text[at];
    }
  }
  return decoded;
}

std::optional<std::string> bearer_token(std::string_view authorization, std::string_view target) {
  if (authorization.empty())
    return query_parameter(target, token_name);
  const auto blank = authorization.find(' ');
  if (!equal_ignoring_case(authorization.substr(0, blank), "bearer") || blank == authorization.npos)
    return std::string{};
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' ', blank), authorization.size()));
  return std::string{authorization};
}

std::string_view path_of(std::string_view target) noexcept { return target.substr(0, target.find('?')); }

std::optional<std::string> query_parameter(std::string_view target, std::string_view name) {
  std::optional<std::string> found;
  each_parameter(target, [&](std::string_view key, std::string_view value, std::string_view) {
    if (decode_percent(key) == name)
      found = decode_percent(value);
    return !found;
  });
  return found;
}

std::string without_token(std::string_view target) {
  std::string kept{path_of(target)};
  char before = '?';
  each_parameter(target, [&](std::string_view key, std::string_view, std::string_view whole) {
    if (decode_percent(key) != token_name) {
      kept.append(1, before).append(whole);
      before = '&';
    }
    return true;
  });
  return kept;
}

} // namespace switchboard::runtime
