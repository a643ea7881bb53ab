#include "actors/message/message_rules.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace switchboard::telephony {

namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// 3GPP TS 23.038, table 6.2.1, beyond the ASCII that it shares.
constexpr std::u32string_view gsm7_more = U"£¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
/// Table 6.2.1.1: each takes an escape septet and one more.
constexpr std::u32string_view gsm7_escaped = U"\f^{}\\[~]|€";
/// ASCII that the default alphabet lacks, besides those that are escaped.
constexpr char32_t backquote = U'`';

/// Septets of one character; 0 if the alphabet lacks it.
std::size_t septets_of(char32_t c) noexcept {
  if (gsm7_escaped.find(c) != std::u32string_view::npos)
    return 2;
  if (c < 0x80)
    return (c >= 0x20 && c != 0x7f && c != backquote) || c == U'\n' || c == U'\r' ? 1 : 0;
  return gsm7_more.find(c) != std::u32string_view::npos ? 1 : 0;
}

/// Takes one character off the front; none if what stands there is not UTF-8 (RFC 3629).
std::optional<char32_t> take(std::string_view& text) noexcept {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  if (length == 0 || text.size() < length)
    return std::nullopt;
  char32_t made = length == 1 ? first : first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if (next >> 6 != 2)
      return std::nullopt;
    made = made << 6 | (next & 0x3fU);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (made < least[length] || made > 0x10ffff || (made >= 0xd800 && made <= 0xdfff))
    return std::nullopt;
  text.remove_prefix(length);
  return made;
}

/// Characters of `sizes` units into segments of `room` units, none cut in two.
std::size_t fill(const std::vector<std::size_t>& sizes, std::size_t room) {
  std::size_t segments = sizes.empty() ? 0 : 1, used = 0;
  for (const auto size : sizes) {
    if (used + size > room) {
      ++segments;
      used = 0;
    }
    used += size;
  }
  return segments;
}

} // namespace

bool may_change(target_status from, target_status to) noexcept {
  using enum target_status;
  switch (from) {
  case queued:
    return to == sent || to == delivered || to == failed || to == gw_timeout;
  case sent:
    return to == delivered || to == failed || to == dlr_timeout;
  case gw_timeout:
    return to == sent || to == delivered || to == failed;
  case dlr_timeout:
    return to == delivered || to == failed;
  case delivered:
  case failed:
  case received:
    break;
  }
  return false;
}

std::optional<milliseconds> retry_wait(int attempts) noexcept {
  constexpr int attempts_max = 7;
  if (attempts < 1 || attempts >= attempts_max)
    return std::nullopt;
  return std::chrono::seconds{1 << (attempts - 1)};
}

bool is_e164(std::string_view number) noexcept {
  if (number.size() < 8 || number.size() > 16 || number[0] != '+' || number[1] == '0')
    return false;
  return std::all_of(number.begin() + 1, number.end(), is_digit);
}

bool is_sender(std::string_view source) noexcept {
  if (is_e164(source))
    return true;
  if (source.size() >= 3 && source.size() <= 8 && std::all_of(source.begin(), source.end(), is_digit))
    return true;
  const auto fits = [](char c) { return is_letter(c) || is_digit(c) || c == ' '; };
  return !source.empty() && source.size() <= 11 && std::all_of(source.begin(), source.end(), fits) &&
         std::any_of(source.begin(), source.end(), is_letter);
}

std::optional<segmented> cut(std::string_view text) {
  std::vector<std::size_t> septets, units;
  std::size_t all_septets = 0, all_units = 0;
  bool gsm7 = true;
  while (!text.empty()) {
    const auto c = take(text);
    if (!c)
      return std::nullopt;
    septets.push_back(septets_of(*c));
    units.push_back(*c > 0xffff ? 2 : 1);
    gsm7 = gsm7 && septets.back() > 0;
    all_septets += septets.back();
    all_units += units.back();
  }
  if (gsm7)
    return segmented{text_encoding::gsm7, all_septets, all_septets <= 160 ? fill(septets, 160) : fill(septets, 153)};
  return segmented{text_encoding::ucs2, all_units, all_units <= 70 ? fill(units, 70) : fill(units, 67)};
}

} // namespace switchboard::telephony
