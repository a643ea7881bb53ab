// Who gets a message from an exchange of type x-consistent-hash (RabbitMQ 3.10's plugin of that name): exactly one of
// the bound destinations, the same one for the same value, each as often as its weight says. The value is the routing
// key, a header or a property; the binding key is the weight. Pure.
//
// By weighted rendezvous instead of a ring of buckets: each destination draws a number from the value and its own name,
// the lowest one wins. So a binding that comes takes from each other one what is its share and nothing else moves; one
// that goes gives back just what it had, in whatever order they came. Costs one draw per destination.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "broker/exchange_headers.hpp"
#include "messages/field_table.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

/// What a message is hashed by.
class hash_input {
public:
  /// errc::precondition_failed, in RabbitMQ's words, for what the plugin's arguments hash-header and hash-property
  /// can't mean.
  static expected<void> check(const field_table& arguments);

  hash_input() = default;
  explicit hash_input(const field_table& arguments);

  /// Of a message under that key with that header table (bytes without length). `what` may be null: then it has no
  /// properties. A value that is missing counts as one like any other. `room` is reused.
  std::uint64_t of(std::string_view key, std::string_view headers, const message* what,
                   std::vector<header_field>& room) const;

private:
  enum class kind : std::uint8_t { routing_key, header, message_id, correlation_id, timestamp };
  kind from_ = kind::routing_key;
  std::string header_;
};

/// The weight a binding key says; errc::precondition_failed, in RabbitMQ's words, if it says none.
expected<double> hash_weight(std::string_view binding_key);

/// A hash that is the same in every process.
std::uint64_t stable_hash(std::string_view text) noexcept;

/// What a destination draws for a value: positive, the lowest one wins. `weight` is positive.
double hash_draw(std::uint64_t value, std::uint64_t destination, double weight) noexcept;

} // namespace switchboard::broker
