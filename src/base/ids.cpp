#include "base/ids.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/random.hpp"

namespace switchboard {

namespace {

constexpr std::size_t uuid_size = 36;
constexpr std::size_t identity_bytes_max = 128;

bool is_hyphen_place(std::size_t at) noexcept { return at == 8 || at == 13 || at == 18 || at == 23; }

bool is_hex(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_identity_character(char c) noexcept {
  return c > ' ' && c < '\x7f' && c != ':' && c != '*' && c != '#' && c != '/';
}

} // namespace

std::string make_uuid() {
  std::array<std::byte, 16> bits;
  fill_random(bits);
  bits[6] = (bits[6] & std::byte{0x0f}) | std::byte{0x40}; // version 4
  bits[8] = (bits[8] & std::byte{0x3f}) | std::byte{0x80}; // variant of RFC 9562
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
