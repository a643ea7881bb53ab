#include "bridges/http/http_message.hpp"

#include <algorithm>
#include <cctype>

#include "messages/json_object.hpp"
#include "runtime/bearer_token.hpp"

namespace switchboard::http {

namespace {

char lower(char c) noexcept { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

/// "127.1.2.3": four numbers, no name such as 127.0.0.1.evil.example.
bool is_loopback_v4(std::string_view text) noexcept {
  return text.starts_with("127.") && std::count(text.begin(), text.end(), '.') == 3 && !text.ends_with('.') &&
         text.find_first_not_of("0123456789.") == text.npos;
}

} // namespace

std::string_view http_request::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers)
    if (equal_ignoring_case(key, name))
      return value;
  return {};
}

http_answer json_answer(int status, const json& body) { return {status, "application/json", dump(body), {}}; }

http_answer error_answer(int status, std::string_view reason, std::string_view message) {
  auto inner = error_object(status, reason, "", message);
  inner.erase("domain"); // which of our services refused is not the client's business
  http_answer made{status, "application/json", dump({{"error", std::move(inner)}}), {}};
  if (status == 401)
    made.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (status == 503)
    made.headers.emplace_back("Retry-After", "1");
  return made;
}

http_answer error_answer(const error& why) { return error_answer(status_of(why.code), text(why.code), why.what); }

std::vector<std::string> segments_below(std::string_view prefix, std::string_view path) {
  std::vector<std::string> all;
  path.remove_prefix(std::min(prefix.size(), path.size()));
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    all.push_back(runtime::percent_decoded(path.substr(0, slash)));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return all;
}

bool is_json_text(const std::string& bytes) {
  try {
    static_cast<void>(json(bytes).dump());
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

bool is_loopback_host(std::string_view host) noexcept {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return host.substr(0, end == host.npos ? end : end + 1) == "[::1]" &&
           (end + 1 == host.size() || host[end + 1] == ':');
  }
  const auto name = host.substr(0, host.find(':'));
  return equal_ignoring_case(name, "localhost") || is_loopback_v4(name);
}

bool is_json_type(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ')
    type.remove_suffix(1);
  std::string lowered{type};
  std::transform(lowered.begin(), lowered.end(), lowered.begin(), lower);
  return lowered == "application/json" || (lowered.starts_with("application/") && lowered.ends_with("+json"));
}

} // namespace switchboard::http
