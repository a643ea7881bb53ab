// From an HTTP request to the request of a service, and from its response to an HTTP answer. Pure; who may act, what is
// well-formed and what is not is all decided here.
//
//   POST /v1/calls?x=1  +  Authorization: Bearer …  +  {"destinations":…}
//     -> service "call", {"method":"POST","route":"/v1/calls?x=1","headers":{"customer_id":…},"body":{…}}
#pragma once

#include <string>
#include <variant>

#include "bridges/http/http_message.hpp"
#include "runtime/jwt.hpp"
#include "runtime/rpc_client.hpp"
#include "runtime/served_names.hpp"

namespace switchboard::http {

/// What the gateway lets through.
struct gateway_rules {
  /// A peer on this machine may act without a token, as the operator (development). Pages of a browser on this machine
  /// may not: requests that name another host, or come from a page of another one, need a token.
  bool anonymous_from_loopback = true;
  milliseconds timeout{3000};       ///< for the service's answer, unless the client says X-Request-Timeout
  milliseconds timeout_max{30'000}; ///< most a client may ask for
  std::size_t body_bytes_max = 1u << 20;
};

/// A request fit to be sent, and what its answer needs to know of it.
struct gateway_call {
  runtime::rpc_call call;
  std::string message_id; ///< as the client knows it; told in the answer's X-Message-Id
};

/// `tokens` null: no token is valid.
std::variant<gateway_call, http_answer> decode_request(const http_request& from, const gateway_rules& rules,
                                                       const runtime::served_names& served,
                                                       const runtime::jwt_verifier* tokens, time_point now);

/// `message_id` as the client knows it. `retry_after`: for a 503, if known.
http_answer encode_response(const std::string& message_id, const response& from,
                            milliseconds retry_after = milliseconds{0});

} // namespace switchboard::http
