// The JSON envelopes of seed 000 – request, response, event – and the forms VoIPBIN's code really sends
// (facts/voipbin 1.1, 2). One value per envelope; `dialect` remembers which form it came in, so the answer uses the
// same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/expected.hpp"
#include "base/time.hpp"

namespace switchboard {

using json = nlohmann::json;

/// Which names the JSON uses.
enum class dialect {
  documented, ///< message_id, timestamp, route, method, headers, body (seed 000)
  voipbin,    ///< uri, method, publisher, data_type, data, request_id (the code)
};

/// Limits checked before parsing (seed 000: "keep messages small (<1MB)"; nlohmann recurses on output).
inline constexpr std::size_t envelope_bytes_max = 1 << 20;
inline constexpr int envelope_depth_max = 64;

/// Parses JSON within the limits. errc::too_large over size or depth, errc::bad_format otherwise. Invalid UTF-8 is
/// bad_format. Never throws.
expected<json> parse_json(std::string_view text, std::size_t bytes_max = envelope_bytes_max,
                          int depth_max = envelope_depth_max);

/// Whether parse_json() would read it, without reading it.
bool is_json(std::string_view text, std::size_t bytes_max = envelope_bytes_max, int depth_max = envelope_depth_max);

/// A request for a service: what an RPC carries.
struct request {
  std::string message_id; ///< idempotency key; empty in the voipbin dialect unless request_id is set
  time_point timestamp{};
  std::string method;            ///< GET, POST, PUT, DELETE
  std::string route;             ///< path and query, e.g. "/v1/calls?page_size=10"
  json headers = json::object(); ///< customer_id, agent_id, deadline, traceparent …
  json body;                     ///< null if absent
  switchboard::dialect dialect = dialect::documented;

  /// headers["customer_id"], or body's in the voipbin dialect; empty if absent.
  std::string customer_id() const;
};

/// The answer to a request.
struct response {
  std::string message_id; ///< of the request
  time_point timestamp{};
  int status_code = 200; ///< HTTP's meaning
  json body;             ///< null if absent
  json error;            ///< null, or {"status","reason","domain","message"} (facts/voipbin 1.1)
  switchboard::dialect dialect = dialect::documented;
};

/// A fact about a resource, published once and delivered at least once.
struct event {
  std::string event_id;
  std::string event_type; ///< "call.created"
  time_point timestamp{};
  std::string customer_id;
  std::string resource_type; ///< "call"
  std::string resource_id;
  json data;
};

expected<request> decode_request(std::string_view text);
expected<response> decode_response(std::string_view text);
/// Also reads VoIPBIN's {type, publisher, data_type, data}: "call_created" becomes "call.created"; ids come from data.
expected<event> decode_event(std::string_view text);

/// Fields in the order seed 000 prints them. Invalid UTF-8 is replaced (U+FFFD), never thrown.
std::string encode(const request& value);
std::string encode(const response& value);
std::string encode(const event& value);
/// With a body, or data, that is JSON text already (empty: null) in place of the value's own.
std::string encode(const response& value, std::string_view body);
std::string encode(const event& value, std::string_view data);

/// HTTP-like status of an error, and the error object of an envelope.
int status_of(errc code) noexcept;
json error_object(int status, std::string_view reason, std::string_view domain, std::string_view message);
response make_error(const request& to, time_point now, const error& why, std::string_view domain);

} // namespace switchboard
