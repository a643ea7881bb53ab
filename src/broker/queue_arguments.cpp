#include "broker/queue_arguments.hpp"

#include <algorithm>
#include <charconv>

#include "broker/amqp_reply.hpp"
#include "broker/topology_terms.hpp"

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

overflow overflow_of(const field_table& from) {
  const auto word = from.text("x-overflow");
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
  read.dead_letter_exchange = arguments.text("x-dead-letter-exchange");
  read.dead_letter_routing_key = arguments.text("x-dead-letter-routing-key");
  read.max_priority =
      static_cast<std::uint8_t>(std::min<std::int64_t>(number(arguments, "x-max-priority").value_or(0), 255));
  const auto* single = arguments.find("x-single-active-consumer");
  read.single_active_consumer = single && single->as_bool() && *single->as_bool();
  read.counts_deliveries = arguments.text("x-queue-type") == "quorum";
  if (read.counts_deliveries)
    read.delivery_limit = count(arguments, "x-delivery-limit");
  return read;
}

// As Erlang's string:to_integer reads it: a sign, digits, and nothing behind them.
expected<milliseconds> read_expiration(std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    return precondition_failed("invalid expiration '" + std::string{text} + "': " + why);
  };
  const bool negative = text.starts_with('-');
  auto digits = text.substr(negative || text.starts_with('+') ? 1 : 0);
  const auto end = std::min(digits.find_first_not_of("0123456789"), digits.size());
  if (end == 0)
    return refuse("no_integer");
  if (end < digits.size())
    return refuse("{leftover_string," + erlang_string(digits.substr(end)) + "}");
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size() - 1));
  if (negative && digits != "0")
    return refuse("{value_negative,-" + std::string{digits} + "}");
  std::int64_t value = 0;
  const auto problem = std::from_chars(digits.data(), digits.data() + digits.size(), value).ec;
  if (problem != std::errc{} || value > ten_years_ms)
    return refuse("{value_too_large," + std::string{digits} + "}");
  return milliseconds{value};
}

} // namespace switchboard::broker
