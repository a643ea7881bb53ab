// Any bytes before a login: the protocol header in any number of parts, and a mechanism with its response, a line each.
// Parts agree with the whole; who is let past the parser gave a user and a password, and nobody acts for another.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bridges/amqp/amqp_codec_bytes.hpp"
#include "bridges/amqp/amqp_codec_frame.hpp"
#include "bridges/amqp/amqp_codec_sasl.hpp"
#include "messages/field_table.hpp"

using namespace switchboard::amqp;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

void check_header(std::string_view bytes) {
  const auto whole = parse_protocol_header(bytes);
  bool refused = false;
  for (std::size_t size = 0; size <= bytes.size() && size <= 9; ++size) {
    const auto part = parse_protocol_header(bytes.substr(0, size));
    require(!refused || part == protocol_version::refused); // once refused, no further byte makes it good
    refused = part == protocol_version::refused;
    if (size < 8)
      require(part == protocol_version::need_more || refused);
  }
  if (whole == protocol_version::v0_9_1)
    require(bytes.starts_with(protocol_header));
  require((whole == protocol_version::need_more) == (bytes.size() < 8 && !refused));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  check_header(bytes);
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos)
    return 0;
  const auto mechanism = bytes.substr(0, end);
  const auto response = bytes.substr(end + 1);
  const auto login = parse_credentials(mechanism, response);
  if (mechanism != "PLAIN" && mechanism != "AMQPLAIN")
    require(!login && login.error().code == switchboard::errc::not_implemented);
  if (!login)
    return 0;
  if (mechanism == "PLAIN") { // what was taken apart makes the response again, with or without the user to act for
    const auto tail = '\0' + login->user + '\0' + login->password;
    require(response == tail || response == login->user + tail);
  } else if (mechanism == "AMQPLAIN") {
    switchboard::field_table table;
    table.set("LOGIN", login->user);
    table.set("PASSWORD", login->password);
    std::string again;
    switchboard::encode_fields(table, again);
    const auto read = parse_amqplain(again);
    require(read && read->user == login->user && read->password == login->password);
  }
  return 0;
}
