// Any bytes as each of the three envelopes: no crash, nothing over the limits gets in, and what was read is written and
// read again with the same result.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "messages/envelope.hpp"
#include "messages/topic.hpp"
#include "messages/zmq_topic.hpp"

using namespace switchboard;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

template <class Decode>
auto check(std::string_view bytes, Decode decode) {
  auto read = decode(bytes);
  if (!read) {
    require(!read.error().what.empty());
    return read;
  }
  const auto written = encode(*read);
  const auto again = decode(written);
  require(again.has_value() && encode(*again) == written);
  return read;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  if (const auto read = check(bytes, decode_request)) {
    require(read->route.starts_with('/'));
    static_cast<void>(read->customer_id());
    static_cast<void>(encode(make_error(*read, {}, {errc::not_found, "gone"}, "fuzz")));
  }
  check(bytes, decode_response);
  if (const auto read = check(bytes, decode_event)) {
    for (const auto& message : zmq_messages(*read))
      require(parse_json(message.payload).has_value());
    static_cast<void>(address_of(*read));
  }
  return 0;
}
