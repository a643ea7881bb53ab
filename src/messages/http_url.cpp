#include "messages/http_url.hpp"

#include <algorithm>
#include <charconv>

namespace switchboard {

namespace {

constexpr std::size_t host_bytes_max = 253; // of a DNS name

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_host_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}
bool is_ipv6_character(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
}

error wrong(const char* what) { return {errc::bad_format, what}; }

/// Takes the scheme off `text`; false if it is neither of the two.
bool take_scheme(std::string_view& text, bool& tls) {
  const auto colon = text.find("://");
  if (colon == std::string_view::npos)
    return false;
  std::string scheme{text.substr(0, colon)};
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), lower);
  tls = scheme == "https";
  text.remove_prefix(colon + 3);
  return tls || scheme == "http";
}

/// "host", "host:8080", "[::1]:8080". Empty if it was read.
std::string read_authority(std::string_view text, http_url& into) {
  if (text.find('@') != std::string_view::npos)
    return "must not hold a user name or password";
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos)
      return "has an IPv6 address without its closing bracket";
    into.is_ipv6 = true;
    into.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    into.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  std::transform(into.host.begin(), into.host.end(), into.host.begin(), lower);
  const auto good = into.is_ipv6 ? is_ipv6_character : is_host_character;
  if (into.host.empty() || into.host.size() > host_bytes_max || !std::all_of(into.host.begin(), into.host.end(), good))
    return "has no host name or address that can be read";
  into.port = into.tls ? 443 : 80;
  if (port.empty() || port == ":")
    return {};
  const auto* last = port.data() + port.size();
  const auto [end, bad] = std::from_chars(port.data() + 1, last, into.port);
  return port.front() != ':' || bad != std::errc{} || end != last || into.port == 0 ? "has a port that can't be" : "";
}

} // namespace

std::string http_url::authority() const {
  auto text = is_ipv6 ? "[" + host + "]" : host;
  if (port != (tls ? 443 : 80))
    text += ":" + std::to_string(port);
  return text;
}

std::string http_url::origin() const {
  return (tls ? "https://" : "http://") + (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

expected<http_url> parse_http_url(std::string_view text) {
  if (text.size() > http_url_bytes_max)
    return wrong("must be of at most 1024 bytes");
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f' && c != '\\' && c != '"'; }))
    return wrong("must be of visible ASCII characters: escape others by %");
  http_url read;
  if (!take_scheme(text, read.tls))
    return wrong("must begin with https:// or http://");
  if (text.find('#') != std::string_view::npos)
    return wrong("must not have a fragment (#)");
  const auto path = std::min(text.find_first_of("/?"), text.size());
  if (auto why = read_authority(text.substr(0, path), read); !why.empty())
    return {errc::bad_format, std::move(why)};
  read.target = text.substr(path);
  if (!read.target.starts_with('/'))
    read.target.insert(0, "/");
  return read;
}

} // namespace switchboard
