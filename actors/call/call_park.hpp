// The parking place: an answered call waits there alone until somebody takes it. When its time is over the parker is
// rung; if nobody is known or the parker does not answer, it is hung up.
#pragma once

#include "actors/call/call_steps.hpp"

namespace switchboard::telephony::calls {

/// Who was to take it did not; it waits on for the rest of its time, but five seconds at least.
void park_on(const call& c, const context& ctx, result& out);
/// Somebody talks to it again. `why`: picked_up, returned, unparked.
void leave_parking(call& c, std::string_view why, result& out);

// Requests.
result park(call c, const message& msg, const context& ctx);
result unpark(call c, const message& msg, const context& ctx);
// Timer.
result parked_too_long(call c, const message& msg, const context& ctx);

} // namespace switchboard::telephony::calls
