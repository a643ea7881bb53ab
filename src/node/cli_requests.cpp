#include "node/cli_requests.hpp"

#include <algorithm>
#include <array>

#include "messages/envelope.hpp"

namespace switchboard::node {
namespace {

/// +15551234567 is a telephone number; anything with @ or sip: is a SIP address.
json address_of_text(const std::string& target) {
  const bool sip = target.starts_with("sip:") || target.find('@') != std::string::npos;
  return {{"type", sip ? "sip" : "tel"}, {"target", target}};
}

std::string path_of(const std::string& resources, const std::string& id, std::string_view rest = {}) {
  return "/v1/" + resources + "/" + percent_encoded(id) + std::string{rest};
}

client_request create(const std::string& resources, const std::string& id, json body) {
  if (!id.empty())
    body["id"] = id;
  return {"POST", "/v1/" + resources, std::move(body)};
}

} // namespace

std::string percent_encoded(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view{"-._~"}.find(c) != std::string_view::npos;
    if (plain)
      out += c;
    else
      ((out += '%') += digits[byte >> 4]) += digits[byte & 0xf];
  }
  return out;
}

client_request create_call(const new_call& wanted) {
  json body{{"customer_id", wanted.customer},
            {"source", address_of_text(wanted.from)},
            {"destinations", json::array({address_of_text(wanted.to)})}};
  if (wanted.incoming)
    body["direction"] = "incoming";
  return create("calls", wanted.id, std::move(body));
}

client_request hang_up_call(const std::string& id) { return {"POST", path_of("calls", id, "/hangup"), nullptr}; }

client_request create_agent(const new_agent& wanted) {
  json body{{"customer_id", wanted.customer}, {"name", wanted.name}};
  if (!wanted.address.empty())
    body["addresses"] = json::array({address_of_text(wanted.address)});
  return create("agents", wanted.id, std::move(body));
}

client_request log_in_agent(const std::string& id) { return {"POST", path_of("agents", id, "/login"), nullptr}; }
client_request log_out_agent(const std::string& id) { return {"POST", path_of("agents", id, "/logout"), nullptr}; }
client_request set_agent_status(const std::string& id, const std::string& status) {
  return {"PUT", path_of("agents", id, "/status"), {{"status", status}}};
}

client_request create_queue(const new_queue& wanted) {
  return create("queues", wanted.id, {{"customer_id", wanted.customer}, {"name", wanted.name}});
}
client_request add_queue_agent(const std::string& queue, const std::string& agent) {
  return {"POST", path_of("queues", queue, "/agents"), {{"agent_id", agent}}};
}
client_request add_queue_caller(const std::string& queue, const std::string& call) {
  return {"POST", path_of("queues", queue, "/calls"), {{"call_id", call}}};
}
client_request list_queue_callers(const std::string& queue) {
  return {"GET", path_of("queues", queue, "/calls"), nullptr};
}

client_request show_one(const std::string& resources, const std::string& id) {
  return {"GET", path_of(resources, id), nullptr};
}
client_request list_all(const std::string& resources, int page_size) {
  return {"GET", "/v1/" + resources + "?page_size=" + std::to_string(page_size), nullptr};
}

client_request list_dead_letters(const std::string& queue, int limit) {
  return {"GET",
          "/api/dead-letters?limit=" + std::to_string(limit) +
              (queue.empty() ? "" : "&queue=" + percent_encoded(queue)),
          {}};
}
client_request show_dead_letter(const std::string& queue, const std::string& id) {
  return {"GET", "/api/dead-letters/" + percent_encoded(queue) + "/" + percent_encoded(id), {}};
}
client_request replay_dead_letters(const std::string& queue, const std::vector<std::string>& ids) {
  return {"POST", "/api/dead-letters/" + percent_encoded(queue) + "/replay",
          ids.empty() ? json::object() : json{{"ids", ids}}};
}
client_request purge_dead_letters(const std::string& queue, const std::string& id) {
  return {"DELETE", "/api/dead-letters/" + percent_encoded(queue) + (id.empty() ? "" : "/" + percent_encoded(id)), {}};
}

client_request list_plugins() { return {"GET", "/api/plugins", nullptr}; }
client_request load_plugin(const std::string& path) { return {"POST", "/api/plugins", {{"path", path}}}; }
client_request roll_back_plugin(const std::string& name) {
  return {"POST", "/api/plugins/" + percent_encoded(name) + "/rollback", json::object()};
}

client_request show_history(const history_wanted& wanted) {
  auto target = "/api/entities/" + percent_encoded(wanted.type) + "/" + percent_encoded(wanted.id) + "/history";
  if (wanted.replay)
    return {"GET", target + "?replay=1", nullptr};
  target += "?limit=" + std::to_string(wanted.limit);
  if (!wanted.after.empty())
    target += "&after=" + percent_encoded(wanted.after);
  return {"GET", target + (wanted.with_states ? "&states=1" : ""), nullptr};
}

client_request list_actors(const std::string& prefix, int limit) {
  return {"GET", "/api/actors?prefix=" + percent_encoded(prefix) + "&limit=" + std::to_string(limit), nullptr};
}

expected<client_request> free_request(const std::string& method, const std::string& route, const std::string& body) {
  constexpr std::array<std::string_view, 4> methods{"GET", "POST", "PUT", "DELETE"};
  if (std::find(methods.begin(), methods.end(), method) == methods.end())
    return {errc::bad_format, "METHOD is GET, POST, PUT or DELETE, not '" + method + "'"};
  const bool printable = std::all_of(route.begin(), route.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!route.starts_with("/") || !printable)
    return {errc::bad_format, "ROUTE starts with / and has no blanks, e.g. /v1/calls"};
  client_request made{method, route, nullptr};
  if (!body.empty()) {
    auto parsed = parse_json(body);
    if (!parsed)
      return {errc::bad_format, "the body is not JSON: " + parsed.error().what};
    made.body = std::move(*parsed);
  }
  return made;
}

std::string tail_topic(const std::string& argument, const std::string& customer) {
  if (argument.starts_with("customer_id:") || argument.starts_with("agent_id:"))
    return argument;
  return "customer_id:" + customer + (argument.empty() ? "" : ":" + argument);
}

} // namespace switchboard::node
