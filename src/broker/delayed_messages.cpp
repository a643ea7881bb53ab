#include "broker/delayed_messages.hpp"

#include <charconv>
#include <limits>
#include <string>

#include "messages/field_table.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {

namespace {

constexpr std::string_view delay_header = "x-delay";
/// In the log only.
constexpr std::string_view due_header = "x-switchboard-due";
constexpr std::int64_t delay_ms_max = 0xffff'ffff; // Erlang's longest timer

/// The plugin takes any number: integers, text of digits, and what floating point and decimals have before the point.
std::optional<std::int64_t> number_in(const field_value& value) {
  if (const auto integer = value.as_integer())
    return integer;
  if (const auto* text = value.as_string()) {
    std::int64_t read = 0;
    const auto* end = text->data() + text->size();
    const auto [stop, problem] = std::from_chars(text->data(), end, read);
    return problem == std::errc{} && stop == end ? std::optional{read} : std::nullopt;
  }
  double real = -1;
  if (const auto* narrow = std::get_if<float>(&value.value))
    real = *narrow;
  else if (const auto* wide = std::get_if<double>(&value.value))
    real = *wide;
  return real >= 0 && real <= static_cast<double>(delay_ms_max) ? std::optional{static_cast<std::int64_t>(real)}
                                                                : std::nullopt;
}

std::optional<milliseconds> delay_in(const field_table& headers) {
  const auto* value = headers.find(delay_header);
  const auto number = value ? number_in(*value) : std::nullopt;
  return number && *number > 0 && *number <= delay_ms_max ? std::optional{milliseconds{*number}} : std::nullopt;
}

/// Its properties with headers; what can't be read counts as none.
basic_properties with_headers(const message& what) {
  auto read = decode_properties(what.properties());
  auto properties = read ? std::move(*read) : basic_properties{};
  if (!properties.headers)
    properties.headers.emplace();
  return properties;
}

message_ptr with_properties(const message& what, const basic_properties& properties) {
  return make_message(what.exchange(), what.routing_key(), encode_properties(properties), what.body(),
                      what.persistent());
}

} // namespace

std::optional<milliseconds> delay_of(std::string_view headers) {
  if (headers.find(delay_header) == headers.npos) // most have none; reading the table costs more than looking
    return std::nullopt;
  const auto table = decode_fields(headers);
  return table ? delay_in(*table) : std::nullopt;
}

std::optional<milliseconds> delay_of(const message& what) {
  const auto glance = glance_properties(what.properties());
  return glance ? delay_of(glance->headers) : std::nullopt;
}

message_ptr with_due_time(const message& what, time_point due) {
  auto properties = with_headers(what);
  properties.headers->set(std::string{due_header}, static_cast<std::int64_t>(due.time_since_epoch().count()));
  return with_properties(what, properties);
}

std::optional<time_point> due_time_of(const message& what) {
  const auto properties = with_headers(what);
  const auto* value = properties.headers->find(due_header);
  const auto number = value ? value->as_integer() : std::nullopt;
  return number ? std::optional{time_point{milliseconds{*number}}} : std::nullopt;
}

message_ptr without_delay(const message& what) {
  auto properties = with_headers(what);
  properties.headers->erase(due_header);
  if (const auto delay = delay_in(*properties.headers)) {
    const auto negated = -delay->count();
    const bool fits = negated >= std::numeric_limits<std::int32_t>::min();
    properties.headers->set(std::string{delay_header}, fits ? field_value{static_cast<std::int32_t>(negated)}
                                                            : field_value{std::int64_t{negated}});
  }
  return with_properties(what, properties);
}

void delayed_messages::add(time_point due, item what) {
  bytes_ += what.message->footprint();
  waiting_.emplace(due, std::move(what));
}

std::vector<delayed_messages::item> delayed_messages::take_due(time_point now, std::size_t count) {
  std::vector<item> due;
  while (due.size() < count && !waiting_.empty() && waiting_.begin()->first <= now) {
    bytes_ -= waiting_.begin()->second.message->footprint();
    due.push_back(std::move(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
  }
  return due;
}

std::optional<time_point> delayed_messages::next() const {
  return waiting_.empty() ? std::nullopt : std::optional{waiting_.begin()->first};
}

} // namespace switchboard::broker
