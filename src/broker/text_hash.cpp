#include "broker/text_hash.hpp"

#include <cstring>

#include "base/random.hpp"

namespace switchboard::broker {

namespace {

__extension__ using wide = unsigned __int128;

/// Both halves of the product: every bit in changes about half of the bits out.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const auto product = static_cast<wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t load(const char* from, std::size_t size) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, from, size);
  return value;
}

struct secrets {
  std::uint64_t start = random_bits();
  std::uint64_t step = random_bits() | 1;
  std::uint64_t end = random_bits() | 1;
};

} // namespace

std::uint64_t text_hash::operator()(std::string_view text) const noexcept {
  static const secrets secret;
  auto state = secret.start ^ text.size();
  const char* at = text.data();
  auto left = text.size();
  for (; left >= 8; left -= 8, at += 8)
    state = mix(state ^ load(at, 8), secret.step);
  if (left > 0)
    state = mix(state ^ load(at, left), secret.step);
  return mix(state, secret.end);
}

} // namespace switchboard::broker
