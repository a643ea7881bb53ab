// The rules of a transcription: what its status may become, and what can be asked for. Pure.
#pragma once

#include <array>
#include <string_view>

namespace switchboard::telephony {

enum class transcribe_status {
  starting,    ///< the call or conference is asked, or does not talk yet, or the engine is not ready
  progressing, ///< the engine listens
  stopping,    ///< the engine was told to stop; what it still has may come
  done,        ///< over; only kept to be looked at
};
constexpr std::array<std::string_view, 4> names_of(transcribe_status) {
  return {"starting", "progressing", "stopping", "done"};
}

constexpr bool may_change(transcribe_status from, transcribe_status to) noexcept { return from < to; }

enum class reference_type { call, conference };
constexpr std::array<std::string_view, 2> names_of(reference_type) { return {"call", "conference"}; }

/// Whose speech, as seen from the call.
enum class speech_direction { both, in, out };
constexpr std::array<std::string_view, 3> names_of(speech_direction) { return {"both", "in", "out"}; }

/// A BCP 47 tag as speech engines take them: "en", "en-US", "zh-Hans-CN".
constexpr bool is_language(std::string_view tag) noexcept {
  std::size_t part = 0, parts = 1;
  for (const char c : tag) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    if (c == '-' && part >= 2) {
      part = 0;
      ++parts;
    } else if (letter || (digit && parts > 1)) {
      ++part;
    } else {
      return false;
    }
    if (part > 8 || (parts == 1 && part > 3))
      return false;
  }
  return part >= 2 && parts <= 3;
}

} // namespace switchboard::telephony
