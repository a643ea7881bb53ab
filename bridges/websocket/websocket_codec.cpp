#include "bridges/websocket/websocket_codec.hpp"

#include "messages/json_object.hpp"

namespace switchboard::websocket {

namespace {

constexpr int command_depth_max = 8;
constexpr std::size_t topics_of_one_request_max = 1000; // bounds the answer; the session's own limit is lower
constexpr std::size_t id_bytes_max = 128;
constexpr std::size_t command_bytes_max = 1 << 20; // the session's own limit is lower

refusal bad_format(std::string message, json id = nullptr) {
  return {400, std::string{text(errc::bad_format)}, std::move(message), {}, std::move(id)};
}

bool is_usable_id(const json& id) {
  return id.is_null() || id.is_number_integer() ||
         (id.is_string() && id.get_ref<const std::string&>().size() <= id_bytes_max);
}

/// The text of the member "type"; empty if it has none.
std::string type_of(const json& object) {
  const auto found = object.find("type");
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::variant<command, refusal> decode_topics(const json& object, command read) {
  const auto topics = object.find("topics");
  if (topics == object.end() || !topics->is_array() || topics->empty() || topics->size() > topics_of_one_request_max)
    return bad_format("topics is not a list of 1 to 1000 topics", std::move(read.id));
  for (const auto& one : *topics) {
    if (!one.is_string())
      return bad_format("a topic is not a text", std::move(read.id));
    auto parsed = topic_pattern::parse(one.get_ref<const std::string&>());
    if (!parsed) {
      auto why = bad_format(parsed.error().what, std::move(read.id));
      why.topics.push_back(one.get_ref<const std::string&>().substr(0, topic_bytes_max));
      return why;
    }
    read.topics.push_back(*std::move(parsed));
    read.texts.push_back(one.get<std::string>());
  }
  return read;
}

} // namespace

std::variant<command, refusal> decode_command(std::string_view text) {
  const auto object = parse_json(text, command_bytes_max, command_depth_max);
  if (!object)
    return bad_format(object.error().what);
  if (!object->is_object())
    return bad_format("not a JSON object");
  command read;
  if (const auto id = object->find("id"); id != object->end())
    read.id = *id;
  if (!is_usable_id(read.id))
    return bad_format("id is neither an integer nor a text of at most 128 bytes");
  const auto type = type_of(*object);
  if (type == "unsubscribe")
    read.what = command::action::unsubscribe;
  else if (type != "subscribe")
    return bad_format("type is neither subscribe nor unsubscribe", std::move(read.id));
  return decode_topics(*object, std::move(read));
}

std::string encode_done(const command& done) {
  json_object out;
  out.field("type", done.what == command::action::subscribe ? "subscribed" : "unsubscribed");
  out.field("topics", done.texts);
  if (!done.id.is_null())
    out.field("id", done.id);
  return std::move(out).finish();
}

std::string encode(const refusal& why) {
  json_object out;
  out.field("type", "error").field("code", why.code).field("reason", why.reason).field("message", why.message);
  out.field("topics", why.topics);
  if (!why.id.is_null())
    out.field("id", why.id);
  return std::move(out).finish();
}

std::string encode_event(const event& what) {
  const topic_pattern place{topic_scope::customer, what.customer_id, what.resource_type, what.resource_id};
  json_object out;
  out.field("event", what.event_type).field("type", "event").field("topic", place.str());
  out.field("event_id", what.event_id).field("event_type", what.event_type);
  out.field("timestamp", to_iso8601(what.timestamp)).field("customer_id", what.customer_id);
  out.field("resource_type", what.resource_type).field("resource_id", what.resource_id).field("data", what.data);
  return std::move(out).finish();
}

} // namespace switchboard::websocket
