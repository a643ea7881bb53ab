// Transfers. Three calls: the transferer T asks for it, the transferee X (who talks to T, by a bridge or in a
// conference) does it, the target C is the new party. X changes partners in one step, so nobody is ever without one:
// until C is there T and X stay together, and a transfer that fails leaves them so.
//
//   blind:     T ── transfer_to {destination} ──> X ── create ──> C ── call_answered ──> X ── transfer_done ──> T: ends
//   attended:  T ── create ──> C: they talk; complete: T ── transfer_to {call_id, replaces} ──> X ── peer_ask ──> C
//              C ── peer_gone {transferred} ──> T     C ── peer_taken ──> X ── transfer_done ──> T: ends
//   failed:    X ── transfer_failed {reason} ──> T
#pragma once

#include "actors/call/call_steps.hpp"

namespace switchboard::telephony::calls {

// For call_bridge: what happens to the second leg of a transfer.
void consult_begins(call& c, result& out);
void consult_failed(call& c, bool was_answered, const std::string& reason, result& out);
void leave_transferer(call& c, const reach& target, result& out);
void transfer_came_to_nothing(call& c, const reach& target, const std::string& reason, const context& ctx, result& out);
/// It talks to the party it consulted, or is handing it over.
bool is_consulting(const call& c);
/// That party is with the transferee now.
void consulted_is_handed_over(call& c, result& out);
/// The one we transfer has left. True: we go on with the party we consulted.
bool transferee_lost(call& c, result& out);
/// The transferer's own end: a consultation that was answered becomes the transfer.
void end_transferring(call& c, result& out);

/// The queue or conference ends it while it is being transferred: only they are over for it. False: not in a transfer.
bool stays_for_transfer(call& c, result& out);

// Requests.
result transfer_call(call c, const message& msg, const context& ctx);
result complete_transfer(call c, const message& msg, const context& ctx);
result cancel_transfer(call c, const message& msg, const context& ctx);
// Messages.
result others_in_conference(call c, const message& msg, const context& ctx);
result transfer_to(call c, const message& msg, const context& ctx);
result nobody_to_transfer(const message& msg, const context& ctx);
result transfer_canceled(call c, const message& msg, const context& ctx);
result transfer_done(call c, const message& msg, const context& ctx);
result transfer_failed(call c, const message& msg, const context& ctx);
// Timer.
result transfer_timeout(call c, const message& msg, const context& ctx);

} // namespace switchboard::telephony::calls
