// A request and an answer as plain values, so that what decides about them needs neither Beast nor a socket.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/envelope.hpp"

namespace switchboard::http {

/// Where a WebSocket client asks for its upgrade; nothing else is served there.
inline constexpr std::string_view websocket_path = "/ws";

using header_list = std::vector<std::pair<std::string, std::string>>;

struct http_request {
  std::string method; ///< as it came: methods are case-sensitive
  std::string target; ///< path and query
  header_list headers;
  std::string body;
  bool from_loopback = false; ///< the peer is on this machine

  /// The first header of that name in any case; empty if there is none.
  std::string_view header(std::string_view name) const noexcept;
};

struct http_answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body; ///< left out for HEAD, but its length is told
  header_list headers;
};

/// {"error":{"message","reason","status"}}; the status there is a word, as in the envelopes ("NOT_FOUND").
http_answer error_answer(int status, std::string_view reason, std::string_view message);
http_answer error_answer(const error& why);
http_answer json_answer(int status, const json& body);

/// The decoded parts of a path between slashes, behind the prefix it starts with.
std::vector<std::string> segments_below(std::string_view prefix, std::string_view path);

/// Bytes that JSON can carry as they are: UTF-8.
bool is_json_text(const std::string& bytes);

/// True for "localhost", 127.0.0.0/8 and [::1], with or without a port. Text only, nothing is looked up.
bool is_loopback_host(std::string_view host) noexcept;

/// "application/json", "application/problem+json", with or without parameters, in any case.
bool is_json_type(std::string_view content_type);

} // namespace switchboard::http
