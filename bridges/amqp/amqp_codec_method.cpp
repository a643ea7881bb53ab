#include "bridges/amqp/amqp_codec_method.hpp"

#include <cstddef>
#include <utility>

namespace switchboard::amqp {

namespace {

/// Calls `visit` with a default made method of that id. False if there is none. The compiler makes a switch of it.
template <class Visit, class... Methods>
bool with_method(std::uint32_t key, Visit visit, const std::variant<Methods...>*) {
  return ((key == Methods::id.key() ? (visit(Methods{}), true) : false) || ...);
}

template <class Visit>
bool with_method(method_id id, Visit visit) {
  return with_method(id.key(), std::move(visit), static_cast<const method*>(nullptr));
}

std::string unknown_text(method_id id) {
  return "unknown method " + std::to_string(id.number) + " of class " + std::to_string(id.class_id);
}

} // namespace

expected<method> decode_method(std::string_view payload) {
  const auto id = method_id_of(payload);
  bool decoded = false;
  method found;
  const bool known = with_method(id, [&](auto candidate) {
    decoded = decode_as(payload, candidate);
    found = candidate;
  });
  if (!known)
    return {errc::not_implemented, unknown_text(id)};
  if (!decoded)
    return {errc::bad_format, undecodable_text(payload)};
  return found;
}

std::string undecodable_text(std::string_view payload) {
  return "cannot decode " + octets_text(payload.substr(payload.size() < 4 ? payload.size() : 4));
}

std::string_view name(const method& of) noexcept {
  return std::visit([](const auto& what) { return what.name; }, of);
}

std::string_view name(method_id id) noexcept {
  std::string_view found;
  with_method(id, [&](const auto& candidate) { found = candidate.name; });
  return found;
}

method_id id(const method& of) noexcept {
  return std::visit([](const auto& what) { return what.id; }, of);
}

void encode_method(std::string& out, std::uint16_t channel, const method& what) {
  std::visit([&](const auto& of_type) { append_method(out, channel, of_type); }, what);
}

void append_connection_close(std::string& out, reply_code code, std::string_view explanation, method_id fault) {
  const auto text = reply_text(code, explanation);
  append_method(out, 0, connection_close{static_cast<std::uint16_t>(code), text, fault});
}

void append_channel_close(std::string& out, std::uint16_t channel, reply_code code, std::string_view explanation,
                          method_id fault) {
  const auto text = reply_text(code, explanation);
  append_method(out, channel, channel_close{static_cast<std::uint16_t>(code), text, fault});
}

} // namespace switchboard::amqp
