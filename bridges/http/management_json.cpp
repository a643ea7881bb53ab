#include "bridges/http/management_json.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include <openssl/evp.h>

namespace switchboard::http {

namespace {

struct value_to_json {
  ordered_json operator()(std::monostate) const { return nullptr; }
  ordered_json operator()(const decimal& value) const { return {{"scale", value.scale}, {"value", value.value}}; }
  ordered_json operator()(const timestamp& value) const { return value.seconds; }
  ordered_json operator()(const byte_array& value) const { return value.bytes; }
  ordered_json operator()(const field_table& value) const { return table_to_json(value); }
  ordered_json operator()(const field_array& value) const {
    auto all = ordered_json::array();
    for (const auto& each : value)
      all.push_back(std::visit(*this, each.value));
    return all;
  }
  template <class Plain>
  ordered_json operator()(const Plain& value) const {
    return value;
  }
};

expected<field_value> value_from_json(const ordered_json& from, int depth);

expected<field_table> table_from_json(const ordered_json& from, int depth) {
  if (!from.is_object() || depth > field_depth_max)
    return {errc::bad_format, "arguments must be a JSON object, not nested too deep"};
  field_table table;
  for (const auto& [name, value] : from.items()) {
    auto read = value_from_json(value, depth);
    if (!read)
      return read.error();
    if (name.size() > 255)
      return {errc::bad_format, "the name of an argument is longer than 255 bytes"};
    table.set(name, *std::move(read));
  }
  return table;
}

expected<field_value> value_from_json(const ordered_json& from, int depth) {
  switch (from.type()) {
  case ordered_json::value_t::boolean:
    return field_value{from.get<bool>()};
  case ordered_json::value_t::string:
    return field_value{from.get<std::string>()};
  case ordered_json::value_t::number_integer:
    return field_value{from.get<std::int64_t>()};
  case ordered_json::value_t::number_unsigned:
    if (from.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
      return {errc::bad_format, "a number is too large"};
    return field_value{from.get<std::int64_t>()};
  case ordered_json::value_t::number_float:
    return field_value{from.get<double>()};
  case ordered_json::value_t::object: {
    auto table = table_from_json(from, depth + 1);
    if (!table)
      return table.error();
    return field_value{*std::move(table)};
  }
  case ordered_json::value_t::array: {
    if (depth >= field_depth_max)
      return {errc::bad_format, "a list is nested too deep"};
    field_array all;
    for (const auto& each : from) {
      auto read = value_from_json(each, depth + 1);
      if (!read)
        return read.error();
      all.push_back(*std::move(read));
    }
    return field_value{std::move(all)};
  }
  default:
    return field_value{};
  }
}

ordered_json no_rate() { return {{"rate", 0.0}}; }

std::string type_of_queue(const field_table& arguments) {
  const auto* value = arguments.find("x-queue-type");
  const auto* word = value ? value->as_string() : nullptr;
  return word ? *word : "classic";
}

std::string channel_name(const runtime::channel_report& of, const runtime::connection_facts& in) {
  return in.name + " (" + std::to_string(of.number) + ")";
}

ordered_json connection_details(const runtime::connection_facts& of) {
  return {{"name", of.name}, {"peer_host", of.peer_host}, {"peer_port", of.peer_port}};
}

std::int64_t milliseconds_of(time_point at) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
}

ordered_json column_of(const ordered_json& from, std::string_view path) {
  const auto dot = path.find('.');
  const auto found = from.find(std::string{path.substr(0, dot)});
  if (found == from.end())
    return nullptr;
  return dot == path.npos || !found->is_object() ? *found : column_of(*found, path.substr(dot + 1));
}

void put_column(ordered_json& into, std::string_view path, ordered_json value) {
  const auto dot = path.find('.');
  auto& place = into[std::string{path.substr(0, dot)}];
  if (dot == path.npos)
    place = std::move(value);
  else
    put_column(place, path.substr(dot + 1), std::move(value));
}

} // namespace

ordered_json table_to_json(const field_table& table) {
  auto all = ordered_json::object();
  for (const auto& [name, value] : table.fields())
    all[name] = std::visit(value_to_json{}, value.value);
  return all;
}

expected<field_table> table_from_json(const ordered_json& from) { return table_from_json(from, 1); }

ordered_json exchange_to_json(const broker::topology_listing::exchange& of, std::string_view vhost) {
  ordered_json made{{"name", of.spec.name},
                    {"vhost", vhost},
                    {"type", of.spec.type},
                    {"durable", of.spec.durable},
                    {"auto_delete", of.spec.auto_delete},
                    {"internal", of.spec.internal},
                    {"arguments", table_to_json(of.spec.arguments)}};
  if (!of.policy.empty())
    made["policy"] = of.policy;
  return made;
}

ordered_json queue_to_json(const broker::topology_listing::queue& of, const broker::queue_status& now,
                           std::string_view vhost, std::string_view node) {
  ordered_json effective = ordered_json::object();
  for (const auto& [name, value] : of.effective.fields())
    if (!of.spec.arguments.find(name) || !(*of.spec.arguments.find(name) == value))
      effective[name] = std::visit(value_to_json{}, value.value);
  return {{"name", of.spec.name},
          {"vhost", vhost},
          {"type", type_of_queue(of.spec.arguments)},
          {"node", node},
          {"state", "running"},
          {"durable", of.spec.durable},
          {"auto_delete", of.spec.auto_delete},
          {"exclusive", of.spec.exclusive},
          {"arguments", table_to_json(of.spec.arguments)},
          {"policy", of.policy.empty() ? ordered_json(nullptr) : ordered_json(of.policy)},
          {"operator_policy", of.operator_policy.empty() ? ordered_json(nullptr) : ordered_json(of.operator_policy)},
          {"effective_policy_definition", std::move(effective)},
          {"messages", now.ready + now.unacked + now.waiting},
          {"messages_details", no_rate()},
          {"messages_ready", now.ready},
          {"messages_ready_details", no_rate()},
          {"messages_unacknowledged", now.unacked},
          {"messages_unacknowledged_details", no_rate()},
          {"messages_waiting", now.waiting}, // for their next attempt: RabbitMQ has none
          {"message_bytes_ready", now.ready_bytes},
          {"consumers", now.consumers}};
}

std::string properties_key(const broker::binding_spec& of) {
  if (of.arguments.empty())
    return of.routing_key.empty() ? "~" : of.routing_key;
  std::string bytes;
  encode_fields(of.arguments, bytes);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  std::string mark;
  for (std::size_t at = 0; at < 8; ++at) {
    constexpr char digits[] = "0123456789abcdef";
    (mark += digits[digest[at] >> 4]) += digits[digest[at] & 15];
  }
  return of.routing_key + "~" + mark;
}

ordered_json binding_to_json(const broker::binding_spec& of, std::string_view vhost) {
  return {{"source", of.source},
          {"vhost", vhost},
          {"destination", of.destination},
          {"destination_type", of.to_exchange ? "exchange" : "queue"},
          {"routing_key", of.routing_key},
          {"arguments", table_to_json(of.arguments)},
          {"properties_key", properties_key(of)}};
}

ordered_json user_to_json(const broker::user& of) {
  return {{"name", of.name},
          {"password_hash", of.password.hash},
          {"hashing_algorithm", of.password.algorithm},
          {"tags", of.tags},
          {"limits", of.limits}};
}

ordered_json vhost_to_json(const broker::vhost_settings& of) {
  return {{"name", of.name},
          {"description", of.description},
          {"tags", of.tags},
          {"metadata", {{"description", of.description}, {"tags", of.tags}}},
          {"tracing", false}};
}

ordered_json permission_to_json(std::string_view user, std::string_view vhost, const broker::permission& of) {
  return {{"user", user},
          {"vhost", vhost},
          {"configure", of.configure.text()},
          {"write", of.write.text()},
          {"read", of.read.text()}};
}

ordered_json topic_permission_to_json(std::string_view user, std::string_view vhost, std::string_view exchange,
                                      const broker::topic_permission& of) {
  return {{"user", user}, {"vhost", vhost}, {"exchange", exchange}, {"write", of.write_text}, {"read", of.read_text}};
}

ordered_json policy_to_json(const broker::policy& of, std::string_view vhost) {
  return {{"vhost", vhost},
          {"name", of.name},
          {"pattern", of.pattern.text()},
          {"apply-to", of.apply_to},
          {"definition", table_to_json(of.definition)},
          {"priority", of.priority}};
}

ordered_json connection_to_json(const runtime::connection_card& of, std::string_view node) {
  const auto& in = of.facts;
  return {{"name", in.name},
          {"node", node},
          {"type", "network"},
          {"state", "running"},
          {"protocol", in.protocol},
          {"user", in.user},
          {"vhost", in.vhost},
          {"auth_mechanism", in.mechanism},
          {"ssl", in.tls},
          {"peer_host", in.peer_host},
          {"peer_port", in.peer_port},
          {"host", in.host},
          {"port", in.port},
          {"connected_at", milliseconds_of(in.connected)},
          {"channel_max", in.channel_max},
          {"frame_max", in.frame_max_bytes},
          {"timeout", in.heartbeat_s},
          {"channels", of.channels.load(std::memory_order_relaxed)},
          {"recv_oct", of.received_bytes.load(std::memory_order_relaxed)},
          {"send_oct", of.sent_bytes.load(std::memory_order_relaxed)},
          {"client_properties", table_to_json(in.client_properties)}};
}

ordered_json channel_to_json(const runtime::channel_report& of, const runtime::connection_facts& in,
                             std::string_view node) {
  return {{"name", channel_name(of, in)},
          {"number", of.number},
          {"node", node},
          {"state", "running"},
          {"user", in.user},
          {"vhost", in.vhost},
          {"confirm", of.confirms},
          {"transactional", of.transactional},
          {"prefetch_count", of.prefetch},
          {"global_prefetch_count", of.prefetch_global},
          {"consumer_count", of.consumers.size()},
          {"messages_unacknowledged", of.unacknowledged},
          {"messages_unconfirmed", of.unconfirmed},
          {"messages_uncommitted", of.uncommitted},
          {"connection_details", connection_details(in)}};
}

ordered_json consumer_to_json(const runtime::consumer_report& of, const runtime::channel_report& at,
                              const runtime::connection_facts& in, std::string_view node) {
  return {{"consumer_tag", of.tag},
          {"queue", {{"name", of.queue}, {"vhost", in.vhost}}},
          {"ack_required", !of.no_ack},
          {"exclusive", of.exclusive},
          {"prefetch_count", of.prefetch},
          {"active", true},
          {"arguments", ordered_json::object()},
          {"channel_details",
           {{"name", channel_name(at, in)},
            {"number", at.number},
            {"node", node},
            {"user", in.user},
            {"connection_name", in.name},
            {"peer_host", in.peer_host},
            {"peer_port", in.peer_port}}}};
}

// -- properties of a message ----------------------------------------------------------------------------------------

namespace {

template <class Properties, class See>
void each_text_property(Properties& of, See&& see) {
  see("content_type", of.content_type);
  see("content_encoding", of.content_encoding);
  see("correlation_id", of.correlation_id);
  see("reply_to", of.reply_to);
  see("expiration", of.expiration);
  see("message_id", of.message_id);
  see("type", of.type);
  see("user_id", of.user_id);
  see("app_id", of.app_id);
  see("cluster_id", of.cluster_id);
}

template <class Properties, class See>
void each_number_property(Properties& of, See&& see) {
  see("delivery_mode", of.delivery_mode);
  see("priority", of.priority);
  see("timestamp", of.timestamp);
}

template <class Number>
bool read_number(const ordered_json& from, std::optional<Number>& into) {
  if (!from.is_number_unsigned() || from.get<std::uint64_t>() > std::numeric_limits<Number>::max())
    return false;
  into = static_cast<Number>(from.get<std::uint64_t>());
  return true;
}

} // namespace

ordered_json properties_to_json(const basic_properties& of) {
  auto made = ordered_json::object();
  const auto put = [&](const char* name, const auto& value) {
    if (value)
      made[name] = *value;
  };
  each_text_property(of, put);
  each_number_property(of, put);
  if (of.headers)
    made["headers"] = table_to_json(*of.headers);
  return made;
}

expected<basic_properties> properties_from_json(const ordered_json& from) {
  basic_properties read;
  if (from.is_array() && from.empty()) // what PHP makes of an empty object, as RabbitMQ allows
    return read;
  if (!from.is_object())
    return {errc::bad_format, "properties must be an object"};
  std::string wrong;
  each_text_property(read, [&](const char* name, std::optional<std::string>& into) {
    if (const auto found = from.find(name); found != from.end()) {
      if (found->is_string())
        into = found->template get<std::string>();
      else
        wrong = name;
    }
  });
  each_number_property(read, [&](const char* name, auto& into) {
    if (const auto found = from.find(name); found != from.end() && !read_number(*found, into))
      wrong = name;
  });
  if (const auto found = from.find("headers"); found != from.end()) {
    auto headers = table_from_json(*found);
    if (headers)
      read.headers = *std::move(headers);
    else
      wrong = "headers";
  }
  if (!wrong.empty())
    return {errc::bad_format, "the property " + wrong + " has a value of the wrong type"};
  return read;
}

// -- small things ---------------------------------------------------------------------------------------------------

expected<std::vector<std::string>> tags_from_json(const ordered_json& from) {
  std::vector<std::string> tags;
  if (from.is_string()) {
    const auto text = from.get<std::string>();
    for (std::size_t at = 0; at < text.size();) {
      const auto comma = std::min(text.find(',', at), text.size());
      auto tag = text.substr(at, comma - at);
      tag.erase(0, tag.find_first_not_of(' '));
      tag.erase(tag.find_last_not_of(' ') + 1);
      if (!tag.empty())
        tags.push_back(std::move(tag));
      at = comma + 1;
    }
    return tags;
  }
  if (!from.is_array())
    return {errc::bad_format, "tags must be a text or a list of texts"};
  for (const auto& each : from) {
    if (!each.is_string())
      return {errc::bad_format, "tags must be a text or a list of texts"};
    tags.push_back(each.get<std::string>());
  }
  return tags;
}

ordered_json only_columns(const ordered_json& from, std::string_view columns) {
  if (from.is_array()) {
    auto all = ordered_json::array();
    for (const auto& each : from)
      all.push_back(only_columns(each, columns));
    return all;
  }
  if (!from.is_object())
    return from;
  auto kept = ordered_json::object();
  while (!columns.empty()) {
    const auto comma = std::min(columns.find(','), columns.size());
    const auto path = columns.substr(0, comma);
    if (auto value = column_of(from, path); !value.is_null())
      put_column(kept, path, std::move(value));
    columns.remove_prefix(std::min(comma + 1, columns.size()));
  }
  return kept;
}

} // namespace switchboard::http
