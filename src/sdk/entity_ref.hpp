// Where a message goes to or comes from.
#pragma once

#include <string>

#include "messages/envelope.hpp"

namespace switchboard::sdk {

/// Another entity's address.
struct entity_ref {
  std::string type;
  std::string id;

  bool empty() const noexcept { return id.empty(); }
  friend bool operator==(const entity_ref&, const entity_ref&) = default;
};

inline void to_json(json& out, const entity_ref& ref) { out = {{"type", ref.type}, {"id", ref.id}}; }
inline void from_json(const json& in, entity_ref& ref) { ref = {in.at("type"), in.at("id")}; }

} // namespace switchboard::sdk
