#include "bridges/amqp/amqp_codec_content.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "bridges/amqp/amqp_codec_methods.hpp"

namespace switchboard::amqp {

namespace {

// Writers over a plain pointer. Whoever calls them has added up the sizes before.

char* put_bytes(char* at, std::string_view bytes) noexcept {
  if (!bytes.empty()) // an empty view may hold no pointer, which memcpy must not get
    std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

/// Precondition: at most 255 bytes.
char* put_short_string(char* at, std::string_view text) noexcept {
  return put_bytes(store(at, static_cast<std::uint8_t>(text.size())), text);
}

char* put_octet(char* at, unsigned octet) noexcept { return store(at, static_cast<std::uint8_t>(octet)); }

char* put_frame_head(char* at, frame_type type, std::uint16_t channel, std::size_t payload_size) noexcept {
  at = store(at, static_cast<std::uint8_t>(type));
  at = store(at, channel);
  return store(at, static_cast<std::uint32_t>(payload_size));
}

char* put_frame_end(char* at) noexcept { return store(at, static_cast<std::uint8_t>(frame_end)); }

/// Head and ids of a method whose arguments take `arguments_size` bytes.
char* put_method_head(char* at, std::uint16_t channel, method_id id, std::size_t arguments_size) noexcept {
  at = put_frame_head(at, frame_type::method, channel, 4 + arguments_size);
  return store(at, id.key());
}

/// Makes `size` bytes and returns where they begin; room for `more` bytes behind them is taken at the same time. They
/// are apart because growing a string fills it with zeros, which would cost a body as much as copying it.
char* grow(std::string& out, std::size_t size, std::size_t more) {
  const auto begin = out.size();
  if (const auto needed = begin + size + more; out.capacity() < needed)
    out.reserve(std::max(needed, 2 * out.capacity()));
  out.resize(begin + size);
  return out.data() + begin;
}

constexpr std::size_t method_overhead = frame_overhead + 4;

/// Header frame and body frames of one message for one channel.
class content_writer {
public:
  content_writer(std::uint16_t channel, const content& what, std::uint32_t frame_max) noexcept
      : what_(what), part_max_(body_part_max(frame_max)), channel_(channel) {
    what_.exchange = as_short_string(what.exchange);
    what_.routing_key = as_short_string(what.routing_key);
    if (what.properties.empty())
      what_.properties = {"\0\0", 2};
  }

  std::size_t header_size() const noexcept { return frame_overhead + 12 + what_.properties.size(); }
  std::size_t body_size() const noexcept { return what_.body.size() + parts() * frame_overhead; }
  /// Exchange and routing key as every method with content has them.
  std::size_t address_size() const noexcept { return 2 + what_.exchange.size() + what_.routing_key.size(); }
  char* put_address(char* at) const noexcept {
    return put_short_string(put_short_string(at, what_.exchange), what_.routing_key);
  }
  char* put_header(char* at) const noexcept {
    at = put_frame_head(at, frame_type::header, channel_, 12 + what_.properties.size());
    at = store(at, std::uint32_t{basic_class} << 16); // class and weight 0
    at = store(at, std::uint64_t{what_.body.size()});
    return put_frame_end(put_bytes(at, what_.properties));
  }
  void append_body(std::string& out) const {
    for (std::string_view left = what_.body; !left.empty();) {
      const auto part = left.substr(0, part_max_);
      append_body_head(out, channel_, part.size());
      out.append(part) += static_cast<char>(frame_end);
      left.remove_prefix(part.size());
    }
  }

private:
  std::size_t parts() const noexcept {
    if (what_.body.size() <= part_max_) // nearly always, and spares a division
      return what_.body.empty() ? 0 : 1;
    return (what_.body.size() + part_max_ - 1) / part_max_;
  }

  content what_;
  std::size_t part_max_;
  std::uint16_t channel_;
};

/// ack: tag and flags; the same bytes for nack but for the id.
void append_confirm(std::string& out, std::uint16_t channel, method_id id, std::uint64_t delivery_tag, unsigned flags) {
  constexpr std::size_t arguments = 8 + 1;
  char frame[method_overhead + arguments];
  char* at = put_method_head(frame, channel, id, arguments);
  put_frame_end(put_octet(store(at, delivery_tag), flags));
  out.append(frame, sizeof frame);
}

/// Method and header frame of a delivery; room for `more` bytes is taken with them.
void put_deliver(std::string& out, std::uint16_t channel, std::string_view consumer_tag, std::uint64_t delivery_tag,
                 bool redelivered, const content_writer& rest, std::size_t more) {
  const auto tag = as_short_string(consumer_tag);
  const auto arguments = 1 + tag.size() + 8 + 1 + rest.address_size();
  char* at = grow(out, method_overhead + arguments + rest.header_size(), more);
  at = put_method_head(at, channel, basic_deliver::id, arguments);
  at = store(put_short_string(at, tag), delivery_tag);
  at = rest.put_address(put_octet(at, redelivered));
  rest.put_header(put_frame_end(at));
}

} // namespace

void append_body_head(std::string& out, std::uint16_t channel, std::size_t part_size) {
  char head[frame_head_size];
  put_frame_head(head, frame_type::body, channel, part_size);
  out.append(head, sizeof head);
}

void append_deliver_head(std::string& out, std::uint16_t channel, std::string_view consumer_tag,
                         std::uint64_t delivery_tag, bool redelivered, const content& what, std::uint32_t frame_max) {
  put_deliver(out, channel, consumer_tag, delivery_tag, redelivered, content_writer{channel, what, frame_max}, 0);
}

void append_deliver(std::string& out, std::uint16_t channel, std::string_view consumer_tag, std::uint64_t delivery_tag,
                    bool redelivered, const content& what, std::uint32_t frame_max) {
  const content_writer rest{channel, what, frame_max};
  put_deliver(out, channel, consumer_tag, delivery_tag, redelivered, rest, rest.body_size());
  rest.append_body(out);
}

void append_get_ok(std::string& out, std::uint16_t channel, std::uint64_t delivery_tag, bool redelivered,
                   std::uint32_t message_count, const content& what, std::uint32_t frame_max) {
  const content_writer rest{channel, what, frame_max};
  const auto arguments = 8 + 1 + rest.address_size() + 4;
  char* at = grow(out, method_overhead + arguments + rest.header_size(), rest.body_size());
  at = put_method_head(at, channel, basic_get_ok::id, arguments);
  at = rest.put_address(put_octet(store(at, delivery_tag), redelivered));
  rest.put_header(put_frame_end(store(at, message_count)));
  rest.append_body(out);
}

void append_return(std::string& out, std::uint16_t channel, reply_code code, const content& what,
                   std::uint32_t frame_max) {
  const content_writer rest{channel, what, frame_max};
  const auto text = name(code);
  const auto arguments = 2 + 1 + text.size() + rest.address_size();
  char* at = grow(out, method_overhead + arguments + rest.header_size(), rest.body_size());
  at = put_method_head(at, channel, basic_return::id, arguments);
  at = put_short_string(store(at, static_cast<std::uint16_t>(code)), text);
  rest.put_header(put_frame_end(rest.put_address(at)));
  rest.append_body(out);
}

void append_publish(std::string& out, std::uint16_t channel, bool mandatory, const content& what,
                    std::uint32_t frame_max) {
  const content_writer rest{channel, what, frame_max};
  const auto arguments = 2 + rest.address_size() + 1;
  char* at = grow(out, method_overhead + arguments + rest.header_size(), rest.body_size());
  at = put_method_head(at, channel, basic_publish::id, arguments);
  at = rest.put_address(store(at, std::uint16_t{0})); // the ticket of 0-8
  rest.put_header(put_frame_end(put_octet(at, mandatory)));
  rest.append_body(out);
}

void append_ack(std::string& out, std::uint16_t channel, std::uint64_t delivery_tag, bool multiple) {
  append_confirm(out, channel, basic_ack::id, delivery_tag, multiple);
}

void append_nack(std::string& out, std::uint16_t channel, std::uint64_t delivery_tag, bool multiple, bool requeue) {
  append_confirm(out, channel, basic_nack::id, delivery_tag, unsigned{multiple} | unsigned{requeue} << 1);
}

} // namespace switchboard::amqp
