// The map of this file: method, who asks, body, headers that steer, then the whole request and the answer.
#include "bridges/http/http_codec.hpp"

#include <algorithm>
#include <charconv>

#include "base/ids.hpp"
#include "messages/json_object.hpp"
#include "runtime/bearer_token.hpp"

namespace switchboard::http {

namespace {

constexpr const char* methods = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
constexpr std::size_t target_bytes_max = 4096;
constexpr std::size_t key_bytes_max = 120; // with a tenant before it still a message id
constexpr std::size_t traceparent_bytes = 55;

std::string service_method(std::string_view method) { return std::string{method == "HEAD" ? "GET" : method}; }

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

/// Answers that need neither a caller nor a route.
std::optional<http_answer> answer_of_method(const http_request& from) {
  if (from.method == "OPTIONS")
    return http_answer{204, "", "", {{"Allow", methods}}};
  if (from.method == "GET" || from.method == "HEAD" || from.method == "POST" || from.method == "PUT" ||
      from.method == "DELETE")
    return std::nullopt;
  auto refused = error_answer(405, "not_implemented", "this method is not known here");
  refused.headers.emplace_back("Allow", methods);
  return refused;
}

// -- who asks -------------------------------------------------------------------------------------------------------

/// The part of "http://host:port" after the scheme.
std::string_view host_of_origin(std::string_view origin) {
  const auto at = origin.find("://");
  return at == origin.npos ? std::string_view{} : origin.substr(at + 3);
}

/// A page of some site in a browser on this machine also comes from loopback: it says so by Origin or, after DNS
/// rebinding, by Host.
bool is_local_program(const http_request& from) {
  const auto origin = from.header("Origin");
  return from.from_loopback && is_loopback_host(from.header("Host")) &&
         (origin.empty() || is_loopback_host(host_of_origin(origin)));
}

std::optional<http_answer> take_identity(const http_request& from, const char* header, const char* member, json& to) {
  const auto value = from.header(header);
  if (value.empty())
    return std::nullopt;
  if (!is_identity(value))
    return error_answer(400, "bad_format", std::string{header} + " is not an identity");
  to[member] = value;
  return std::nullopt;
}

/// Fills customer_id and agent_id; an answer if the caller may not act. `tenant` becomes the customer, if one is known.
std::optional<http_answer> authenticate(const http_request& from, const gateway_rules& rules,
                                        const runtime::jwt_verifier* tokens, time_point now, json& headers,
                                        std::string& tenant) {
  if (const auto token = runtime::bearer_token(from.header("Authorization"), from.target)) {
    const auto who = tokens ? tokens->verify(*token, now)
                            : expected<runtime::claims>{errc::access_refused, "this node accepts no tokens"};
    if (!who)
      return error_answer(401, text(errc::access_refused), who.error().what);
    tenant = who->customer_id;
    headers["customer_id"] = who->customer_id;
    if (!who->agent_id.empty())
      headers["agent_id"] = who->agent_id;
    return std::nullopt;
  }
  if (!rules.anonymous_from_loopback || !is_local_program(from))
    return error_answer(401, text(errc::access_refused), "a token is required: Authorization: Bearer …");
  if (auto bad = take_identity(from, "X-Customer-Id", "customer_id", headers))
    return bad;
  if (const auto customer = headers.find("customer_id"); customer != headers.end())
    tenant = customer->get<std::string>();
  return take_identity(from, "X-Agent-Id", "agent_id", headers);
}

// -- what is asked --------------------------------------------------------------------------------------------------

std::optional<http_answer> take_body(const http_request& from, const gateway_rules& rules, json& to) {
  if (from.body.empty())
    return std::nullopt;
  if (from.body.size() > rules.body_bytes_max)
    return error_answer(413, text(errc::too_large), "the body is too large");
  // Also a guard: a browser sends another site's JSON only after asking this server, which never agrees.
  if (!is_json_type(from.header("Content-Type")))
    return error_answer(415, text(errc::bad_format), "the body needs Content-Type: application/json");
  auto parsed = parse_json(from.body);
  if (!parsed)
    return error_answer(parsed.error());
  to = *std::move(parsed);
  return std::nullopt;
}

std::optional<http_answer> take_timeout(const http_request& from, const gateway_rules& rules, milliseconds& to) {
  to = rules.timeout;
  const auto wanted = from.header("X-Request-Timeout");
  if (wanted.empty())
    return std::nullopt;
  std::uint32_t number = 0;
  const auto [end, bad] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), number);
  if (bad != std::errc{} || end != wanted.data() + wanted.size() || number == 0)
    return error_answer(400, text(errc::bad_format), "X-Request-Timeout is not a number of milliseconds");
  to = std::min(milliseconds{number}, rules.timeout_max);
  return std::nullopt;
}

/// The client's key, or a fresh one. `tenant` keeps the keys of tenants apart: services answer a repeated message id
/// from storage, and one tenant's "1" must not fetch another's answer. UUIDs are not guessed, so they stay as they are
/// and mean the same on every bridge.
std::optional<http_answer> take_message_id(const http_request& from, const std::string& tenant, gateway_call& to) {
  auto key = from.header("Idempotency-Key");
  if (key.empty())
    key = from.header("X-Message-Id");
  if (key.size() >= 2 && key.front() == '"' && key.back() == '"') // as the draft of that header writes it
    key = key.substr(1, key.size() - 2);
  if (key.size() > key_bytes_max || !is_visible(key))
    return error_answer(400, text(errc::bad_format), "the idempotency key is 1 to 120 visible ASCII characters");
  to.message_id = key.empty() ? make_uuid() : std::string{key};
  to.call.what.message_id = tenant.empty() || is_uuid(to.message_id) ? to.message_id : tenant + "/" + to.message_id;
  return std::nullopt;
}

/// What a service's error says of when it may help to ask again; 0 if nothing that can be used.
milliseconds retry_after_in(const json& error) {
  const auto said = error.is_object() ? error.find("retry_after") : error.end();
  const bool usable = error.is_object() && said != error.end() && said->is_number_integer() && *said > 0;
  return usable ? std::chrono::seconds{std::min<std::int64_t>(said->get<std::int64_t>(), 86'400)} : milliseconds{0};
}

/// The service's error as it is, but for the domain: which of our services refused is not the client's business.
http_answer service_error(const response& from) {
  auto inner = from.error;
  inner.erase("domain");
  auto made = error_answer(from.status_code, "", ""); // for the headers of its status
  made.body = dump({{"error", std::move(inner)}});
  return made;
}

} // namespace

std::variant<gateway_call, http_answer> decode_request(const http_request& from, const gateway_rules& rules,
                                                       const runtime::served_names& served,
                                                       const runtime::jwt_verifier* tokens, time_point now) {
  if (auto answer = answer_of_method(from))
    return *std::move(answer);
  gateway_call made;
  auto& what = made.call.what;
  std::string tenant;
  if (auto refused = authenticate(from, rules, tokens, now, what.headers, tenant))
    return *std::move(refused);
  if (from.target.size() > target_bytes_max || !is_visible(from.target))
    return error_answer(400, text(errc::bad_format), "the path is not 1 to 4096 visible ASCII characters");
  what.route = runtime::without_token(from.target);
  what.method = service_method(from.method);
  auto service = served.service_of(what.method, what.route);
  if (!service)
    return error_answer(404, text(errc::not_found), "no such route");
  made.call.service = *std::move(service);
  what.timestamp = now;
  if (const auto trace = from.header("traceparent"); trace.size() == traceparent_bytes && is_visible(trace))
    what.headers["traceparent"] = trace;
  for (auto& refused : {take_body(from, rules, what.body), take_timeout(from, rules, made.call.timeout),
                        take_message_id(from, tenant, made)})
    if (refused)
      return *refused;
  return made;
}

http_answer encode_response(const std::string& message_id, const response& from, milliseconds retry_after) {
  http_answer made;
  if (from.status_code < 200 || from.status_code > 599)
    made = error_answer(502, text(errc::bad_format), "the service answered with an unusable status");
  else if (from.status_code >= 400 && from.error.is_object())
    made = service_error(from);
  else if (from.status_code >= 400 && from.body.is_null())
    made = error_answer(from.status_code, text(errc::internal), "the service gave no reason");
  else
    made = {from.status_code, "application/json", from.body.is_null() ? std::string{} : dump(from.body), {}};
  if (made.status == 204 || made.status == 304 || made.body.empty())
    made.content_type.clear(), made.body.clear();
  if (retry_after == milliseconds{0})
    retry_after = retry_after_in(from.error);
  if (retry_after > milliseconds{0})
    for (auto& [name, value] : made.headers)
      if (name == "Retry-After")
        value = std::to_string(std::chrono::ceil<std::chrono::seconds>(retry_after).count());
  made.headers.emplace_back("X-Message-Id", message_id);
  return made;
}

} // namespace switchboard::http
