// Method frames: payload <-> method structs. The payload of a method frame is class (2 bytes), method (2) and
// arguments. Frequent methods (publish, ack …) are read with decode_as, which is inline and knows the type; all others
// with decode_method, which finds the type.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "bridges/amqp/amqp_codec_bytes.hpp"
#include "bridges/amqp/amqp_codec_frame.hpp"
#include "bridges/amqp/amqp_codec_methods.hpp"

namespace switchboard::amqp {

/// {0, 0} if the payload is shorter than four bytes (parse_frame lets no such method frame pass).
inline method_id method_id_of(std::string_view payload) noexcept {
  if (payload.size() < 4)
    return {};
  return {load<std::uint16_t>(payload.data()), load<std::uint16_t>(payload.data() + 2)};
}

/// Reads the arguments of a method whose id is known to be Method's. False if they are cut off or if bytes are left
/// over; `out` is then half filled. Never allocates.
///   if (method_id_of(payload) == basic_publish::id && decode_as(payload, publish)) …
template <class Method>
bool decode_as(std::string_view payload, Method& out) noexcept {
  if (payload.size() < 4)
    return false;
  byte_reader arguments{payload.substr(4)};
  Method::fields(out, arguments);
  return arguments.finished();
}

/// Reads any method; views point into `payload`.
/// errc::not_implemented: class or method unknown (RabbitMQ drops the connection without a word).
/// errc::bad_format: arguments cut off or bytes left over; `what` is RabbitMQ's explanation for a 501 FRAME_ERROR with
/// this method's id, e.g. "cannot decode <<0>>".
expected<method> decode_method(std::string_view payload);

/// The explanation of arguments that can't be decoded, for callers of decode_as.
std::string undecodable_text(std::string_view payload);

/// "queue.declare".
std::string_view name(const method& of) noexcept;
/// Empty if unknown.
std::string_view name(method_id id) noexcept;
method_id id(const method& of) noexcept;

/// Appends a whole method frame, e.g. append_method(out, 1, queue_declare_ok{name, 3, 0}). Short strings are cut at 255
/// bytes. Nothing here checks frame_max: only tables and long strings can be that long, and we write ours.
template <class Method>
void append_method(std::string& out, std::uint16_t channel, const Method& what) {
  const std::size_t begin = out.size();
  byte_writer writer{out};
  writer.number(static_cast<std::uint8_t>(frame_type::method));
  writer.number(channel);
  writer.number(std::uint32_t{0}); // the length, known below
  writer.number(Method::id.class_id);
  writer.number(Method::id.number);
  Method::fields(what, writer);
  store(out.data() + begin + 3, static_cast<std::uint32_t>(out.size() - begin - frame_head_size));
  writer.number(static_cast<std::uint8_t>(frame_end));
}

/// The same for a method of any type.
void encode_method(std::string& out, std::uint16_t channel, const method& what);

/// A connection.close or channel.close with code, text (reply_text) and the method at fault.
void append_connection_close(std::string& out, reply_code code, std::string_view explanation, method_id fault = {});
void append_channel_close(std::string& out, std::uint16_t channel, reply_code code, std::string_view explanation,
                          method_id fault = {});

} // namespace switchboard::amqp
