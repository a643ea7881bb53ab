// Exponential retry of a message queue: a message that its consumer failed on waits and comes back to its own place, a
// few times, then it is a dead letter. Rules, times, and what the log keeps of it. Pure. RabbitMQ has no such thing;
// schedule: seed 000, "Retry Strategy"; arguments: docs/amqp.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "broker/endpoint.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

/// The defaults are the seed's: attempts after 0, 1, 2, 4, 8, 16, 32 s.
struct retry_rules {
  milliseconds first{1'000};  ///< x-retry-min: the wait after the first failure
  milliseconds most{32'000};  ///< x-retry-max: no wait is longer
  double multiplier = 2;      ///< x-retry-multiplier: each wait is so many times the one before; at least 1
  std::uint64_t attempts = 7; ///< x-retry-limit: deliveries in all; the failure of the last one is final

  friend bool operator==(const retry_rules&, const retry_rules&) = default;
};

/// How often a message of a queue with such rules may come back without having failed (requeued, its consumer gone)
/// before it is a dead letter: it may be what ends its consumers. x-delivery-limit says otherwise.
inline constexpr std::uint64_t retry_returns_max = 20;

/// How long a message waits that has failed so often (at least once); empty if that was its last attempt. `random`: any
/// 64 bits; they move the wait by up to 10 % either way, so that what failed together doesn't come back together.
std::optional<milliseconds> retry_wait(const retry_rules& rules, std::uint64_t failures, std::uint64_t random);

/// Where what its failed attempts leave behind is kept; empty if a queue of that name can't have such a queue.
std::string dead_letter_queue(std::string_view queue);
/// Whether a queue of that name is one.
bool is_dead_letter_queue(std::string_view queue) noexcept;

/// The part of the log that says of a queue's messages how often they failed or came back.
constexpr queue_number retries_of(queue_number queue) { return queue_number{1} << 62 | queue; }

/// Of one durable message; written anew each time.
struct retry_record {
  position message = 0;
  std::uint32_t failures = 0;
  std::uint32_t returns = 0; ///< failures among them
  time_point due{};          ///< when it comes back; in the past: it is back
};
message_ptr encode_retry(const retry_record& what);
/// Empty if it can't be read.
std::optional<retry_record> decode_retry(const message& what);

} // namespace switchboard::broker
