// Any bytes as the payload of an AMQP method frame, and as a login: what is read can be written and read again with the
// same result, what isn't read says why in a text that fits a reply.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "bridges/amqp/amqp_codec_method.hpp"
#include "bridges/amqp/amqp_codec_sasl.hpp"

using namespace switchboard::amqp;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

void check_rewrite(const method& found) {
  std::string frame;
  encode_method(frame, 1, found);
  const auto framed = parse_frame(frame, 0xFFFFFFFF);
  require(framed.state == frame_state::complete && framed.size == frame.size());
  const auto again = decode_method(framed.payload);
  require(again && *again == found);
}

/// The fast way and the general way must agree.
template <class Method>
void check_fast(std::string_view payload, const switchboard::expected<method>& general) {
  Method fast;
  if (method_id_of(payload) != Method::id)
    return;
  const bool decoded = decode_as(payload, fast);
  require(decoded == general.has_value());
  require(!decoded || std::get<Method>(*general) == fast);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view payload{reinterpret_cast<const char*>(data), size};
  const auto found = decode_method(payload);
  if (found)
    check_rewrite(*found);
  else
    require(reply_text(reply_code::frame_error, found.error().what).size() <= 255);
  require(found.has_value() ? name(*found) == name(method_id_of(payload)) : true);
  check_fast<basic_publish>(payload, found);
  check_fast<basic_ack>(payload, found);
  check_fast<basic_nack>(payload, found);
  check_fast<queue_declare>(payload, found);

  if (const auto login = parse_plain(payload))
    require(login->user.size() + login->password.size() <= size);
  parse_amqplain(payload);
  return 0;
}
