// Writes one JSON object with its fields in the order given; nlohmann::json would sort them. Private to the codecs.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace switchboard {

/// Compact JSON text; invalid UTF-8 becomes U+FFFD.
inline std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

class json_object {
public:
  /// `name` is a literal of ours that needs no escape.
  json_object& field(std::string_view name, const nlohmann::json& value) {
    text_ += text_.empty() ? "{\"" : ",\"";
    text_.append(name).append("\":").append(dump(value));
    return *this;
  }

  std::string finish() && { return text_.empty() ? "{}" : std::move(text_) + "}"; }

private:
  std::string text_;
};

} // namespace switchboard
