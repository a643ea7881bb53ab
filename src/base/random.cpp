#include "base/random.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace switchboard {

namespace {

// One kernel entry for 256 UUIDs instead of one each.
constexpr std::size_t buffered_bytes = 4096;

struct buffer {
  std::array<std::byte, buffered_bytes> bytes;
  std::size_t used = buffered_bytes;
};

void refill(buffer& into) {
  std::size_t filled = 0;
  while (filled < into.bytes.size()) {
    const auto got = ::getrandom(into.bytes.data() + filled, into.bytes.size() - filled, 0);
    if (got < 0 && errno != EINTR) {
      std::perror("getrandom");
      std::abort();
    }
    if (got > 0)
      filled += static_cast<std::size_t>(got);
  }
  into.used = 0;
}

} // namespace

void fill_random(std::span<std::byte> out) {
  thread_local buffer held;
  while (!out.empty()) {
    if (held.used == held.bytes.size())
      refill(held);
    const auto count = std::min(out.size(), held.bytes.size() - held.used);
    std::memcpy(out.data(), held.bytes.data() + held.used, count);
    std::memset(held.bytes.data() + held.used, 0, count); // what was handed out is nobody else's to find
    held.used += count;
    out = out.subspan(count);
  }
}

std::string random_name() {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<std::byte, 22> dice; // one for each character; 6 of its 8 bits count
  fill_random(dice);
  std::string name;
  name.reserve(dice.size());
  for (const auto each : dice)
    name += digits[std::to_integer<std::size_t>(each) & 63];
  return name;
}

std::uint64_t random_bits() {
  std::uint64_t bits = 0;
  fill_random(std::as_writable_bytes(std::span{&bits, 1}));
  return bits;
}

} // namespace switchboard
