#include "actors/loopback_gateway/loopback_gateway_rules.hpp"

namespace switchboard::telephony {

phone phone_of(std::string_view number) noexcept {
  const auto digits = number.size() < 4 ? std::string_view{} : number.substr(number.size() - 4);
  if (digits == "0200")
    return {phone_answer::refuses};
  if (digits == "0300")
    return {phone_answer::no_report};
  if (digits == "0400")
    return {phone_answer::no_answer};
  if (digits == "0500")
    return {phone_answer::fails};
  if (digits == "0600")
    return {phone_answer::replies};
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (digits.starts_with("07") && is_digit(digits[2]) && is_digit(digits[3]))
    return {phone_answer::delivers, (digits[2] - '0') * 10 + digits[3] - '0'};
  return {};
}

} // namespace switchboard::telephony
