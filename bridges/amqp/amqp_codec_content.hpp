// Content: what follows basic.publish from a client, and what follows basic.deliver, basic.get-ok and basic.return to
// one.
//
//   method frame | header frame: class, weight, body size, properties | body frames, none if the body is empty
//
// The append functions write all of it in one go. They are the hot path: sizes are added up first, then memory is taken
// once; all but the body is filled through a plain pointer, the body is appended part by part.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "bridges/amqp/amqp_codec_bytes.hpp"
#include "bridges/amqp/amqp_codec_frame.hpp"
#include "bridges/amqp/amqp_codec_reply.hpp"

namespace switchboard::amqp {

/// The payload of a header frame. `properties` (flags and list, unparsed) points into it.
struct content_header {
  std::uint16_t class_id = 0;
  std::uint16_t weight = 0;    ///< unused; RabbitMQ ignores it
  std::uint64_t body_size = 0; ///< as announced: check it against the limit before taking memory
  std::string_view properties;
};

/// False if the fixed 12 bytes are not there (parse_frame lets no such header frame pass). The properties themselves
/// are not checked: glance_properties does that.
inline bool decode_content_header(std::string_view payload, content_header& out) noexcept {
  if (payload.size() < 12)
    return false;
  out.class_id = load<std::uint16_t>(payload.data());
  out.weight = load<std::uint16_t>(payload.data() + 2);
  out.body_size = load<std::uint64_t>(payload.data() + 4);
  out.properties = payload.substr(12);
  return true;
}

/// A message as it goes out. Empty properties are written as "no property at all" (two zero octets).
struct content {
  std::string_view exchange; ///< cut at 255 bytes, as is routing_key
  std::string_view routing_key;
  std::string_view properties; ///< message::properties()
  std::string_view body;
};

/// basic.deliver with header and body frames. Bodies are split at frame_max - 8; a frame_max below 4096 (or 0) counts
/// as 4096. A header frame can't be split: properties longer than the peer's frame_max go out as they are, as RabbitMQ
/// does.
void append_deliver(std::string& out, std::uint16_t channel, std::string_view consumer_tag, std::uint64_t delivery_tag,
                    bool redelivered, const content& what, std::uint32_t frame_max);

/// The same piece by piece.
inline void append_deliver(std::string& out, std::uint16_t channel, std::string_view consumer_tag,
                           std::uint64_t delivery_tag, bool redelivered, std::string_view exchange,
                           std::string_view routing_key, std::string_view properties, std::string_view body,
                           std::uint32_t frame_max) {
  append_deliver(out, channel, consumer_tag, delivery_tag, redelivered, {exchange, routing_key, properties, body},
                 frame_max);
}

/// The method and header frames of basic.deliver alone, for a body that is not copied: each part of it, of at most
/// body_part_max() bytes, goes between append_body_head() and frame_end.
void append_deliver_head(std::string& out, std::uint16_t channel, std::string_view consumer_tag,
                         std::uint64_t delivery_tag, bool redelivered, const content& what, std::uint32_t frame_max);
void append_body_head(std::string& out, std::uint16_t channel, std::size_t part_size);
constexpr std::size_t body_part_max(std::uint32_t frame_max) noexcept {
  return std::max(frame_max, frame_min_size) - frame_overhead;
}

/// basic.get-ok with header and body frames. `message_count`: messages left in the queue.
void append_get_ok(std::string& out, std::uint16_t channel, std::uint64_t delivery_tag, bool redelivered,
                   std::uint32_t message_count, const content& what, std::uint32_t frame_max);

/// basic.return with header and body frames. The text is the code's name alone ("NO_ROUTE"), as RabbitMQ sends it.
void append_return(std::string& out, std::uint16_t channel, reply_code code, const content& what,
                   std::uint32_t frame_max);

/// basic.publish with header and body frames: the client's side, for tests, tools and links to other brokers.
void append_publish(std::string& out, std::uint16_t channel, bool mandatory, const content& what,
                    std::uint32_t frame_max);

/// basic.ack and basic.nack: publisher confirms.
void append_ack(std::string& out, std::uint16_t channel, std::uint64_t delivery_tag, bool multiple);
void append_nack(std::string& out, std::uint16_t channel, std::uint64_t delivery_tag, bool multiple,
                 bool requeue = false);

} // namespace switchboard::amqp
