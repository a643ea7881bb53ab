// What happens to the sound of a call: hold, mute, files played, keys sent and pressed, recording. The trunk does it;
// here stands what was asked for and who is told.
#pragma once

#include "actors/call/call_steps.hpp"

namespace switchboard::telephony::calls {

/// At the end of the call: what is played or recorded is over.
void end_media(call& c, result& out);

/// The rule of mute: `now` and `change` are "", in, out or both; what it is with `change` added or taken away.
std::string_view muted(std::string_view now, std::string_view change, bool on) noexcept;

// Requests.
result hold(call c, const message& msg, const context& ctx);
result resume(call c, const message& msg, const context& ctx);
result mute(call c, const message& msg, const context& ctx);
result unmute(call c, const message& msg, const context& ctx);
result play(call c, const message& msg, const context& ctx);
result stop_play(call c, const message& msg, const context& ctx);
result send_digits(call c, const message& msg, const context& ctx);
result show_digits(call c, const message& msg, const context& ctx);
result start_recording(call c, const message& msg, const context& ctx);
result stop_recording(call c, const message& msg, const context& ctx);
// From other entities and from its conference.
result play_for(call c, const message& msg, const context& ctx);
result nobody_to_play_to(const message& msg, const context& ctx);
result stop_play_for(call c, const message& msg, const context& ctx);
result mute_for(call c, const message& msg, const context& ctx);
result hold_for(call c, const message& msg, const context& ctx);
// The trunk reports.
result digit_pressed(call c, const message& msg, const context& ctx);
result play_is_over(call c, const message& msg, const context& ctx);
result recording_is_over(call c, const message& msg, const context& ctx);
// Timer.
result recorded_enough(call c, const message& msg, const context& ctx);

} // namespace switchboard::telephony::calls
