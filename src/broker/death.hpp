// What is written into a message when it is dead-lettered or comes back once more, after RabbitMQ 3.10 ("Dead Letter
// Exchanges: Effects on Message", "Quorum Queues: Poison Message Handling"). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

/// Why a message left its queue without being acknowledged.
enum class death : std::uint8_t { rejected, expired, maxlen, delivery_limit };
std::string_view name_of(death why) noexcept;

/// The message as it goes to `exchange`: under `routing_key`, or under its own keys if there is none; with its x-death
/// entry of (queue, reason) first and counted up; x-first-death-… set once; without expiration, so that it does not
/// expire again in the next queue.
/// `attempts`, if any failed, go into its header x-retry-attempts. `keep`: it is persistent, whatever it was.
message_ptr make_dead_letter(const message& what, death why, std::string_view queue, std::string_view exchange,
                             const std::optional<std::string>& routing_key, time_point now, std::uint64_t attempts = 0,
                             bool keep = false);

/// A dead letter as it was before it died last: back on its way to the queue where that was.
struct revived {
  std::string queue;
  message_ptr message; ///< under its exchange and key of then; what was counted of its attempts is gone
};
/// Empty if it is no dead letter.
std::optional<revived> undo_death(const message& dead_letter);

/// True if it has been a dead letter and was replayed: whoever sent it has long stopped waiting.
bool is_replayed(const message& what);

/// True if delivering this dead letter to `queue` would close a circle that nobody but the broker turns: it has been
/// in that queue before and was not rejected by a consumer since.
bool closes_circle(const message& dead_letter, std::string_view queue);

/// The message with header x-delivery-count set to `returns`: how often it came back.
message_ptr count_delivery(const message& what, std::uint64_t returns);

} // namespace switchboard::broker
