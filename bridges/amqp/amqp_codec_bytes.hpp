// AMQP's primitive values (0-9-1, 4.2.5) as bytes: big-endian numbers, short and long strings, packed bits.
// Pure; the reader never looks beyond the bytes it was given and owns nothing.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace switchboard::amqp {

/// Swaps to or from network order. C++23's std::byteswap one day.
template <std::unsigned_integral Number>
constexpr Number network_order(Number value) noexcept {
  if constexpr (sizeof(Number) == 1 || std::endian::native == std::endian::big)
    return value;
  else if constexpr (sizeof(Number) == 2)
    return __builtin_bswap16(value);
  else if constexpr (sizeof(Number) == 4)
    return __builtin_bswap32(value);
  else
    return __builtin_bswap64(value);
}

/// Precondition: sizeof(Number) readable bytes at `at`, aligned or not.
template <std::unsigned_integral Number>
Number load(const char* at) noexcept {
  Number raw;
  std::memcpy(&raw, at, sizeof raw);
  return network_order(raw);
}

/// Writes and returns the place behind. Precondition: sizeof(Number) writable bytes at `at`.
template <std::unsigned_integral Number>
char* store(char* at, Number value) noexcept {
  const Number raw = network_order(value);
  std::memcpy(at, &raw, sizeof raw);
  return at + sizeof raw;
}

/// The length of a short string is one octet.
inline constexpr std::size_t short_string_max = 255;

/// Longer text is cut: what comes from the wire always fits, and our own words are cut before (reply_text).
constexpr std::string_view as_short_string(std::string_view text) noexcept { return text.substr(0, short_string_max); }

/// Reads arguments one after the other. The first one that doesn't fit makes it fail for good; values read after that
/// keep what they were. Views point into the bytes given.
class byte_reader {
public:
  explicit byte_reader(std::string_view bytes) noexcept : at_(bytes.data()), left_(bytes.size()) {}

  template <std::unsigned_integral Number>
  void number(Number& value) noexcept {
    if (const char* from = take(sizeof value))
      value = load<Number>(from);
  }
  void short_string(std::string_view& value) noexcept {
    std::uint8_t size = 0;
    number(size);
    view(size, value);
  }
  void long_string(std::string_view& value) noexcept {
    std::uint32_t size = 0;
    number(size);
    view(size, value);
  }
  /// Table bytes without their length; decode_fields reads them.
  void table(std::string_view& value) noexcept { long_string(value); }
  /// Up to eight flags share one octet, the first in the lowest bit. Unused bits are ignored, as RabbitMQ does.
  template <std::same_as<bool>... Flags>
  void bits(Flags&... flags) noexcept {
    static_assert(sizeof...(Flags) <= 8);
    std::uint8_t octet = 0;
    number(octet);
    unsigned place = 0;
    ((flags = (octet >> place++) & 1U), ...);
  }

  bool ok() const noexcept { return ok_; }
  /// True if everything was there and nothing is left over.
  bool finished() const noexcept { return ok_ && left_ == 0; }

private:
  /// nullptr, and failed, unless `size` bytes are left.
  const char* take(std::size_t size) noexcept {
    if (!ok_ || size > left_) {
      ok_ = false;
      return nullptr;
    }
    const char* from = at_;
    at_ += size;
    left_ -= size;
    return from;
  }
  void view(std::size_t size, std::string_view& value) noexcept {
    if (const char* from = take(size))
      value = {from, size};
  }

  const char* at_;
  std::size_t left_;
  bool ok_ = true;
};

/// Appends arguments to a buffer; the mirror of byte_reader, call by call.
class byte_writer {
public:
  explicit byte_writer(std::string& out) noexcept : out_(out) {}

  template <std::unsigned_integral Number>
  void number(Number value) {
    char raw[sizeof value];
    store(raw, value);
    out_.append(raw, sizeof raw);
  }
  /// Cut at 255 bytes.
  void short_string(std::string_view value) {
    value = as_short_string(value);
    number(static_cast<std::uint8_t>(value.size()));
    out_.append(value);
  }
  /// Precondition: less than 4 GiB.
  void long_string(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    out_.append(value);
  }
  void table(std::string_view value) { long_string(value); }
  template <std::same_as<bool>... Flags>
  void bits(Flags... flags) {
    static_assert(sizeof...(Flags) <= 8);
    unsigned octet = 0;
    unsigned place = 0;
    ((octet |= unsigned{flags} << place++), ...);
    number(static_cast<std::uint8_t>(octet));
  }

private:
  std::string& out_;
};

} // namespace switchboard::amqp
