// What a queue's x- arguments ask of it, as values (RabbitMQ 3.10: "Time-To-Live", "Queue Length Limit", "Dead Letter
// Exchanges", "Priority Queues", "Single Active Consumer", "Poison Message Handling"). topology_rules.hpp has checked
// them by then; what is missing or of a wrong type counts as not given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "base/time.hpp"
#include "broker/retry.hpp"
#include "messages/field_table.hpp"

namespace switchboard::broker {

/// What happens to a publish that finds the queue full.
enum class overflow : std::uint8_t {
  drop_head,          ///< it goes in, the oldest go
  reject_publish,     ///< it is refused: basic.nack to a publisher that asked for confirms
  reject_publish_dlx, ///< the same, and it is dead-lettered
};

/// Longer than any broker runs; what is asked for beyond it would overflow a clock that counts nanoseconds.
inline constexpr std::int64_t forever_ms = std::int64_t{100} * 365 * 24 * 3600 * 1000;

/// The longest time to live or to wait for a use that RabbitMQ allows.
inline constexpr std::int64_t ten_years_ms = std::int64_t{10} * 365 * 24 * 3600 * 1000;

struct queue_arguments {
  std::optional<milliseconds> message_ttl;       ///< x-message-ttl
  std::optional<milliseconds> expires;           ///< x-expires: unused for so long, the queue goes
  std::optional<std::uint64_t> max_length;       ///< x-max-length, ready messages
  std::optional<std::uint64_t> max_length_bytes; ///< x-max-length-bytes, their bodies
  overflow when_full = overflow::drop_head;      ///< x-overflow
  std::optional<std::string> dead_letter_exchange;
  std::optional<std::string> dead_letter_routing_key; ///< else the message keeps its own
  std::uint8_t max_priority = 0;                      ///< x-max-priority; 0: one level
  bool single_active_consumer = false;
  std::optional<std::uint64_t> delivery_limit; ///< x-delivery-limit: returns after which a message is dead-lettered
  bool counts_deliveries = false;              ///< x-queue-type quorum: redelivered messages carry x-delivery-count
  std::optional<retry_rules> retry;            ///< x-retry-…: what is rejected comes back, up to a limit
  std::string group_by; ///< x-group-by: messages of one value go one at a time, in order; empty: there are no groups
  std::optional<milliseconds> deduplicate; ///< x-deduplicate-window: a message_id seen so lately is dropped
  /// Nobody said where dead letters go, so what failed for good goes to a queue of its own, and nothing else does.
  bool own_dead_letters = false;

  bool rejects() const noexcept { return when_full != overflow::drop_head && (max_length || max_length_bytes); }
};

/// Of the queue of that name.
queue_arguments read_queue_arguments(const field_table& arguments, std::string_view queue);

/// A message's own time to live, as text in its properties; PRECONDITION_FAILED with RabbitMQ's text if it is none.
expected<milliseconds> read_expiration(std::string_view text);

} // namespace switchboard::broker
