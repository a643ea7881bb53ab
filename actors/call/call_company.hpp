// The company a call keeps: its queue and its conference, those who follow it, the calls chained to it.
#pragma once

#include "actors/call/call_steps.hpp"

namespace switchboard::telephony::calls {

/// At the end of the call.
void end_chain(call& c, result& out);

// Requests.
result enter_conference(call c, const message& msg, const context& ctx);
result chain(call c, const message& msg, const context& ctx);
result unchain(call c, const message& msg, const context& ctx);
// Messages of queue and conference.
result join_queue(call c, const message& msg, const context& ctx);
result leave_queue(call c, const message& msg, const context& ctx);
result join_conference(call c, const message& msg, const context& ctx);
result join_refused(call c, const message& msg, const context& ctx);
result leave_conference_for(call c, const message& msg, const context& ctx);
result not_found(const message& msg, const context& ctx);
result check(call c, const message& msg, const context& ctx);
result nobody_to_check(const message& msg, const context& ctx);
/// What the trunk says of our leg: what differs from what we asked for is asked for again.
result leg_status(call c, const message& msg, const context& ctx);
// Messages of anybody of the same tenant.
result follow(call c, const message& msg, const context& ctx);
result unfollow(call c, const message& msg, const context& ctx);
result answer_for(call c, const message& msg, const context& ctx);
result hang_up_for(call c, const message& msg, const context& ctx);
result nothing_to_hang_up(const message& msg, const context& ctx);
// Messages of chained calls.
result add_chained(call c, const message& msg, const context& ctx);
result no_master(const message& msg, const context& ctx);
result chain_to(call c, const message& msg, const context& ctx);
result chain_refused(call c, const message& msg, const context& ctx);
result nobody_to_chain(const message& msg, const context& ctx);
result let_off_chain(call c, const message& msg, const context& ctx);
result chained_ended(call c, const message& msg, const context& ctx);
result master_ended(call c, const message& msg, const context& ctx);

} // namespace switchboard::telephony::calls
