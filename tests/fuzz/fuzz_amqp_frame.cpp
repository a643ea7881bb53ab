// Any bytes as a stream of AMQP frames: no read outside the buffer, no frame found in a part of another, and every
// refusal has a text that fits a reply.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "bridges/amqp/amqp_codec_bytes.hpp"
#include "bridges/amqp/amqp_codec_content.hpp"
#include "bridges/amqp/amqp_codec_frame.hpp"

using namespace switchboard::amqp;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// A frame without its last octet is not a frame yet.
void check_prefix(std::string_view frame, std::uint32_t frame_max) {
  const std::vector<char> cut(frame.begin(), frame.end() - 1); // a copy: a sanitizer sees a read behind it
  require(parse_frame({cut.data(), cut.size()}, frame_max).state == frame_state::need_more);
}

/// What was read can be written again.
void check_rewrite(const frame_result& found, std::string_view bytes) {
  std::string again;
  byte_writer writer{again};
  writer.number(found.type);
  writer.number(found.channel);
  writer.long_string(found.payload);
  writer.number(static_cast<std::uint8_t>(frame_end));
  require(again == bytes.substr(0, found.size));
}

void check_header(std::string_view payload) {
  content_header header;
  require(decode_content_header(payload, header));
  require(header.properties.size() == payload.size() - 12);
}

/// What we write ourselves in between can be read, whatever the limit and the bytes behind it.
void check_heartbeat(std::string_view bytes, std::uint32_t frame_max) {
  std::string stream;
  append_heartbeat(stream);
  const auto size = stream.size();
  const auto found = parse_frame(stream.append(bytes), frame_max);
  require(found.state == frame_state::complete && found.kind() == frame_type::heartbeat && found.size == size);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes{reinterpret_cast<const char*>(data), size};
  parse_protocol_header(bytes);
  if (bytes.size() < sizeof(std::uint32_t))
    return 0;
  const auto frame_max = load<std::uint32_t>(bytes.data());
  bytes.remove_prefix(sizeof frame_max);
  check_heartbeat(bytes, frame_max);

  for (;;) {
    const auto found = parse_frame(bytes, frame_max);
    if (found.state == frame_state::need_more) {
      require(found.size > bytes.size());
      return 0;
    }
    if (found.failed())
      require(reply_text(reply_code::frame_error, frame_error_text(found, bytes, frame_max)).size() <= 255);
    if (found.stream_lost())
      return 0;
    require(found.size >= frame_overhead && found.size <= bytes.size());
    check_prefix(bytes.substr(0, found.size), frame_max);
    check_rewrite(found, bytes);
    if (found.state == frame_state::complete && found.kind() == frame_type::header)
      check_header(found.payload);
    bytes.remove_prefix(found.size);
  }
}
