// Any code with any text as the reason of a close: it fits a short string, is never cut inside a character, and both
// ways to print octets agree on what they print.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "bridges/amqp/amqp_codec_method.hpp"

using namespace switchboard::amqp;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text{reinterpret_cast<const char*>(data), size};
  if (text.size() < 6)
    return 0;
  const auto code = static_cast<reply_code>(load<std::uint16_t>(text.data()));
  const method_id fault{load<std::uint16_t>(text.data() + 2), load<std::uint16_t>(text.data() + 4)};
  text.remove_prefix(6);

  const auto reason = reply_text(code, text);
  require(reason.size() <= 255 && reason.starts_with(name(code)));
  const auto whole = std::string{name(code)}.append(" - ").append(text);
  if (whole.size() <= 255)
    require(reason == whole);
  else
    require(reason.ends_with("...") && whole.starts_with(reason.substr(0, reason.size() - 3)) &&
            (static_cast<unsigned char>(whole[reason.size() - 3]) & 0xC0) != 0x80);

  std::string out;
  const std::uint16_t channel = is_connection_error(code) ? 0 : 1;
  if (channel == 0)
    append_connection_close(out, code, text, fault);
  else
    append_channel_close(out, channel, code, text, fault);
  const auto frame = parse_frame(out, frame_min_size);
  require(frame.state == frame_state::complete && frame.size == out.size() && frame.channel == channel);
  const auto close = decode_method(frame.payload);
  require(close.has_value());
  if (const auto* of = std::get_if<connection_close>(&*close))
    require(of->text == reason && of->fault == fault && id(*close) == connection_close::id);
  else
    require(std::get<channel_close>(*close).text == reason);

  const auto octets = octets_text(text);
  const auto printed = printable_octets_text(text);
  require(octets.starts_with("<<") && octets.ends_with(">>"));
  require(printed == octets || (printed.starts_with("<<\"") && printed.ends_with("\">>")));
  require(payload_snippet(text).size() < 128);
  return 0;
}
