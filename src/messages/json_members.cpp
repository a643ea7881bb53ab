#include "messages/json_members.hpp"

#include <string>

#include <string.h> // NOLINT: memmem is the system's, not C's

namespace switchboard {

namespace {

/// std::string_view::find looks at each quotation mark, of which JSON is full.
std::size_t find(std::string_view in, std::string_view what, std::size_t from) noexcept {
  const auto* at = ::memmem(in.data() + from, in.size() - from, what.data(), what.size());
  return at ? static_cast<std::size_t>(static_cast<const char*>(at) - in.data()) : std::string_view::npos;
}

} // namespace

std::optional<std::vector<std::string_view>> text_members(std::string_view json, std::string_view name) {
  if (json.find("\\u") != std::string_view::npos)
    return std::nullopt; // a name may be spelled in many ways
  std::string quoted;
  quoted.append(1, '"').append(name).append(1, '"');
  constexpr std::string_view blank = " \t\r\n";
  std::vector<std::string_view> found;
  for (auto at = find(json, quoted, 0); at != std::string_view::npos; at = find(json, quoted, at + 1)) {
    const auto colon = json.find_first_not_of(blank, at + quoted.size());
    if (colon == std::string_view::npos || json[colon] != ':')
      continue; // a value, or the end of one
    const auto quote = json.find_first_not_of(blank, colon + 1);
    if (quote == std::string_view::npos || json[quote] != '"')
      continue;
    const auto end = json.find('"', quote + 1);
    if (end == std::string_view::npos)
      break;
    const auto value = json.substr(quote + 1, end - quote - 1);
    if (value.find('\\') != std::string_view::npos)
      return std::nullopt;
    found.push_back(value);
  }
  return found;
}

} // namespace switchboard
