// A telephone address as VoIPBIN writes it: {type, target, target_name, name, detail}; only type and target decide.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "sdk/body.hpp"

namespace switchboard::sdk {

struct address {
  std::string type;   ///< "tel", "sip", "agent", …
  std::string target; ///< "+15551234567"
  std::string name;   ///< as shown to the other side, may be empty

  bool empty() const noexcept { return target.empty(); }
  friend bool operator==(const address&, const address&) = default;
};

inline void to_json(json& out, const address& value) {
  out = {{"type", value.type}, {"target", value.target}, {"target_name", value.name}};
}
inline void from_json(const json& in, address& value) {
  value = {in.at("type").get<std::string>(), in.at("target").get<std::string>(), in.value("target_name", "")};
}

/// VoIPBIN's address types.
inline bool is_address_type(std::string_view type) noexcept {
  constexpr std::array<std::string_view, 12> known{"agent", "ai",  "ai_team", "conference", "email",       "extension",
                                                   "line",  "sip", "tel",     "webchat",    "web_session", "whatsapp"};
  for (const auto one : known) {
    if (one == type)
      return true;
  }
  return false;
}

/// Reads `value`, an object or for convenience a plain number; `name` is for the complaint.
inline address read_address(body_reader& in, std::string_view name, const json& value) {
  address read;
  if (const auto* text = value.get_ptr<const std::string*>()) {
    read = {"tel", *text, {}};
  } else if (value.is_object()) {
    body_reader fields{value};
    read.type = fields.text("type", "tel");
    read.target = fields.text("target");
    read.name = fields.text("target_name", fields.text("name"));
    if (fields.wrong())
      in.complain_of(name, fields.wrong()->what);
  }
  if (read.target.empty() || !is_address_type(read.type))
    in.complain_of(name, "must be an address such as {\"type\":\"tel\",\"target\":\"+15551234567\"}");
  return read;
}

} // namespace switchboard::sdk
