// Shared by the codec's tests: bytes written field by field, and a sample of every method.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bridges/amqp/amqp_codec_method.hpp"

namespace switchboard::amqp::samples {

inline constexpr std::uint32_t frame_max = 131072; ///< what RabbitMQ proposes

/// octets(0x00, 0x01)
template <class... Numbers>
std::string octets(Numbers... numbers) {
  return {static_cast<char>(numbers)...};
}

/// One string of many, so that each may stand on a line with its comment.
inline std::string join(std::initializer_list<std::string> parts) {
  std::string all;
  for (const auto& part : parts)
    all += part;
  return all;
}

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes += static_cast<char>(std::stoi(std::string{hex.substr(at, 2)}, nullptr, 16));
  return bytes;
}

/// Bytes in a block of exactly their size, without a string's NUL behind them: a sanitizer sees a read one byte too
/// far.
class exact_copy {
public:
  explicit exact_copy(std::string_view bytes) : bytes_(bytes.begin(), bytes.end()) { bytes_.shrink_to_fit(); }
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

private:
  std::vector<char> bytes_;
};

/// A whole frame around a payload.
inline std::string framed(frame_type type, std::uint16_t channel, std::string_view payload) {
  std::string out;
  byte_writer writer{out};
  writer.number(static_cast<std::uint8_t>(type));
  writer.number(channel);
  writer.long_string(payload);
  writer.number(static_cast<std::uint8_t>(frame_end));
  return out;
}

/// Walks a method's arguments and gives each a value that shows its place: the third short string is "s3", the second
/// 16-bit number 0x0102 and so on; bits alternate, beginning with true. A table holds k = true.
class numbering_filler {
public:
  template <std::unsigned_integral Number>
  void number(Number& value) {
    const std::uint64_t pattern = 0x0102030405060708;
    const auto leading = static_cast<Number>(pattern >> (64 - 8 * sizeof value));
    value = static_cast<Number>((leading & ~Number{0xFF}) + ++place_);
  }
  void short_string(std::string_view& value) { value = keep("s"); }
  void long_string(std::string_view& value) { value = keep("l"); }
  void table(std::string_view& value) {
    ++place_;
    value = {"\x01kt\x01", 4};
  }
  template <std::same_as<bool>... Flags>
  void bits(Flags&... flags) {
    bool on = false;
    ((flags = on = !on), ...);
  }

private:
  std::string_view keep(const char* kind) { return kept_.emplace_back(kind + std::to_string(++place_)); }

  std::deque<std::string> kept_; // never moves its strings
  unsigned place_ = 0;
};

/// Notes where each argument lies in its struct.
class place_recorder {
public:
  template <std::unsigned_integral Number>
  void number(Number& value) {
    note(value);
  }
  void short_string(std::string_view& value) { note(value); }
  void long_string(std::string_view& value) { note(value); }
  void table(std::string_view& value) { note(value); }
  template <std::same_as<bool>... Flags>
  void bits(Flags&... flags) {
    (note(flags), ...);
  }
  const std::vector<const void*>& places() const { return places_; }

private:
  void note(const auto& value) { places_.push_back(&value); }
  std::vector<const void*> places_;
};

/// Gives every argument the largest value, or one of 70,000 bytes.
class largest_filler {
public:
  template <std::unsigned_integral Number>
  void number(Number& value) {
    value = static_cast<Number>(~Number{0});
  }
  void short_string(std::string_view& value) { value = short_; }
  void long_string(std::string_view& value) { value = long_; }
  void table(std::string_view& value) { value = long_; }
  template <std::same_as<bool>... Flags>
  void bits(Flags&... flags) {
    ((flags = true), ...);
  }

private:
  std::string short_ = std::string(short_string_max, 's');
  std::string long_ = std::string(70'000, 'l');
};

/// Calls `visit` with a default made value of each method.
template <class Visit, class... Methods>
void for_each_method(Visit visit, const std::variant<Methods...>*) {
  (visit(Methods{}), ...);
}
template <class Visit>
void for_each_method(Visit visit) {
  for_each_method(visit, static_cast<const method*>(nullptr));
}

/// The payload of the frame that append_method writes.
template <class Method>
std::string payload_of(const Method& what) {
  std::string frame;
  append_method(frame, 1, what);
  return frame.substr(frame_head_size, frame.size() - frame_overhead);
}

} // namespace switchboard::amqp::samples
