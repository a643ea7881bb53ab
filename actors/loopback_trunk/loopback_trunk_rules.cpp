#include "actors/loopback_trunk/loopback_trunk_rules.hpp"

#include <algorithm>

namespace switchboard::telephony {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// "0200" of "+15559870200" or of "sip:5550200@example.org"; empty if there are fewer than four digits at the end.
std::string_view last_four_digits(const sdk::address& at) {
  if (at.type != "tel" && at.type != "sip")
    return {};
  const auto user = std::string_view{at.target}.substr(0, at.target.find('@'));
  if (user.size() < 4)
    return {};
  const auto last = user.substr(user.size() - 4);
  return std::all_of(last.begin(), last.end(), is_digit) ? last : std::string_view{};
}

} // namespace

far_end far_end_of(const sdk::address& at) {
  const auto digits = last_four_digits(at);
  if (digits == "0200")
    return {far_end_answer::busy};
  if (digits == "0300")
    return {far_end_answer::rings};
  if (digits == "0400")
    return {far_end_answer::unreachable};
  if (digits == "0500")
    return {far_end_answer::rejects};
  if (digits.starts_with("01"))
    return {far_end_answer::answers, std::chrono::seconds{(digits[2] - '0') * 10 + digits[3] - '0'}};
  if (digits.starts_with("06"))
    return {far_end_answer::answers, std::nullopt, std::string{digits.substr(2)}};
  return {};
}

} // namespace switchboard::telephony
