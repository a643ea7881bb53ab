#include "broker/exchange_hash.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/random.hpp"
#include "broker/amqp_reply.hpp"
#include "broker/topology_terms.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {

namespace {

constexpr std::string_view header_argument = "hash-header";
constexpr std::string_view property_argument = "hash-property";

std::uint64_t hash_of_field(const header_field& field) noexcept {
  switch (field.type) {
  case header_field::kind::nothing:
    return 0;
  case header_field::kind::text:
  case header_field::kind::other:
    return stable_hash(field.bytes);
  case header_field::kind::real:
    return stable_hash({reinterpret_cast<const char*>(&field.real), sizeof field.real});
  default:
    return mix_bits(static_cast<std::uint64_t>(field.integer) + 1);
  }
}

} // namespace

expected<void> hash_input::check(const field_table& arguments) {
  const auto* header = arguments.find(header_argument);
  const auto* property = arguments.find(property_argument);
  if (header && property)
    return precondition_failed("hash-header and hash-property are mutually exclusive");
  if (header && !header->as_string())
    return precondition_failed("hash-header must be text, got " + std::string{header->type_name()});
  if (!property)
    return {};
  const auto* name = property->as_string();
  if (!name || (*name != "correlation_id" && *name != "message_id" && *name != "timestamp"))
    return precondition_failed("Unsupported property: " + erlang_text(*property));
  return {};
}

hash_input::hash_input(const field_table& arguments) {
  if (const auto header = arguments.text(header_argument)) {
    from_ = kind::header;
    header_ = *header;
  } else if (const auto property = arguments.text(property_argument)) {
    const auto& name = *property;
    from_ = name == "message_id" ? kind::message_id : name == "correlation_id" ? kind::correlation_id : kind::timestamp;
  }
}

std::uint64_t hash_input::of(std::string_view key, std::string_view headers, const message* what,
                             std::vector<header_field>& room) const {
  if (from_ == kind::routing_key)
    return stable_hash(key);
  if (from_ == kind::header) {
    read_headers(headers, room);
    const auto found = std::find_if(room.begin(), room.end(), [&](const auto& each) { return each.name == header_; });
    return found == room.end() ? 0 : hash_of_field(*found);
  }
  if (!what)
    return 0;
  if (from_ == kind::timestamp) {
    const auto all = decode_properties(what->properties());
    return all && all->timestamp ? mix_bits(*all->timestamp + 1) : 0;
  }
  const auto glance = glance_properties(what->properties());
  if (!glance)
    return 0;
  return stable_hash(from_ == kind::message_id ? glance->message_id : glance->correlation_id);
}

expected<double> hash_weight(std::string_view binding_key) {
  auto digits = binding_key;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+'))
    digits.remove_prefix(1);
  const bool integer = !digits.empty() &&
                       std::all_of(digits.begin(), digits.end(), [](char each) { return each >= '0' && each <= '9'; });
  if (!integer)
    return precondition_failed("The binding key must be an integer: " + erlang_term(field_value{binding_key}));
  double weight = 0; // a short string's 255 digits fit
  std::from_chars(digits.data(), digits.data() + digits.size(), weight);
  if (negative || weight < 1)
    return precondition_failed("The binding key must be greater than 0");
  return weight;
}

/// FNV-1a, and a finalizer because its low bits alone say little.
std::uint64_t stable_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char each : text)
    hash = (hash ^ static_cast<unsigned char>(each)) * 0x100000001b3ull;
  return mix_bits(hash);
}

/// Exponentially distributed with the weight as rate: of several, each is the lowest in proportion to its weight.
double hash_draw(std::uint64_t value, std::uint64_t destination, double weight) noexcept {
  const auto bits = mix_bits(value ^ mix_bits(destination + 0x9e3779b97f4a7c15ull)) >> 11; // as many as a double holds
  return -std::log((static_cast<double>(bits) + 0.5) * 0x1p-53) / weight;
}

} // namespace switchboard::broker
