#include "bridges/amqp/amqp_codec_frame.hpp"

#include <algorithm>
#include <array>

namespace switchboard::amqp {

namespace {

struct known_header {
  std::string_view bytes;
  protocol_version version;
};

constexpr std::array<known_header, 3> known_headers{{
    {protocol_header, protocol_version::v0_9_1},
    {{"AMQP\x01\x01\x00\x09", 8}, protocol_version::v0_9},
    {{"AMQP\x01\x01\x08\x00", 8}, protocol_version::v0_8},
}};

/// What the end of RabbitMQ's explanation says.
std::string reason(const frame_result& found, std::string_view bytes, std::uint32_t frame_max) {
  switch (found.state) {
  case frame_state::too_large: {
    const std::size_t overhead = std::min<std::size_t>(frame_overhead, frame_max);
    return "{frame_too_large," + std::to_string(found.size - frame_overhead) + ',' +
           std::to_string(frame_max - overhead) + '}';
  }
  case frame_state::bad_end: {
    const auto end = static_cast<unsigned char>(bytes[found.size - 1]);
    return "{invalid_frame_end_marker," + std::to_string(end) + '}';
  }
  default:
    return "unknown_frame";
  }
}

} // namespace

protocol_version parse_protocol_header(std::string_view bytes) noexcept {
  const auto seen = bytes.substr(0, protocol_header.size());
  for (const auto& known : known_headers)
    if (known.bytes.starts_with(seen))
      return seen.size() == known.bytes.size() ? known.version : protocol_version::need_more;
  return protocol_version::refused;
}

std::string frame_error_text(const frame_result& found, std::string_view bytes, std::uint32_t frame_max) {
  return unexpected_frame_text(found.type, found.payload) + ": " + reason(found, bytes, frame_max);
}

std::string unexpected_frame_text(std::uint8_t type, std::string_view payload) {
  return "type " + std::to_string(type) + ", " + payload_snippet(payload);
}

void append_heartbeat(std::string& out) { out.append("\x08\x00\x00\x00\x00\x00\x00\xCE", frame_overhead); }

} // namespace switchboard::amqp
