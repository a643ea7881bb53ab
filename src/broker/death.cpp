#include "broker/death.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "broker/routing_keys.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {

namespace {

constexpr std::string_view deaths_header = "x-death";
constexpr std::string_view replayed_header = "x-replayed";

/// Properties were checked when the message came in; what cannot be read counts as none.
basic_properties properties_of(const message& what) {
  auto read = decode_properties(what.properties());
  return read ? std::move(*read) : basic_properties{};
}

const field_array* deaths_in(const field_table& headers) {
  const auto* value = headers.find(deaths_header);
  return value ? std::get_if<field_array>(&value->value) : nullptr;
}

field_array routing_keys_of(const message& what, const field_table& headers) {
  field_array keys{field_value{what.routing_key()}};
  for (const auto& more : copy_keys(headers).keys)
    keys.emplace_back(more);
  return keys;
}

field_table first_entry(const message& what, death why, std::string_view queue, const basic_properties& properties,
                        time_point now) {
  field_table entry;
  entry.append("count", std::int64_t{1});
  entry.append("reason", name_of(why));
  entry.append("queue", queue);
  entry.append("time", timestamp{static_cast<std::uint64_t>(
                           std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count())});
  entry.append("exchange", what.exchange());
  entry.append("routing-keys", routing_keys_of(what, *properties.headers));
  if (properties.expiration)
    entry.append("original-expiration", *properties.expiration);
  return entry;
}

bool is_of(const field_value& entry, death why, std::string_view queue) {
  const auto* table = std::get_if<field_table>(&entry.value);
  return table && table->text("queue") == queue && table->text("reason") == name_of(why);
}

void count_up(field_table& entry) {
  const auto* count = entry.find("count");
  entry.set("count", (count ? count->as_integer().value_or(0) : 0) + 1);
}

/// Each pair of queue and reason once, with its count: RabbitMQ before 3.6 wrote an entry for every death, without one.
field_array grouped(const field_array& deaths) {
  std::map<std::pair<std::string_view, std::string_view>, std::int64_t> times;
  const auto key = [](const field_table& entry) {
    return std::pair{entry.text("queue").value_or(""), entry.text("reason").value_or("")};
  };
  for (const auto& one : deaths)
    if (const auto* entry = std::get_if<field_table>(&one.value))
      ++times[key(*entry)];
  field_array result;
  for (const auto& one : deaths) {
    const auto* entry = std::get_if<field_table>(&one.value);
    const auto count = entry ? std::exchange(times[key(*entry)], 0) : 1;
    if (count == 0)
      continue;
    result.push_back(one);
    if (entry && !entry->find("count"))
      std::get<field_table>(result.back().value).set("count", count);
  }
  return result;
}

/// The newest first, each pair of queue and reason once.
void add_death(field_table& headers, const message& what, death why, std::string_view queue,
               const basic_properties& properties, time_point now) {
  const auto* before = deaths_in(headers);
  field_array deaths;
  if (before)
    deaths = grouped(*before);
  else
    for (const auto& [name, value] :
         {std::pair{"reason", name_of(why)}, std::pair{"queue", queue}, std::pair{"exchange", what.exchange()}})
      headers.set(std::string{"x-first-death-"} + name, value);
  const auto same = std::find_if(deaths.begin(), deaths.end(), [&](const auto& one) { return is_of(one, why, queue); });
  if (same == deaths.end()) {
    deaths.insert(deaths.begin(), first_entry(what, why, queue, properties, now));
  } else {
    count_up(std::get<field_table>(same->value));
    std::rotate(deaths.begin(), same, same + 1);
  }
  if (before)
    std::get<field_table>(deaths.front().value).sort();
  headers.set(std::string{deaths_header}, std::move(deaths));
  headers.sort();
}

} // namespace

std::string_view name_of(death why) noexcept {
  switch (why) {
  case death::rejected:
    return "rejected";
  case death::expired:
    return "expired";
  case death::maxlen:
    return "maxlen";
  case death::delivery_limit:
    break;
  }
  return "delivery_limit";
}

message_ptr make_dead_letter(const message& what, death why, std::string_view queue, std::string_view exchange,
                             const std::optional<std::string>& routing_key, time_point now, std::uint64_t attempts,
                             bool keep) {
  auto properties = properties_of(what);
  if (!properties.headers)
    properties.headers.emplace();
  if (attempts > 0)
    properties.headers->set("x-retry-attempts", static_cast<std::int64_t>(attempts));
  add_death(*properties.headers, what, why, queue, properties, now);
  const bool persistent = keep || what.persistent();
  if (keep)
    properties.delivery_mode = 2;
  if (routing_key)
    properties.headers->erase(copy_header);
  properties.expiration.reset();
  const std::string_view key = routing_key ? std::string_view{*routing_key} : what.routing_key();
  return make_message(exchange, key.substr(0, 255), encode_properties(properties), what.body(), persistent,
                      routing_key ? std::string_view{} : what.hidden_keys());
}

std::optional<revived> undo_death(const message& dead_letter) {
  auto properties = properties_of(dead_letter);
  const auto* found = properties.headers ? deaths_in(*properties.headers) : nullptr;
  const auto* last = found && !found->empty() ? std::get_if<field_table>(&found->front().value) : nullptr;
  if (!last || !last->text("queue"))
    return std::nullopt;
  const std::string queue{*last->text("queue")};
  const std::string exchange{last->text("exchange").value_or("")};
  std::string key = queue;
  const auto* keys = last->find("routing-keys");
  if (const auto* all = keys ? std::get_if<field_array>(&keys->value) : nullptr; all && !all->empty())
    if (const auto* first = all->front().as_string())
      key = *first;
  auto& headers = *properties.headers;
  auto earlier = *found;
  earlier.erase(earlier.begin());
  if (earlier.empty()) {
    for (const auto* name : {"x-death", "x-first-death-reason", "x-first-death-queue", "x-first-death-exchange"})
      headers.erase(name);
  } else {
    headers.set(std::string{deaths_header}, std::move(earlier));
  }
  for (const auto* name : {"x-retry-attempts", "x-delivery-count", "x-first-error", "x-last-error", "x-trace-id"})
    headers.erase(name);
  const auto* before = headers.find(replayed_header);
  headers.set(std::string{replayed_header}, (before ? before->as_integer().value_or(0) : 0) + 1);
  return revived{
      queue, make_message(exchange, key, encode_properties(properties), dead_letter.body(), dead_letter.persistent())};
}

bool is_replayed(const message& what) {
  if (!carries_headers(what.properties()))
    return false;
  const auto properties = properties_of(what);
  return properties.headers && properties.headers->find(replayed_header);
}

bool closes_circle(const message& dead_letter, std::string_view queue) {
  const auto properties = properties_of(dead_letter);
  const auto* deaths = properties.headers ? deaths_in(*properties.headers) : nullptr;
  if (!deaths)
    return false;
  for (const auto& one : *deaths) {
    const auto* entry = std::get_if<field_table>(&one.value);
    if (!entry || entry->text("reason") == name_of(death::rejected))
      return false;
    if (entry->text("queue") == queue)
      return true;
  }
  return false;
}

message_ptr count_delivery(const message& what, std::uint64_t returns) {
  auto properties = properties_of(what);
  if (!properties.headers)
    properties.headers.emplace();
  properties.headers->set("x-delivery-count", static_cast<std::int64_t>(returns));
  properties.headers->sort();
  return make_message(what.exchange(), what.routing_key(), encode_properties(properties), what.body(),
                      what.persistent(), what.hidden_keys());
}

} // namespace switchboard::broker
