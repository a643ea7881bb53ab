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

std::optional<retry_rules> retry_of(const field_table& from) {
  if (!from.find("x-retry-min") && !from.find("x-retry-max") && !from.find("x-retry-multiplier") &&
      !from.find("x-retry-limit"))
    return std::nullopt;
  retry_rules rules;
  rules.first = duration(from, "x-retry-min").value_or(rules.first);
  // Whoever asks for a longer first wait than the usual longest one gets it.
  rules.most = std::max(duration(from, "x-retry-max").value_or(rules.most), rules.first);
  if (const auto* factor = from.find("x-retry-multiplier"))
    rules.multiplier = std::max(factor->as_number().value_or(rules.multiplier), 1.0);
  rules.attempts = std::max<std::uint64_t>(count(from, "x-retry-limit").value_or(rules.attempts), 1);
  return rules;
}

} // namespace

queue_arguments read_queue_arguments(const field_table& arguments, std::string_view queue) {
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
  read.deduplicate = duration(arguments, "x-deduplicate-window");
  read.group_by = arguments.text("x-group-by").value_or("");
  read.retry = retry_of(arguments);
  if (!read.retry)
    return read;
  if (!read.delivery_limit)
    read.delivery_limit = retry_returns_max;
  if (auto own = dead_letter_queue(queue); !read.dead_letter_exchange && !own.empty()) {
    read.dead_letter_exchange.emplace();
    read.dead_letter_routing_key = std::move(own);
    read.own_dead_letters = true;
  }
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
