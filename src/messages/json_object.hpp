// Writes JSON text: values whole, or one object field by field in the order given (nlohmann::json would sort them).
// What is JSON text already is put in as it stands, without being read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace switchboard {

/// Compact JSON text; invalid UTF-8 becomes U+FFFD.
std::string dump(const nlohmann::json& value);

void append_json(std::string& to, const nlohmann::json& value);

/// `text` as a JSON string, with its quotes.
void append_json_string(std::string& to, std::string_view text);

/// What `write` appends for each of `all`, with commas between them and `brackets` around it.
template <class Range, class Write>
void append_json_list(std::string& to, std::string_view brackets, const Range& all, Write&& write) {
  to += brackets.front();
  bool is_first = true;
  for (const auto& one : all) {
    if (!is_first)
      to += ',';
    is_first = false;
    write(one);
  }
  to += brackets.back();
}

class json_object {
public:
  json_object();

  /// `name` is a literal of ours that needs no escape.
  json_object& field(std::string_view name, const nlohmann::json& value) {
    begin(name);
    append_json(text_, value);
    return *this;
  }
  json_object& text(std::string_view name, std::string_view value) {
    begin(name);
    append_json_string(text_, value);
    return *this;
  }
  json_object& number(std::string_view name, std::int64_t value) { return raw(name, std::to_string(value)); }
  /// `value` is JSON; empty: null.
  json_object& raw(std::string_view name, std::string_view value) {
    begin(name);
    text_ += value.empty() ? std::string_view{"null"} : value;
    return *this;
  }

  /// `write(to, one)` appends the JSON of each of `all`.
  template <class Range, class Write>
  json_object& array(std::string_view name, const Range& all, Write&& write) {
    begin(name);
    append_json_list(text_, "[]", all, [&](const auto& one) { write(text_, one); });
    return *this;
  }

  std::string finish() && { return text_.empty() ? "{}" : std::move(text_ += '}'); }

private:
  void begin(std::string_view name) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_.append(name).append("\":");
  }

  std::string text_;
};

} // namespace switchboard
