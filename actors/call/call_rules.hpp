// The rules of a call's life: which status may follow which, and what to call the end of it. Pure; VoIPBIN's tables.
#pragma once

#include <array>
#include <string_view>

namespace switchboard::telephony {

enum class call_status {
  dialing,     ///< an outgoing leg is being placed
  ringing,     ///< the far end rings; or an incoming caller has not been answered yet
  progressing, ///< answered: both sides talk
  terminating, ///< we are ending an answered (or incoming) call; the trunk has not confirmed yet
  canceling,   ///< we are giving up an outgoing call that was not answered; the trunk has not confirmed yet
  hangup,      ///< over; only kept to be looked at
};
constexpr std::array<std::string_view, 6> names_of(call_status) {
  return {"dialing", "ringing", "progressing", "terminating", "canceling", "hangup"};
}

enum class call_direction {
  outgoing, ///< we placed it
  incoming, ///< it came to us
};
constexpr std::array<std::string_view, 2> names_of(call_direction) { return {"outgoing", "incoming"}; }

/// True if `next` may follow `now` directly.
bool may_change(call_status now, call_status next) noexcept;

/// Neither over nor on its way out.
constexpr bool is_live(call_status now) noexcept {
  return now == call_status::dialing || now == call_status::ringing || now == call_status::progressing;
}

/// Where a live call goes when we hang it up.
call_status when_we_hang_up(call_status now, call_direction way) noexcept;

/// "local" if we hung up, "remote" if the far end did; `last` is the status before the end.
std::string_view hangup_by(call_status last) noexcept;

/// Why a call ended: normal, failed, busy, cancel, noanswer, dialout. `cause` is the trunk's word for it: normal, busy,
/// no_answer, rejected, unreachable; empty if it gave none.
std::string_view hangup_reason(call_status last, call_direction way, std::string_view cause) noexcept;

} // namespace switchboard::telephony
