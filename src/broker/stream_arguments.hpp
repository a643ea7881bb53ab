// What the arguments of a stream (x-queue-type=stream) and of its consumers ask for, after RabbitMQ 3.10 ("Streams"),
// with RabbitMQ 3.10.8's texts for what it refuses. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/expected.hpp"
#include "base/time.hpp"
#include "messages/field_table.hpp"

namespace switchboard::broker {

/// Arguments of a queue of type stream.
bool is_stream(const field_table& arguments) noexcept;

struct stream_arguments {
  std::optional<std::uint64_t> max_bytes;    ///< x-max-length-bytes: whole segments beyond it go, the oldest first
  std::optional<milliseconds> max_age;       ///< x-max-age: segments whose last message is older go
  std::uint64_t segment_bytes = 500'000'000; ///< x-stream-max-segment-size-bytes
};
/// Precondition: the topology has checked them.
stream_arguments read_stream_arguments(const field_table& arguments);

/// "3h" as a time: a positive number and one of Y M D h m s (a year of 365 days, a month of 30). Empty if it is none.
std::optional<milliseconds> read_age(std::string_view text) noexcept;

/// Place of a message in a stream, from 0; never used again.
using stream_offset = std::uint64_t;

/// Where a consumer begins.
struct stream_start {
  enum class kind : std::uint8_t { first, last, next, offset, time };
  kind from = kind::next;
  stream_offset offset = 0; ///< of kind offset
  time_point time{};        ///< of kind time
};

/// Where a consumer with these arguments begins, or why it may not consume; `stream` is named(…) of the queue. 406
/// without a prefetch of its own, for x-priority and for an x-stream-offset that means nothing; 540 for no-ack.
expected<stream_start> check_stream_consumer(std::string_view stream, std::uint32_t own_prefetch, bool no_ack,
                                             const field_table& arguments, time_point now);

/// 540: what a stream can't do, e.g. "basic.get".
error not_for_streams(std::string_view what, std::string_view stream);

} // namespace switchboard::broker
