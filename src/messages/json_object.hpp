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

/// `text` as a JSON string, with its quotes.
void append_json_string(std::string& to, std::string_view text);

class json_object {
public:
  /// `name` is a literal of ours that needs no escape.
  json_object& field(std::string_view name, const nlohmann::json& value) { return raw(name, dump(value)); }
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

  std::string finish() && { return text_.empty() ? "{}" : std::move(text_ += '}'); }

private:
  void begin(std::string_view name) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_.append(name).append("\":");
  }

  std::string text_;
};

} // namespace switchboard
