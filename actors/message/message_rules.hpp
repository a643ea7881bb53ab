// The rules of text messages: what a target's status may become, how often sending is tried, which numbers are numbers,
// and into how many parts a text is cut. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "base/time.hpp"

namespace switchboard::telephony {

/// VoIPBIN's names. What can still happen stands in may_change().
enum class target_status {
  queued,      ///< on its way to the gateway, or waiting for another attempt
  sent,        ///< the gateway has it
  delivered,   ///< the phone has it
  failed,      ///< it never will have it
  received,    ///< came in: the target is ours
  gw_timeout,  ///< the gateway never answered; it may have it all the same
  dlr_timeout, ///< the gateway has it and never reported
};
constexpr std::array<std::string_view, 7> names_of(target_status) {
  return {"queued", "sent", "delivered", "failed", "received", "gw_timeout", "dlr_timeout"};
}

/// The timeouts are guesses, so a late report corrects them; delivered, failed and received are the truth.
bool may_change(target_status from, target_status to) noexcept;

/// Nothing is waited for any more.
constexpr bool is_over(target_status status) noexcept {
  return status != target_status::queued && status != target_status::sent;
}

/// How long to wait after `attempts` that the gateway refused for now: the seed's 1, 2, 4 … 32 s; none after the
/// seventh.
std::optional<milliseconds> retry_wait(int attempts) noexcept;

/// ITU-T E.164: '+', then 7 to 15 digits, the first of which is not 0.
bool is_e164(std::string_view number) noexcept;

/// Who a message may be from: an E.164 number, a short code of 3 to 8 digits, or a name of 1 to 11 letters, digits and
/// spaces with at least one letter (3GPP TS 23.040, 9.1.2.5).
bool is_sender(std::string_view source) noexcept;

enum class text_encoding {
  gsm7, ///< 3GPP TS 23.038 default alphabet, one character is one septet, of its extension two
  ucs2, ///< everything else: UTF-16 units
};
constexpr std::array<std::string_view, 2> names_of(text_encoding) { return {"gsm7", "ucs2"}; }

struct segmented {
  text_encoding encoding = text_encoding::gsm7;
  std::size_t units = 0;    ///< septets or UTF-16 units
  std::size_t segments = 0; ///< messages on the air: 160 septets or 70 units in one, 153 or 67 in each of several

  friend bool operator==(const segmented&, const segmented&) = default;
};

/// None if `text` is not UTF-8. An escaped character or a surrogate pair is never cut in two.
std::optional<segmented> cut(std::string_view text);

} // namespace switchboard::telephony
