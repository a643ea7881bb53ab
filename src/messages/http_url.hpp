// An absolute http or https URL, as customers name the target of a webhook: read strictly, so that what is checked is
// what is connected to. Pure. After RFC 3986; user info, fragments and anything but visible ASCII are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace switchboard {

inline constexpr std::size_t http_url_bytes_max = 1024;

struct http_url {
  bool tls = false;
  std::string host;        ///< lower case; an IPv6 address without its brackets
  bool is_ipv6 = false;    ///< `host` stood in brackets
  std::uint16_t port = 80; ///< never 0
  std::string target;      ///< path and query as they go into the request line, at least "/"

  /// What stands in the Host header: the port only if it is not the scheme's own.
  std::string authority() const;
  /// Scheme, host and port: what shares a fate.
  std::string origin() const;

  friend bool operator==(const http_url&, const http_url&) = default;
};

/// errc::bad_format with what is wrong, to be shown to whoever wrote it.
expected<http_url> parse_http_url(std::string_view text);

} // namespace switchboard
