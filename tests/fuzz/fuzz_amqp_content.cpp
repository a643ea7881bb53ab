// Any message as content to a client, for any frame-max: what is written are whole frames, none longer than agreed, and
// they hold what was given. The input: frame-max, channel, tag, flags, lengths of the texts, then the texts' bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bridges/amqp/amqp_codec_bytes.hpp"
#include "bridges/amqp/amqp_codec_content.hpp"
#include "bridges/amqp/amqp_codec_method.hpp"

using namespace switchboard::amqp;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

std::string_view take(std::string_view& from, std::size_t size) {
  const auto taken = from.substr(0, size);
  from.remove_prefix(taken.size());
  return taken;
}

frame_result next_frame(std::string_view& bytes, std::uint16_t channel) {
  const auto found = parse_frame(bytes, 0xFFFFFFFF);
  require(found.state == frame_state::complete && found.channel == channel);
  bytes.remove_prefix(found.size);
  return found;
}

/// Method, header and body frames of `written`; the method is returned.
template <class Method>
Method check(std::string_view written, std::uint16_t channel, const content& what, std::uint32_t frame_max) {
  const auto frame = next_frame(written, channel);
  Method method;
  require(frame.kind() == frame_type::method && method_id_of(frame.payload) == Method::id);
  require(decode_as(frame.payload, method));
  require(method.exchange == as_short_string(what.exchange) && method.routing_key == as_short_string(what.routing_key));
  content_header header;
  const auto head = next_frame(written, channel);
  require(head.kind() == frame_type::header && decode_content_header(head.payload, header));
  require(header.class_id == basic_class && header.body_size == what.body.size());
  require(header.properties == (what.properties.empty() ? std::string_view{"\0\0", 2} : what.properties));
  std::string body;
  while (!written.empty()) {
    const auto part = next_frame(written, channel);
    require(part.kind() == frame_type::body && !part.payload.empty());
    require(part.size <= std::max(frame_max, frame_min_size));
    body += part.payload;
  }
  require(body == what.body);
  return method;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  byte_reader in{{reinterpret_cast<const char*>(data), size}};
  std::uint32_t frame_max = 0, count = 0;
  std::uint64_t tag = 0;
  std::uint16_t channel = 0, code = 0, exchange_size = 0, key_size = 0, properties_size = 0, repeats = 0;
  bool flag = false, other_flag = false;
  in.number(frame_max);
  in.number(channel);
  in.number(tag);
  in.bits(flag, other_flag);
  in.number(count);
  in.number(code);
  in.number(exchange_size);
  in.number(key_size);
  in.number(properties_size);
  in.number(repeats);
  if (!in.ok())
    return 0;
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  take(rest, 4 + 2 + 8 + 1 + 4 + 2 + 2 + 2 + 2 + 2);
  content what;
  what.exchange = take(rest, exchange_size);
  what.routing_key = take(rest, key_size);
  what.properties = take(rest, properties_size);
  std::string body{rest}; // repeated, so that short inputs make many body frames
  for (unsigned i = repeats % 64; i > 0 && body.size() < 65536; --i)
    body += rest;
  what.body = body;

  std::string out;
  append_deliver(out, channel, what.routing_key, tag, flag, what, frame_max);
  const auto deliver = check<basic_deliver>(out, channel, what, frame_max);
  require(deliver.delivery_tag == tag && deliver.redelivered == flag);
  require(deliver.consumer_tag == as_short_string(what.routing_key));
  std::string pieces;
  append_deliver(pieces, channel, what.routing_key, tag, flag, what.exchange, what.routing_key, what.properties,
                 what.body, frame_max);
  require(pieces == out);

  out.clear();
  append_get_ok(out, channel, tag, flag, count, what, frame_max);
  const auto got = check<basic_get_ok>(out, channel, what, frame_max);
  require(got.delivery_tag == tag && got.redelivered == flag && got.message_count == count);

  out.clear();
  append_return(out, channel, static_cast<reply_code>(code), what, frame_max);
  const auto returned = check<basic_return>(out, channel, what, frame_max);
  require(returned.code == code && returned.text == name(static_cast<reply_code>(code)));

  out.clear();
  append_publish(out, channel, flag, what, frame_max);
  require(check<basic_publish>(out, channel, what, frame_max).mandatory == flag);

  out.clear();
  append_ack(out, channel, tag, flag);
  append_nack(out, channel, tag, flag, other_flag);
  std::string_view confirms{out};
  basic_ack ack;
  require(decode_as(next_frame(confirms, channel).payload, ack) && ack.delivery_tag == tag && ack.multiple == flag);
  basic_nack nack;
  require(decode_as(next_frame(confirms, channel).payload, nack) && nack.delivery_tag == tag);
  require(nack.multiple == flag && nack.requeue == other_flag && confirms.empty());
  return 0;
}
