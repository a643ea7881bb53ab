#include "base/ids.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/random.hpp"

namespace switchboard {

namespace {

using uuid_bits = std::array<std::byte, 16>;
constexpr std::size_t uuid_size = 36;
constexpr std::size_t identity_bytes_max = 128;

bool is_hyphen_place(std::size_t at) noexcept { return at == 8 || at == 13 || at == 18 || at == 23; }

bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_identity_character(char c) noexcept {
  return c > ' ' && c < '\x7f' && c != ':' && c != '*' && c != '#' && c != '/';
}

/// With version and variant of RFC 9562 in their places.
std::string text_of(uuid_bits bits, unsigned version) {
  bits[6] = (bits[6] & std::byte{0x0f}) | static_cast<std::byte>(version << 4);
  bits[8] = (bits[8] & std::byte{0x3f}) | std::byte{0x80};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string made;
  made.reserve(uuid_size);
  for (auto b : bits) {
    if (is_hyphen_place(made.size()))
      made += '-';
    made += digits[std::to_integer<unsigned>(b >> 4)];
    made += digits[std::to_integer<unsigned>(b & std::byte{0x0f})];
  }
  return made;
}

} // namespace

std::string make_uuid() {
  uuid_bits bits;
  fill_random(bits);
  return text_of(bits, 4);
}

std::string make_ordered_uuid(time_point now) {
  uuid_bits bits;
  fill_random(bits);
  auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count());
  for (int at = 5; at >= 0; --at, ms >>= 8)
    bits[static_cast<std::size_t>(at)] = static_cast<std::byte>(ms & 0xff);
  return text_of(bits, 7);
}

bool is_uuid(std::string_view text) noexcept {
  if (text.size() != uuid_size)
    return false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_hyphen_place(at) ? text[at] != '-' : !is_hex(text[at]))
      return false;
  }
  return true;
}

bool is_identity(std::string_view text) noexcept {
  return !text.empty() && text.size() <= identity_bytes_max &&
         std::all_of(text.begin(), text.end(), is_identity_character);
}

} // namespace switchboard
