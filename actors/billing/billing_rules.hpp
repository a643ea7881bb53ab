// What things cost. Money is a whole number of micro units (millionths) of the account's currency, never a fraction; a
// price is rounded up to the next micro unit. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace switchboard::telephony {

using micros = std::int64_t;

/// Bounds that keep every product below 2^63: money, prices, and the time of one call.
inline constexpr micros money_max = 1'000'000'000'000'000; // a thousand million units
inline constexpr micros price_max = 1'000'000'000'000;     // a million units
inline constexpr milliseconds rated_max = std::chrono::hours{24 * 30};

enum class rate_kind {
  call,     ///< an outgoing call, by the number called
  incoming, ///< an incoming call, by our number
  sms,      ///< a text message, by the number it goes to
};
constexpr std::array<std::string_view, 3> names_of(rate_kind) { return {"call", "incoming", "sms"}; }

struct rate {
  rate_kind kind = rate_kind::call;
  std::string prefix;            ///< of the number, "+1555"; empty: all numbers
  micros price_micro = 0;        ///< of a minute, or of a segment
  micros setup_micro = 0;        ///< once, on top
  std::int64_t minimum_s = 0;    ///< a call costs at least so much time …
  std::int64_t increment_s = 60; ///< … and after that, time in such steps

  friend bool operator==(const rate&, const rate&) = default;
};

/// The one with the longest prefix of `number`; nullptr if none fits: then it is not charged.
const rate* find_rate(const std::vector<rate>& rates, rate_kind kind, std::string_view number) noexcept;

/// The seconds that are paid for a call of that length: the minimum, then whole steps.
std::int64_t rated_seconds(const rate& of, milliseconds length) noexcept;

/// What a call of that length costs.
micros call_cost(const rate& of, milliseconds length) noexcept;

/// What a text message costs.
micros sms_cost(const rate& of, std::int64_t segments) noexcept;

/// How long a call may last for that money; nothing: for ever. Zero also if it does not even pay the first step.
std::optional<milliseconds> affordable(const rate& of, micros money) noexcept;

} // namespace switchboard::telephony
