#include "actors/billing/billing_rules.hpp"

#include <algorithm>

namespace switchboard::telephony {

namespace {

constexpr std::int64_t divide_up(std::int64_t value, std::int64_t by) noexcept { return (value + by - 1) / by; }

} // namespace

const rate* find_rate(const std::vector<rate>& rates, rate_kind kind, std::string_view number) noexcept {
  const rate* best = nullptr;
  for (const auto& one : rates)
    if (one.kind == kind && number.starts_with(one.prefix) && (!best || one.prefix.size() > best->prefix.size()))
      best = &one;
  return best;
}

std::int64_t rated_seconds(const rate& of, milliseconds length) noexcept {
  const auto seconds = divide_up(std::clamp(length, milliseconds{0}, rated_max).count(), 1000);
  if (seconds <= of.minimum_s)
    return of.minimum_s;
  return of.minimum_s + divide_up(seconds - of.minimum_s, of.increment_s) * of.increment_s;
}

micros call_cost(const rate& of, milliseconds length) noexcept {
  return of.setup_micro + divide_up(rated_seconds(of, length) * of.price_micro, 60);
}

micros sms_cost(const rate& of, std::int64_t segments) noexcept {
  return of.setup_micro + std::clamp<std::int64_t>(segments, 0, 1000) * of.price_micro;
}

std::optional<milliseconds> affordable(const rate& of, micros money) noexcept {
  const auto left = money - of.setup_micro;
  if (left < 0)
    return milliseconds{0};
  if (of.price_micro == 0)
    return std::nullopt;
  const auto seconds = std::min(left, money_max) * 60 / of.price_micro;
  if (seconds < of.minimum_s)
    return milliseconds{0};
  const auto whole = of.minimum_s + (seconds - of.minimum_s) / of.increment_s * of.increment_s;
  return std::min(milliseconds{std::min(whole, rated_max.count()) * 1000}, rated_max);
}

} // namespace switchboard::telephony
