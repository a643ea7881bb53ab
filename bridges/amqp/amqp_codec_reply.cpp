#include "bridges/amqp/amqp_codec_reply.hpp"

#include <algorithm>
#include <cstddef>

#include "bridges/amqp/amqp_codec_bytes.hpp"

namespace switchboard::amqp {

namespace {

constexpr std::size_t snippet_max = 16;       // what RabbitMQ shows of a payload
constexpr std::size_t octets_shown_max = 128; // more can't stand in a reply text: two characters each at least

/// Erlang prints a binary as a string if it holds nothing but these.
bool printable(char octet) noexcept {
  return (octet >= ' ' && octet <= '~') || (octet >= '\b' && octet <= '\r') || octet == '\x1B';
}

/// What follows the backslash; 0 if the octet stands for itself.
char escape_of(char octet) noexcept {
  switch (octet) {
  case '"':
  case '\\':
    return octet;
  case '\b':
    return 'b';
  case '\t':
    return 't';
  case '\n':
    return 'n';
  case '\v':
    return 'v';
  case '\f':
    return 'f';
  case '\r':
    return 'r';
  case '\x1B':
    return 'e';
  default:
    return 0;
  }
}

/// The longest length up to `limit` that doesn't split a UTF-8 character.
std::size_t whole_characters(std::string_view text, std::size_t limit) noexcept {
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80)
    --limit;
  return limit;
}

} // namespace

std::string_view name(reply_code code) noexcept {
  switch (code) {
  case reply_code::success:
    return "SUCCESS";
  case reply_code::content_too_large:
    return "CONTENT_TOO_LARGE";
  case reply_code::no_route:
    return "NO_ROUTE";
  case reply_code::no_consumers:
    return "NO_CONSUMERS";
  case reply_code::connection_forced:
    return "CONNECTION_FORCED";
  case reply_code::invalid_path:
    return "INVALID_PATH";
  case reply_code::access_refused:
    return "ACCESS_REFUSED";
  case reply_code::not_found:
    return "NOT_FOUND";
  case reply_code::resource_locked:
    return "RESOURCE_LOCKED";
  case reply_code::precondition_failed:
    return "PRECONDITION_FAILED";
  case reply_code::frame_error:
    return "FRAME_ERROR";
  case reply_code::syntax_error:
    return "SYNTAX_ERROR";
  case reply_code::command_invalid:
    return "COMMAND_INVALID";
  case reply_code::channel_error:
    return "CHANNEL_ERROR";
  case reply_code::unexpected_frame:
    return "UNEXPECTED_FRAME";
  case reply_code::resource_error:
    return "RESOURCE_ERROR";
  case reply_code::not_allowed:
    return "NOT_ALLOWED";
  case reply_code::not_implemented:
    return "NOT_IMPLEMENTED";
  case reply_code::internal_error:
    return "INTERNAL_ERROR";
  }
  return "INTERNAL_ERROR";
}

bool is_connection_error(reply_code code) noexcept {
  switch (code) {
  case reply_code::success:
  case reply_code::content_too_large:
  case reply_code::no_route:
  case reply_code::no_consumers:
  case reply_code::access_refused:
  case reply_code::not_found:
  case reply_code::resource_locked:
  case reply_code::precondition_failed:
    return false;
  default:
    return true;
  }
}

std::string reply_text(reply_code code, std::string_view explanation) {
  std::string text{name(code)};
  text.append(" - ").append(explanation);
  if (text.size() > short_string_max) {
    text.resize(whole_characters(text, short_string_max - 3));
    text.append("...");
  }
  return text;
}

std::string octets_text(std::string_view octets) {
  std::string text = "<<";
  for (const char octet : octets.substr(0, octets_shown_max)) {
    if (text.size() > 2)
      text += ',';
    text += std::to_string(static_cast<unsigned char>(octet));
  }
  return text += ">>";
}

std::string printable_octets_text(std::string_view octets) {
  if (octets.empty() || !std::all_of(octets.begin(), octets.end(), printable))
    return octets_text(octets);
  std::string text = "<<\"";
  for (const char octet : octets.substr(0, octets_shown_max)) {
    const char escape = escape_of(octet);
    if (escape)
      text += '\\';
    text += escape ? escape : octet;
  }
  return text += "\">>";
}

std::string payload_snippet(std::string_view payload) {
  return (payload.size() <= snippet_max ? "all octets = " : "first 16 octets = ") +
         printable_octets_text(payload.substr(0, snippet_max));
}

} // namespace switchboard::amqp
