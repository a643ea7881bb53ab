#include "broker/queue_arguments.hpp"

#include <algorithm>

namespace switchboard::broker {

namespace {

std::optional<std::int64_t> number(const field_table& from, std::string_view name) {
  const auto* value = from.find(name);
  const auto found = value ? value->as_integer() : std::nullopt;
  return found && *found >= 0 ? found : std::nullopt;
}

std::optional<milliseconds> duration(const field_table& from, std::string_view name) {
  const auto found = number(from, name);
  return found ? std::optional{milliseconds{std::min(*found, forever_ms)}} : std::nullopt;
}

std::optional<std::uint64_t> count(const field_table& from, std::string_view name) {
  const auto found = number(from, name);
  return found ? std::optional{static_cast<std::uint64_t>(*found)} : std::nullopt;
}

std::optional<std::string> text(const field_table& from, std::string_view name) {
  const auto* value = from.find(name);
  const auto* found = value ? value->as_string() : nullptr;
  return found ? std::optional{*found} : std::nullopt;
}

overflow overflow_of(const field_table& from) {
  const auto word = text(from, "x-overflow");
  if (word == "reject-publish")
    return overflow::reject_publish;
  return word == "reject-publish-dlx" ? overflow::reject_publish_dlx : overflow::drop_head;
}

} // namespace

queue_arguments read_queue_arguments(const field_table& arguments) {
  queue_arguments read;
  read.message_ttl = duration(arguments, "x-message-ttl");
  read.expires = duration(arguments, "x-expires");
  read.max_length = count(arguments, "x-max-length");
  read.max_length_bytes = count(arguments, "x-max-length-bytes");
  read.when_full = overflow_of(arguments);
  read.dead_letter_exchange = text(arguments, "x-dead-letter-exchange");
  read.dead_letter_routing_key = text(arguments, "x-dead-letter-routing-key");
  read.max_priority =
      static_cast<std::uint8_t>(std::min<std::int64_t>(number(arguments, "x-max-priority").value_or(0), 255));
  const auto* single = arguments.find("x-single-active-consumer");
  read.single_active_consumer = single && single->as_bool() && *single->as_bool();
  read.counts_deliveries = text(arguments, "x-queue-type") == "quorum";
  if (read.counts_deliveries)
    read.delivery_limit = count(arguments, "x-delivery-limit");
  return read;
}

} // namespace switchboard::broker
