// HTTP and WebSocket from the command line to a running node. Blocking; each call opens its own connection. The only
// file of the command line that knows sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/expected.hpp"
#include "node/cli_requests.hpp"

namespace switchboard::node {

/// "http://127.0.0.1:8080"; "[::1]" for IPv6.
struct base_url {
  std::string host;
  std::string port;
  std::string text; ///< as given, for messages
  static expected<base_url> parse(const std::string& text);
};

/// Who asks.
struct client_identity {
  std::string token;    ///< sent as Authorization: Bearer; may be empty
  std::string customer; ///< sent as X-Customer-Id, which the node believes peers on its own machine; may be empty
};

struct client_response {
  int status = 0;
  json body; ///< null if there is none; a string if it was not JSON
};

/// errc::unavailable "can't reach …: connection refused; is the node running?…" or errc::timed_out.
expected<client_response> send(const base_url& to, const client_identity& who, const client_request& what);

/// Subscribes on /ws, calls `on_subscribed` once the node has said yes, and hands every event frame to `on_event` until
/// that returns false or the connection ends. Ends well only in the first case; otherwise the error says what the node
/// said.
expected<void> follow(const base_url& to, const std::string& token, const std::string& topic,
                      const std::function<void()>& on_subscribed,
                      const std::function<bool(const json& frame)>& on_event);

} // namespace switchboard::node
