#include "broker/retry.hpp"

#include <algorithm>
#include <cmath>

#include "base/back_off.hpp"
#include "messages/wire.hpp"

namespace switchboard::broker {

namespace {

constexpr std::size_t name_bytes_max = 255; // AMQP's short string
constexpr std::string_view dead_suffix = ".dead";

} // namespace

std::optional<milliseconds> retry_wait(const retry_rules& rules, std::uint64_t failures, std::uint64_t random) {
  if (failures >= rules.attempts)
    return std::nullopt;
  const auto steps = static_cast<double>(failures - 1);
  const auto wait = std::min(static_cast<double>(rules.first.count()) * std::pow(rules.multiplier, steps),
                             static_cast<double>(rules.most.count()));
  return jittered(milliseconds{std::llround(wait)}, random);
}

std::string dead_letter_queue(std::string_view queue) {
  if (queue.starts_with("amq.") || queue.size() + dead_suffix.size() > name_bytes_max)
    return {};
  return std::string{queue}.append(dead_suffix);
}

bool is_dead_letter_queue(std::string_view queue) noexcept { return queue.ends_with(dead_suffix); }

message_ptr encode_retry(const retry_record& what) {
  std::string bytes;
  wire::put(bytes, what.message);
  wire::put(bytes, what.failures);
  wire::put(bytes, what.returns);
  wire::put(bytes, static_cast<std::uint64_t>(what.due.time_since_epoch().count()));
  return make_message("", "", {}, bytes, true);
}

std::optional<retry_record> decode_retry(const message& what) {
  wire::reader from{what.body()};
  retry_record read;
  read.message = from.number<position>();
  read.failures = from.number<std::uint32_t>();
  read.returns = from.number<std::uint32_t>();
  read.due = time_point{milliseconds{static_cast<milliseconds::rep>(from.number<std::uint64_t>())}};
  if (!from.ok() || !from.done())
    return std::nullopt;
  return read;
}

} // namespace switchboard::broker
