#include "messages/zmq_topic.hpp"

#include "messages/json_object.hpp"

namespace switchboard {

namespace {

/// The member, or null if there is none.
const json& member(const json& data, const char* key) {
  static const json none;
  if (!data.is_object())
    return none;
  const auto found = data.find(key);
  return found == data.end() ? none : *found;
}

std::string text_in(const json& data, const char* key) {
  const auto& found = member(data, key);
  return found.is_string() ? found.get<std::string>() : std::string{};
}

/// "answered" of "call.answered".
std::string_view happening(const event& value) {
  const auto dot = value.event_type.find('.');
  return dot == std::string::npos ? std::string_view{} : std::string_view{value.event_type}.substr(dot + 1);
}

zmq_message state_message(std::string topic, const char* id_name, const event& value, std::string_view status) {
  json_object payload;
  payload.field(id_name, value.resource_id).field("status", status);
  payload.field("timestamp", to_iso8601(value.timestamp)).field("customer_id", value.customer_id);
  return {std::move(topic), std::move(payload).finish()};
}

/// The seed says "answered" where VoIPBIN's call says "progressing": the words of the documented events win, the call's
/// own status serves for the rest (held, created …).
std::string call_status(const event& value) {
  const auto what = happening(value);
  if (what == "ringing" || what == "answered" || what == "ended")
    return std::string{what};
  const auto status = text_in(value.data, "status");
  return status.empty() && what == "created" ? "created" : status;
}

std::vector<zmq_message> of_metrics(const event& value) {
  if (!value.data.is_object())
    return {};
  auto payload = value.data;
  payload["timestamp"] = to_iso8601(value.timestamp);
  return {{value.event_type, dump(payload)}};
}

std::vector<zmq_message> of_call(const event& value) {
  if (happening(value) == "metrics")
    return of_metrics(value);
  const auto status = call_status(value);
  if (status.empty())
    return {};
  return {state_message("call.state", "call_id", value, status)};
}

std::vector<zmq_message> of_agent(const event& value) {
  const auto what = happening(value);
  auto status = text_in(value.data, "status");
  if (status.empty() && what == "logout")
    status = "offline";
  if (status.empty())
    return {};
  std::vector<zmq_message> made;
  if (what == "login" || what == "logout")
    made.push_back(state_message(value.event_type, "agent_id", value, status));
  made.push_back(state_message("agent.presence", "agent_id", value, status));
  return made;
}

std::vector<zmq_message> of_queue(const event& value) {
  const auto& waiting = member(value.data, "waiting");
  const auto& active = member(value.data, "active");
  if (happening(value) != "stats" || !waiting.is_number_integer() || !active.is_number_integer())
    return {};
  const auto& id = member(value.data, "queue_id");
  json_object payload;
  payload.field("queue_id", id.is_string() ? id : json(value.resource_id));
  payload.field("waiting", waiting).field("active", active);
  return {{"queue.stats", std::move(payload).finish()}};
}

std::vector<zmq_message> of_conference(const event& value) {
  json_object payload;
  payload.field("conference_id", value.resource_id);
  for (const auto* key : {"call_id", "status"}) {
    if (const auto& known = member(value.data, key); known.is_string())
      payload.field(key, known);
  }
  payload.field("timestamp", to_iso8601(value.timestamp)).field("customer_id", value.customer_id);
  return {{value.event_type, std::move(payload).finish()}};
}

} // namespace

std::vector<zmq_message> zmq_messages(const event& value) {
  if (value.event_type.starts_with("call."))
    return of_call(value);
  if (value.event_type.starts_with("agent."))
    return of_agent(value);
  if (value.event_type.starts_with("queue."))
    return of_queue(value);
  if (value.event_type.starts_with("conference."))
    return of_conference(value);
  return {};
}

} // namespace switchboard
