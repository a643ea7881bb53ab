// Big-endian integers of AMQP, read with a check before every step and appended to a string. Private to the codecs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace switchboard::wire {

/// Takes values off the front of bytes. After the first one that is cut off everything reads as zero or empty and
/// ok() stays false, so callers check once at the end. Views point into the given bytes.
class reader {
public:
  explicit reader(std::string_view bytes) noexcept : rest_(bytes) {}

  bool ok() const noexcept { return ok_; }
  bool done() const noexcept { return rest_.empty(); }

  template <class Unsigned>
  requires std::is_unsigned_v<Unsigned> Unsigned number()
  noexcept {
    std::uint64_t value = 0;
    for (const char byte : bytes(sizeof(Unsigned)))
      value = value << 8 | static_cast<unsigned char>(byte);
    return static_cast<Unsigned>(value);
  }

  /// The next `size` bytes, empty if there are fewer.
  std::string_view bytes(std::size_t size) noexcept {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view short_string() noexcept { return bytes(number<std::uint8_t>()); }
  std::string_view long_string() noexcept { return bytes(number<std::uint32_t>()); }

private:
  std::string_view rest_;
  bool ok_ = true;
};

template <class Unsigned>
requires std::is_unsigned_v<Unsigned>
void put(std::string& out, Unsigned value) {
  for (auto shift = static_cast<int>(sizeof(Unsigned)) * 8 - 8; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xff);
}

/// One length byte; longer text is cut to 255 bytes.
inline void put_short_string(std::string& out, std::string_view text) {
  const auto cut = text.substr(0, 255);
  put(out, static_cast<std::uint8_t>(cut.size()));
  out += cut;
}

/// Four length bytes.
inline void put_long_string(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

} // namespace switchboard::wire
