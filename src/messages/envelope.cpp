// The map of this file: JSON within limits, small readers for members, then decode and encode of request, response and
// event, each in both dialects, then errors.
#include "messages/envelope.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "base/ids.hpp"
#include "messages/json_object.hpp"

namespace switchboard {

namespace {

constexpr std::size_t message_id_bytes_max = 255; // as AMQP's message-id
constexpr std::size_t route_bytes_max = 4096;
constexpr std::string_view voipbin_error_type = "voipbin_error";
constexpr std::string_view json_type = "application/json";
constexpr std::string_view our_publisher = "switchboard";

/// The deepest nesting of brackets outside strings, whether or not they match; the parser settles that afterwards.
int depth_of(std::string_view text) noexcept {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\')
        ++at;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

/// What is looked at before the library reads it: the limits; and a byte order mark, which nlohmann's parser skips, and
/// NUL, which it takes for the end. RFC 8259 knows neither.
expected<void> may_be_read(std::string_view text, std::size_t bytes_max, int depth_max) {
  if (text.size() > bytes_max)
    return {errc::too_large, "JSON is over " + std::to_string(bytes_max) + " bytes"};
  if (depth_of(text) > depth_max)
    return {errc::too_large, "JSON nests deeper than " + std::to_string(depth_max)};
  if (text.starts_with("\xef\xbb\xbf") || text.find('\0') != std::string_view::npos)
    return {errc::bad_format, "not valid JSON"};
  return {};
}

const json& member(const json& object, const char* key) {
  static const json none;
  if (!object.is_object())
    return none;
  const auto found = object.find(key);
  return found == object.end() ? none : *found;
}

/// The same, taken out: bodies can be large.
json take_member(json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? json{} : std::move(*found);
}

bool has_any(const json& object, std::initializer_list<const char*> keys) {
  return std::any_of(keys.begin(), keys.end(), [&](const char* key) { return object.contains(key); });
}

/// Reads members of one envelope and keeps the first complaint, so that a decoder is one line per field.
class member_reader {
public:
  member_reader(const json& from, std::string_view kind) : from_(from), kind_(kind) {}

  /// Absent and null read as empty.
  std::string text(const char* key, std::size_t bytes_max) {
    const auto& found = member(from_, key);
    if (found.is_null())
      return {};
    if (!found.is_string())
      return complain(key, "is not a string"), std::string{};
    const auto& held = found.get_ref<const std::string&>();
    if (held.size() > bytes_max)
      return complain(key, "is too long"), std::string{};
    return held;
  }

  /// Text that is empty or an identity (base/ids.hpp).
  std::string id(const char* key) {
    auto read = text(key, message_id_bytes_max);
    if (!read.empty() && !is_identity(read))
      complain(key, "is not an identity");
    return read;
  }

  time_point time(const char* key) {
    const auto read = text(key, 64);
    if (read.empty())
      return {};
    const auto at = from_iso8601(read);
    if (!at)
      return complain(key, "is not an ISO 8601 time"), time_point{};
    return *at;
  }

  void complain(const char* key, std::string_view what) {
    if (why_.empty())
      why_ = std::string{kind_}.append(": ").append(key).append(" ").append(what);
  }

  template <class Value>
  expected<Value> finish(Value read) {
    if (!why_.empty())
      return {errc::bad_format, std::move(why_)};
    return read;
  }

private:
  const json& from_;
  std::string_view kind_;
  std::string why_;
};

expected<json> parse_object(std::string_view text, std::string_view kind) {
  auto parsed = parse_json(text);
  if (parsed && !parsed->is_object())
    return {errc::bad_format, std::string{kind} + " is not a JSON object"};
  return parsed;
}

bool is_method(std::string_view text) {
  constexpr std::array<std::string_view, 4> methods{"GET", "POST", "PUT", "DELETE"};
  return std::find(methods.begin(), methods.end(), text) != methods.end();
}

bool is_route(std::string_view text) {
  const auto visible = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '\x7f'; };
  return text.starts_with('/') && std::all_of(text.begin(), text.end(), visible);
}

std::string string_member(const json& object, const char* key) {
  const auto& found = member(object, key);
  return found.is_string() ? found.get<std::string>() : std::string{};
}

/// VoIPBIN's structs are free-form: what is no identity there is left out instead of refused.
std::string identity_member(const json& object, const char* key) {
  auto read = string_member(object, key);
  return is_identity(read) ? read : std::string{};
}

void read_documented(json& from, member_reader& in, request& to) {
  to.message_id = in.text("message_id", message_id_bytes_max);
  to.timestamp = in.time("timestamp");
  to.route = in.text("route", route_bytes_max);
  if (auto headers = take_member(from, "headers"); headers.is_object())
    to.headers = std::move(headers);
  else if (!headers.is_null())
    in.complain("headers", "is not an object");
  to.body = take_member(from, "body");
}

void read_voipbin(json& from, member_reader& in, request& to) {
  to.dialect = dialect::voipbin;
  to.message_id = in.text("request_id", message_id_bytes_max);
  to.route = in.text("uri", route_bytes_max);
  if (auto publisher = in.text("publisher", message_id_bytes_max); !publisher.empty())
    to.headers["publisher"] = std::move(publisher);
  to.body = take_member(from, "data");
}

int read_status(const json& from, member_reader& in) {
  const auto& status = member(from, "status_code");
  if (!status.is_number_integer() || status < 100 || status > 599) {
    in.complain("status_code", "is not a number from 100 to 599");
    return 0;
  }
  return status.get<int>();
}

expected<event> read_documented_event(json& from) {
  member_reader in{from, "event"};
  event read;
  read.event_id = in.text("event_id", message_id_bytes_max);
  read.event_type = in.id("event_type");
  if (read.event_type.empty())
    in.complain("event_type", "is missing");
  read.timestamp = in.time("timestamp");
  read.customer_id = in.id("customer_id");
  read.resource_type = in.id("resource_type");
  read.resource_id = in.id("resource_id");
  read.data = take_member(from, "data");
  return in.finish(std::move(read));
}

expected<event> read_voipbin_event(json& from) {
  member_reader in{from, "event"};
  event read;
  read.event_type = in.id("type");
  if (read.event_type.empty())
    in.complain("type", "is missing");
  if (const auto at = read.event_type.find_first_of("_."); at != std::string::npos) {
    read.event_type[at] = '.';
    read.resource_type = read.event_type.substr(0, at);
  }
  read.data = take_member(from, "data");
  read.customer_id = identity_member(read.data, "customer_id");
  read.resource_id = identity_member(read.data, "id");
  return in.finish(std::move(read));
}

std::string encode_voipbin(const request& value) {
  const auto publisher = string_member(value.headers, "publisher");
  json_object out;
  out.text("uri", value.route).text("method", value.method);
  out.text("publisher", publisher.empty() ? our_publisher : publisher).text("data_type", json_type);
  if (!value.body.is_null())
    out.field("data", value.body);
  if (!value.message_id.empty())
    out.text("request_id", value.message_id);
  return std::move(out).finish();
}

std::string encode_voipbin(const response& value, std::string_view body) {
  const bool failed = !value.error.is_null();
  json_object out;
  out.number("status_code", value.status_code).text("data_type", failed ? voipbin_error_type : json_type);
  if (failed)
    out.field("data", value.error);
  else if (!body.empty())
    out.raw("data", body);
  return std::move(out).finish();
}

std::string text_of(const json& value) { return value.is_null() ? std::string{} : dump(value); }

/// VoIPBIN's word for an HTTP status (facts/voipbin 1.1), which are gRPC's; extended by gRPC's words where it has none.
std::string_view status_word(int status) noexcept {
  switch (status) {
  case 400:
  case 413:
    return "INVALID_ARGUMENT";
  case 401:
    return "UNAUTHENTICATED";
  case 402:
    return "PAYMENT_REQUIRED";
  case 403:
    return "PERMISSION_DENIED";
  case 404:
    return "NOT_FOUND";
  case 409:
    return "FAILED_PRECONDITION";
  case 429:
    return "RESOURCE_EXHAUSTED";
  case 501:
    return "UNIMPLEMENTED";
  case 503:
    return "UNAVAILABLE";
  case 504:
    return "DEADLINE_EXCEEDED";
  default:
    return status >= 400 && status < 500 ? "INVALID_ARGUMENT" : "INTERNAL";
  }
}

} // namespace

expected<json> parse_json(std::string_view text, std::size_t bytes_max, int depth_max) {
  if (auto may = may_be_read(text, bytes_max, depth_max); !may)
    return may.error();
  auto parsed = json::parse(text, nullptr, false);
  if (parsed.is_discarded())
    return {errc::bad_format, "not valid JSON"};
  return parsed;
}

bool is_json(std::string_view text, std::size_t bytes_max, int depth_max) {
  return may_be_read(text, bytes_max, depth_max) && json::accept(text);
}

std::string request::customer_id() const {
  auto named = string_member(headers, "customer_id");
  if (named.empty() && dialect == switchboard::dialect::voipbin)
    named = string_member(body, "customer_id");
  return named;
}

expected<request> decode_request(std::string_view text) {
  auto parsed = parse_object(text, "request");
  if (!parsed)
    return parsed.error();
  auto& from = *parsed;
  member_reader in{from, "request"};
  request read;
  if (!from.contains("route") && from.contains("uri"))
    read_voipbin(from, in, read);
  else
    read_documented(from, in, read);
  if (!is_route(read.route))
    in.complain(read.dialect == dialect::voipbin ? "uri" : "route", "is not a path");
  read.method = in.text("method", 16);
  if (!is_method(read.method))
    in.complain("method", "is none of GET, POST, PUT, DELETE");
  return in.finish(std::move(read));
}

expected<response> decode_response(std::string_view text) {
  const auto parsed = parse_object(text, "response");
  if (!parsed)
    return parsed.error();
  const auto& from = *parsed;
  member_reader in{from, "response"};
  response read;
  read.status_code = read_status(from, in);
  if (has_any(from, {"message_id", "timestamp", "body", "error"})) {
    read.message_id = in.text("message_id", message_id_bytes_max);
    read.timestamp = in.time("timestamp");
    read.body = member(from, "body");
    read.error = member(from, "error");
  } else { // also VoIPBIN's bare {"status_code":500}
    read.dialect = dialect::voipbin;
    const bool failed = string_member(from, "data_type") == voipbin_error_type;
    (failed ? read.error : read.body) = member(from, "data");
  }
  return in.finish(std::move(read));
}

expected<event> decode_event(std::string_view text) {
  auto parsed = parse_object(text, "event");
  if (!parsed)
    return parsed.error();
  const bool voipbin = !parsed->contains("event_type") && parsed->contains("type");
  return voipbin ? read_voipbin_event(*parsed) : read_documented_event(*parsed);
}

std::string encode(const request& value) {
  if (value.dialect == dialect::voipbin)
    return encode_voipbin(value);
  json_object out;
  out.text("message_id", value.message_id).text("timestamp", to_iso8601(value.timestamp));
  out.text("route", value.route).text("method", value.method);
  out.field("headers", value.headers).field("body", value.body);
  return std::move(out).finish();
}

std::string encode(const response& value) { return encode(value, text_of(value.body)); }

std::string encode(const response& value, std::string_view body) {
  if (value.dialect == dialect::voipbin)
    return encode_voipbin(value, body);
  json_object out;
  out.text("message_id", value.message_id).text("timestamp", to_iso8601(value.timestamp));
  out.number("status_code", value.status_code).raw("body", body).field("error", value.error);
  return std::move(out).finish();
}

std::string encode(const event& value) { return encode(value, text_of(value.data)); }

std::string encode(const event& value, std::string_view data) {
  json_object out;
  out.text("event_id", value.event_id).text("event_type", value.event_type);
  out.text("timestamp", to_iso8601(value.timestamp)).text("customer_id", value.customer_id);
  out.text("resource_type", value.resource_type).text("resource_id", value.resource_id).raw("data", data);
  return std::move(out).finish();
}

int status_of(errc code) noexcept {
  switch (code) {
  case errc::bad_format:
    return 400;
  case errc::access_refused:
    return 403;
  case errc::not_found:
    return 404;
  case errc::resource_locked:
  case errc::precondition_failed:
  case errc::wrong_state:
    return 409;
  case errc::too_large:
    return 413;
  case errc::not_implemented:
    return 501;
  case errc::unavailable:
  case errc::stopping:
    return 503;
  case errc::timed_out:
    return 504;
  case errc::io_failed:
  case errc::corrupt:
  case errc::internal:
    break;
  }
  return 500;
}

json error_object(int status, std::string_view reason, std::string_view domain, std::string_view message) {
  return {{"status", status_word(status)}, {"reason", reason}, {"domain", domain}, {"message", message}};
}

response make_error(const request& to, time_point now, const error& why, std::string_view domain) {
  response made;
  made.message_id = to.message_id;
  made.timestamp = now;
  made.status_code = status_of(why.code);
  made.error = error_object(made.status_code, text(why.code), domain, why.what.empty() ? sentence(why.code) : why.what);
  made.dialect = to.dialect;
  return made;
}

} // namespace switchboard
