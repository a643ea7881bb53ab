#include "messages/json_object.hpp"

#include <algorithm>

namespace switchboard {

namespace {

using nlohmann::json;

std::string by_library(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

constexpr std::size_t usual_bytes = 256; // what nearly all texts that are written stay under

bool is_plain(char c) noexcept { return c >= ' ' && c < '\x7f'; }
bool needs_escape(char c) noexcept { return c == '"' || c == '\\'; }

} // namespace

// The library's writer takes each byte of each text through its UTF-8 machine, which was a tenth of an entity's work.
// Depth is bounded where values are read (envelope_depth_max).
void append_json(std::string& to, const json& value) { // NOLINT(misc-no-recursion)
  switch (value.type()) {
  case json::value_t::object:
    return append_json_list(to, "{}", value.get_ref<const json::object_t&>(), [&](const auto& member) {
      append_json_string(to, member.first);
      to += ':';
      append_json(to, member.second);
    });
  case json::value_t::array:
    return append_json_list(to, "[]", value.get_ref<const json::array_t&>(),
                            [&](const auto& one) { append_json(to, one); });
  case json::value_t::string:
    return append_json_string(to, value.get_ref<const std::string&>());
  case json::value_t::number_integer:
    to += std::to_string(value.get<json::number_integer_t>());
    return;
  case json::value_t::null:
    to += "null";
    return;
  case json::value_t::boolean:
    to += value.get<bool>() ? "true" : "false";
    return;
  default:
    to += by_library(value);
  }
}

std::string dump(const json& value) {
  std::string text;
  text.reserve(usual_bytes);
  append_json(text, value);
  return text;
}

void append_json_string(std::string& to, std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    to += by_library(json(text));
    return;
  }
  to += '"';
  while (true) {
    const auto end = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), needs_escape) - text.begin());
    to += text.substr(0, end);
    if (end == text.size())
      break;
    to.append(1, '\\').append(1, text[end]);
    text.remove_prefix(end + 1);
  }
  to += '"';
}

json_object::json_object() { text_.reserve(usual_bytes); }

} // namespace switchboard
