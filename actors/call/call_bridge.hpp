// Two calls that hear each other. One of them gets hold of the other: it dials it (`create` with a peer), or asks it if
// it is there already (`peer_ask`), and each tells the trunk. Whatever needs a second call – bridge, connect, transfer,
// park – goes this way and differs only in what happens then.
//
//   A ── create {peer} ──> B (rings) ── call_answered ──> A: both bridged      B ── call_ended {reason} ──> A: it
//   failed A ── peer_ask {token} ──> B ── peer_taken {token} ──> A: both bridged      B ── peer_refused {reason} ──> A:
//   it failed either ── peer_gone {token, hang_up} ──> the other
#pragma once

#include "actors/call/call_steps.hpp"

namespace switchboard::telephony::calls {

/// Neither bridged nor on the way to it, nor in a conference, nor in a queue other than `for_whom`. It may be parked.
bool is_free(const call& c, const sdk::entity_ref& for_whom = {});
inline bool is_bridged(const call& c) { return c.parts->peer && !c.parts->peer->waits; }

/// The call to get hold of: one that is there, or a number to dial.
struct new_leg {
  std::string call_id;
  sdk::address destination;
  sdk::address source; ///< what the destination sees; empty: our own far end
  milliseconds dial_timeout{};
};
/// Starts it; then either other_is_ready or other_failed happens. At most one at a time.
void get_hold(call& c, reach what, const new_leg& leg, const context& ctx, result& out);
void other_is_ready(call& c, const context& ctx, result& out);
void other_failed(call& c, const std::string& reason, const context& ctx, result& out);
/// Gives it up: hangs up what we dialled, lets go what was there before.
void let_other_go(call& c, result& out);

/// From now on it talks to that call.
void talk_to(call& c, bond with, result& out);
/// Tells the trunk anew whom the far end hears.
void bridge_again(const call& c, result& out);
/// The other one has left the bridge. `hang_up`: because it is over, so we hang up too, unless we go on for a reason.
void peer_lost(call& c, bool hang_up, const std::string& reason, const context& ctx, result& out);
/// Tells who asked for the connection that it is over. False: nobody did.
bool end_connection(call& c, const std::string& reason, result& out);
/// At the end of the call.
void end_bridges(call& c, result& out);

/// Reads where a second leg shall go: `call_id` or `destination`, `source`, `dial_timeout_ms`.
new_leg read_leg(body_reader& in, const context& ctx);

// Requests.
result bridge(call c, const message& msg, const context& ctx);
result unbridge(call c, const message& msg, const context& ctx);
result connect(call c, const message& msg, const context& ctx);
// Messages.
result connect_for(call c, const message& msg, const context& ctx);
result nobody_to_connect(const message& msg, const context& ctx);
result peer_ask(call c, const message& msg, const context& ctx);
result nobody_to_bridge(const message& msg, const context& ctx);
result peer_taken(call c, const message& msg, const context& ctx);
result peer_taken_too_late(const message& msg, const context& ctx);
result peer_refused(call c, const message& msg, const context& ctx);
result peer_gone(call c, const message& msg, const context& ctx);
result other_answered(call c, const message& msg, const context& ctx);
result nobody_wants_it(const message& msg, const context& ctx);
result other_ended(call c, const message& msg, const context& ctx);
// Timer.
result reach_timeout(call c, const message& msg, const context& ctx);

} // namespace switchboard::telephony::calls
