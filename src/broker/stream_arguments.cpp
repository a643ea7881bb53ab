#include "broker/stream_arguments.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>

#include "broker/amqp_reply.hpp"
#include "broker/topology_terms.hpp"

namespace switchboard::broker {

namespace {

constexpr std::string_view offset_argument = "x-stream-offset";
/// Ages beyond it say "everything", and would overflow a count of milliseconds.
constexpr std::int64_t age_seconds_max = std::int64_t{1000} * 365 * 24 * 3600;

std::optional<std::uint64_t> positive(const field_table& from, std::string_view name) {
  const auto* value = from.find(name);
  const auto number = value ? value->as_integer() : std::nullopt;
  return number && *number > 0 ? std::optional{static_cast<std::uint64_t>(*number)} : std::nullopt;
}

const std::string* text_of(const field_value& value) {
  if (const auto* bytes = std::get_if<byte_array>(&value.value))
    return &bytes->bytes;
  return value.as_string();
}

std::optional<stream_start> read_start(const field_value& value, time_point now) {
  using kind = stream_start::kind;
  if (const auto* at = std::get_if<timestamp>(&value.value)) {
    const auto seconds = std::min<std::uint64_t>(at->seconds, age_seconds_max * 10);
    return stream_start{kind::time, 0, time_point{std::chrono::seconds{seconds}}};
  }
  if (const auto number = value.as_integer())
    return stream_start{kind::offset, *number < 0 ? 0 : static_cast<stream_offset>(*number), {}};
  if (std::holds_alternative<std::uint64_t>(value.value))
    return stream_start{kind::offset, std::get<std::uint64_t>(value.value), {}};
  const auto* text = text_of(value);
  if (!text)
    return std::nullopt;
  if (*text == "first")
    return stream_start{kind::first, 0, {}};
  if (*text == "last")
    return stream_start{kind::last, 0, {}};
  if (*text == "next")
    return stream_start{kind::next, 0, {}};
  if (const auto age = read_age(*text))
    return stream_start{kind::time, 0, now - *age};
  return std::nullopt;
}

} // namespace

bool is_stream(const field_table& arguments) noexcept { return arguments.text("x-queue-type") == "stream"; }

stream_arguments read_stream_arguments(const field_table& arguments) {
  stream_arguments read;
  read.max_bytes = positive(arguments, "x-max-length-bytes");
  if (const auto age = arguments.text("x-max-age"))
    read.max_age = read_age(*age);
  read.segment_bytes = positive(arguments, "x-stream-max-segment-size-bytes").value_or(read.segment_bytes);
  return read;
}

std::optional<milliseconds> read_age(std::string_view text) noexcept {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [unit, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc{} || number <= 0 || end - unit != 1)
    return std::nullopt;
  constexpr std::int64_t hour = 3600, day = 24 * hour;
  const std::int64_t seconds = *unit == 'Y'   ? 365 * day
                               : *unit == 'M' ? 30 * day
                               : *unit == 'D' ? day
                               : *unit == 'h' ? hour
                               : *unit == 'm' ? 60
                               : *unit == 's' ? 1
                                              : 0;
  if (seconds == 0)
    return std::nullopt;
  return milliseconds{number > age_seconds_max / seconds ? age_seconds_max * 1000 : number * seconds * 1000};
}

expected<stream_start> check_stream_consumer(std::string_view stream, std::uint32_t own_prefetch, bool no_ack,
                                             const field_table& arguments, time_point now) {
  if (arguments.find("x-priority"))
    return precondition_failed("invalid arg 'x-priority' for " + std::string{stream} +
                               " of queue type rabbit_stream_queue");
  if (own_prefetch == 0)
    return precondition_failed("consumer prefetch count is not set for '" + std::string{stream} + "'");
  if (no_ack)
    return not_for_streams("automatic acknowledgement", stream);
  const auto* given = arguments.find(offset_argument);
  if (!given)
    return stream_start{};
  if (auto start = read_start(*given, now))
    return *start;
  return precondition_failed("invalid arg 'x-stream-offset' for " + std::string{stream} +
                             ": {invalid_stream_offset_arg,{" + std::string{given->type_name()} + "," +
                             erlang_term(*given) + "}}");
}

error not_for_streams(std::string_view what, std::string_view stream) {
  return {errc::not_implemented,
          "NOT_IMPLEMENTED - " + std::string{what} + " not supported by stream queues " + std::string{stream}};
}

} // namespace switchboard::broker
