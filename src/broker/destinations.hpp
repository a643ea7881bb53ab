// A set of queues and exchanges that one place in an exchange leads to. Immutable; a copy costs a counter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/endpoint.hpp"
#include "broker/persistent_map.hpp"
#include "broker/specs.hpp"

namespace switchboard::broker {

struct destination {
  endpoint_ptr queue;         ///< null: an exchange
  std::uint32_t bindings = 0; ///< that lead here from this place; they differ in arguments only
};

/// By end_key().
using destinations = persistent_map<destination>;

/// Tells a queue and an exchange of the same name apart: one letter, then the name.
inline std::string end_key(bool is_exchange, std::string_view name) {
  return std::string{is_exchange ? 'x' : 'q'}.append(name);
}
inline std::string end_key(const binding_spec& spec) { return end_key(spec.to_exchange, spec.destination); }
/// The name in an end_key().
inline std::string_view end_name(std::string_view key) noexcept { return key.substr(1); }

/// One binding more to that destination.
inline destinations add_binding(const destinations& all, const std::string& end, const endpoint_ptr& queue) {
  const auto* held = all.find(end);
  return all.set(end, destination{queue, held ? held->bindings + 1 : 1});
}

/// One binding less; the destination goes with its last.
inline destinations remove_binding(const destinations& all, const std::string& end) {
  const auto* held = all.find(end);
  if (!held)
    return all;
  if (held->bindings == 1)
    return all.erase(end);
  return all.set(end, destination{held->queue, held->bindings - 1});
}

} // namespace switchboard::broker
