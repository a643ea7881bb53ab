// AMQP frames (0-9-1, 2.3.5): type, channel, payload with its length in front and an end octet behind. Pure functions
// over a contiguous buffer; what the payload means is for amqp_codec_method and amqp_codec_content.
//
//      0      1         3             7                  size+7 size+8
//      +------+---------+-------------+------------------+--------+
//      | type | channel | size        | payload          | 0xCE   |
//      +------+---------+-------------+------------------+--------+
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bridges/amqp/amqp_codec_bytes.hpp"
#include "bridges/amqp/amqp_codec_reply.hpp"

namespace switchboard::amqp {

/// The eight bytes a client begins with; also what we answer, before closing, to any we don't take.
inline constexpr std::string_view protocol_header{"AMQP\x00\x00\x09\x01", 8};

enum class protocol_version {
  need_more, ///< so far it fits; fewer than eight bytes are there
  v0_9_1,    ///< AMQP 0 0 9 1
  v0_9,      ///< AMQP 1 1 0 9: treated as 0-9-1, as RabbitMQ does
  v0_8,      ///< AMQP 1 1 8 0: what old clients send; treated as 0-9-1
  refused,   ///< anything else, known at the first wrong byte
};
protocol_version parse_protocol_header(std::string_view bytes) noexcept;

enum class frame_type : std::uint8_t { method = 1, header = 2, body = 3, heartbeat = 8 };

inline constexpr std::size_t frame_head_size = 7;
inline constexpr std::size_t frame_overhead = 8; ///< head and end octet
inline constexpr unsigned char frame_end = 0xCE;
inline constexpr std::uint32_t frame_min_size = 4096; ///< the smallest frame-max that may be negotiated

enum class frame_state : std::uint8_t {
  need_more, ///< cut off; `size` is how many bytes must be there before asking again makes sense
  complete,  ///< type, channel and payload are valid; the next frame begins `size` bytes on
  too_large, ///< the announced payload is over the limit; nothing of it need be read. The stream is lost
  bad_end,   ///< the end octet is not 0xCE. The stream is lost
  unknown,   ///< framed well, but a type nobody knows, a heartbeat with payload, a method without ids or a header
             ///< without its fixed part; `size` bytes on the stream goes on
};

/// What stands at the beginning of a buffer. `payload` points into that buffer.
struct frame_result {
  frame_state state = frame_state::need_more;
  std::uint8_t type = 0; ///< as on the wire; one of frame_type's if complete
  std::uint16_t channel = 0;
  std::string_view payload; ///< empty if need_more or too_large
  std::size_t size = 0;     ///< with head and end octet; too_large: as announced

  frame_type kind() const noexcept { return static_cast<frame_type>(type); }
  bool failed() const noexcept { return state > frame_state::complete; }
  /// After these no further frame can be found: answer, then close.
  bool stream_lost() const noexcept { return state == frame_state::too_large || state == frame_state::bad_end; }
};

/// True if the payload is long enough for what every frame of this type holds. A complete method frame thus has at
/// least 4 bytes of payload, a complete header frame at least 12, a heartbeat none.
constexpr bool fits_type(std::uint8_t type, std::size_t payload_size) noexcept {
  switch (static_cast<frame_type>(type)) {
  case frame_type::body:
    return true;
  case frame_type::method:
    return payload_size >= 4;
  case frame_type::header:
    return payload_size >= 12;
  case frame_type::heartbeat:
    return payload_size == 0;
  }
  return false;
}

/// Reads the first frame of `bytes`. The length is checked before anything else is believed. RabbitMQ lets a payload be
/// as long as frame_max (eight bytes more than the book allows), and so do we. frame_max 0 allows empty payloads only:
/// "no limit" is not offered.
inline frame_result parse_frame(std::string_view bytes, std::uint32_t frame_max) noexcept {
  frame_result found;
  if (bytes.size() < frame_head_size) {
    found.size = frame_head_size;
    return found;
  }
  const char* at = bytes.data();
  found.type = static_cast<std::uint8_t>(at[0]);
  found.channel = load<std::uint16_t>(at + 1);
  const auto payload_size = load<std::uint32_t>(at + 3);
  found.size = std::size_t{payload_size} + frame_overhead; // 64 bits: 2^32-1 + 8 doesn't wrap
  static_assert(sizeof(std::size_t) == 8);
  if (payload_size > frame_max) {
    found.state = frame_state::too_large;
    return found;
  }
  if (bytes.size() < found.size)
    return found;
  found.payload = bytes.substr(frame_head_size, payload_size);
  if (static_cast<unsigned char>(at[found.size - 1]) != frame_end)
    found.state = frame_state::bad_end;
  else
    found.state = fits_type(found.type, payload_size) ? frame_state::complete : frame_state::unknown;
  return found;
}

/// The explanation of a failed frame, for a 501 FRAME_ERROR with class and method 0, e.g.
/// "type 3, all octets = <<>>: {frame_too_large,200000,131064}". `bytes` and `frame_max` as given to parse_frame.
/// Precondition: found.failed().
std::string frame_error_text(const frame_result& found, std::string_view bytes, std::uint32_t frame_max);

/// The explanation of a 505 UNEXPECTED_FRAME: a heartbeat on a channel, content on channel 0.
std::string unexpected_frame_text(std::uint8_t type, std::string_view payload);

/// Appends the eight bytes of a heartbeat.
void append_heartbeat(std::string& out);

} // namespace switchboard::amqp
