#include "actors/call/call_rules.hpp"

namespace switchboard::telephony {

namespace {

/// Rows: from; columns: to; in the order of the enum.
constexpr bool allowed[6][6] = {
    // dialing ringing progressing terminating canceling hangup
    {false, true, true, true, true, true},      // dialing
    {false, false, true, true, true, true},     // ringing
    {false, false, false, true, false, true},   // progressing
    {false, false, false, false, false, true},  // terminating
    {false, false, false, false, false, true},  // canceling
    {false, false, false, false, false, false}, // hangup
};

std::string_view reason_before_answer(call_direction way, std::string_view cause) noexcept {
  if (cause == "busy")
    return "busy";
  if (cause == "no_answer" || (cause == "rejected" && way == call_direction::outgoing))
    return "noanswer";
  if (cause == "normal" || way == call_direction::incoming)
    return "normal";
  return cause.empty() ? "dialout" : "failed";
}

} // namespace

bool may_change(call_status now, call_status next) noexcept {
  return allowed[static_cast<std::size_t>(now)][static_cast<std::size_t>(next)];
}

call_status when_we_hang_up(call_status now, call_direction way) noexcept {
  const bool unanswered = now == call_status::dialing || now == call_status::ringing;
  return unanswered && way == call_direction::outgoing ? call_status::canceling : call_status::terminating;
}

std::string_view hangup_by(call_status last) noexcept {
  return last == call_status::terminating || last == call_status::canceling ? "local" : "remote";
}

std::string_view hangup_reason(call_status last, call_direction way, std::string_view cause) noexcept {
  switch (last) {
  case call_status::dialing:
  case call_status::ringing:
    return reason_before_answer(way, cause);
  case call_status::canceling:
    return "cancel";
  case call_status::progressing:
  case call_status::terminating:
  case call_status::hangup:
    break;
  }
  return "normal";
}

} // namespace switchboard::telephony
