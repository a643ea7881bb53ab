// AMQP basic properties (class 60): the values behind message::properties(). Sessions pass the bytes on unread; who
// needs one property reads it here. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "messages/field_table.hpp"

namespace switchboard {

struct basic_properties {
  std::optional<std::string> content_type;
  std::optional<std::string> content_encoding;
  std::optional<field_table> headers;
  std::optional<std::uint8_t> delivery_mode; ///< 1 transient, 2 persistent
  std::optional<std::uint8_t> priority;
  std::optional<std::string> correlation_id;
  std::optional<std::string> reply_to;
  std::optional<std::string> expiration; ///< milliseconds as decimal text
  std::optional<std::string> message_id;
  std::optional<std::uint64_t> timestamp; ///< seconds since 1970
  std::optional<std::string> type;
  std::optional<std::string> user_id;
  std::optional<std::string> app_id;
  std::optional<std::string> cluster_id;

  friend bool operator==(const basic_properties&, const basic_properties&) = default;
};

/// Reads flags and list. errc::bad_format if cut off, if bytes are left over, or if a continuation flag is set.
expected<basic_properties> decode_properties(std::string_view bytes);

/// Flags and list as message::properties() holds them. Short strings are cut at 255 bytes.
std::string encode_properties(const basic_properties& properties);

/// What a session must know of every message, read without allocating. Views point into `bytes`.
struct property_glance {
  bool persistent = false;
  std::uint8_t delivery_mode = 1; ///< absent: 1
  std::uint8_t priority = 0;
  std::string_view headers; ///< table bytes without length, empty if absent
  std::string_view correlation_id;
  std::string_view reply_to;
  std::string_view expiration;
  std::string_view message_id;
  std::string_view user_id;
  bool has_expiration = false;
  bool has_user_id = false;
};
expected<property_glance> glance_properties(std::string_view bytes);

/// Whether the flags announce an expiration (0-9-1, 4.2.6.1; bit 8): cheap enough to ask of every message.
inline bool carries_expiration(std::string_view bytes) noexcept { return !bytes.empty() && (bytes[0] & 0x01) != 0; }
/// The same for headers, bit 13.
inline bool carries_headers(std::string_view bytes) noexcept { return !bytes.empty() && (bytes[0] & 0x20) != 0; }

} // namespace switchboard
