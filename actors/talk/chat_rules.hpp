// The bounds of a chat and of what is kept of it. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace switchboard::telephony {

enum class chat_kind {
  group,  ///< participants come and go
  direct, ///< two, for ever
};
constexpr std::array<std::string_view, 2> names_of(chat_kind) { return {"group", "direct"}; }

inline constexpr std::size_t participants_max = 100;
inline constexpr std::size_t message_bytes_max = 4096;
inline constexpr std::size_t reactions_max = 20; ///< different ones to one message

/// What a chat keeps is written whole with each message, so it is bounded: so many messages, so many bytes of text.
inline constexpr std::size_t history_messages_max = 100;
inline constexpr std::size_t history_bytes_max = 64 * 1024;

constexpr bool fits_history(std::size_t messages, std::size_t bytes) noexcept {
  return messages <= history_messages_max && bytes <= history_bytes_max;
}

constexpr bool may_have(chat_kind kind, std::size_t participants) noexcept {
  return kind == chat_kind::direct ? participants == 2 : participants <= participants_max;
}

/// One emoji, whatever it is composed of: 1 to 64 bytes without spaces and control characters.
constexpr bool is_reaction(std::string_view text) noexcept {
  if (text.empty() || text.size() > 64)
    return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
      return false;
  return true;
}

} // namespace switchboard::telephony
