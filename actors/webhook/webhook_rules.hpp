// What is known of a webhook's target, and what a secret must be like. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace switchboard::telephony {

enum class webhook_status {
  unknown,    ///< nothing was delivered since it was made or its target changed
  delivering, ///< the last report says: it takes deliveries
  failing,    ///< ... it does not
};
constexpr std::array<std::string_view, 3> names_of(webhook_status) { return {"unknown", "delivering", "failing"}; }

/// Long enough that nobody guesses it: 16..256 visible ASCII characters.
inline bool is_webhook_secret(std::string_view text) noexcept {
  return text.size() >= 16 && text.size() <= 256 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

} // namespace switchboard::telephony
