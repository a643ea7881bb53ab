// What the handlers of a call share: how it is shown, who is told, the one place where its status changes, its end.
// Pure; inside the plugin only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/call/call.hpp"

namespace switchboard::telephony::calls {

using result = sdk::outcome<call>;
using sdk::body_reader;
using sdk::context;
using sdk::message;

// Defaults of the settings; all are in milliseconds there.
constexpr milliseconds dial_timeout_default = std::chrono::seconds{60};
constexpr milliseconds max_duration_default = std::chrono::hours{1};
constexpr milliseconds release_timeout_default = std::chrono::seconds{10}; // a trunk that never confirms a hang-up
constexpr milliseconds keep_default = std::chrono::hours{24};              // how long an ended call can be looked at
constexpr milliseconds park_default = std::chrono::seconds{60};
constexpr std::size_t followers_max = 16;
constexpr std::size_t chained_max = 20;
constexpr std::size_t conferences_max = 20; // in the call record: the last ones
constexpr std::size_t digits_max = 64;

// -- what others see

json view(const call& c);
/// As the view, but with plain numbers: seed 000 prints events so.
json event_data(const call& c);
/// The data of a smaller event: who it is about, and `more`. Without "status", so that it is no news of the state.
json about(const call& c, json more);
/// The call detail record.
json record_of(const call& c);

result shows(const call& c);
/// 409: the call is in the wrong status for this.
result not_now(const call& c, std::string_view what);
/// 409 with a sentence of its own.
result not_so(std::string text);

// -- whom it talks to

inline sdk::entity_ref trunk_of(const call& c) { return {"trunk", c.id}; }
inline sdk::entity_ref call_at(const std::string& id) { return {"call", id}; }
/// The address on the other side of this leg.
inline const sdk::address& far_end_of(const call& c) {
  return c.direction == call_direction::outgoing ? c.destination : c.source;
}
/// Another tenant's entity must not learn that the call exists.
bool of_same_tenant(const call& c, const message& msg);
/// Everybody who has to know how this call fares: who placed it, its queue, its conference, its followers.
std::vector<sdk::entity_ref> partners_of(const call& c);
void tell_partners(const call& c, const char* name, const json& body, result& out);
/// The followers, and `asked` if it is somebody else.
void tell_followers(const call& c, const sdk::entity_ref& asked, const char* name, const json& body, result& out);
result refuse(const message& msg, const context& ctx, std::string_view why);

// -- its life

/// The only place where the status changes. False, and nothing happens, if the table forbids it.
bool enter(call& c, call_status next, const context& ctx);
/// Starts the end of a live call; harmless if it is already ending or over. `why` may be empty: then the table says it.
void start_hangup(call& c, std::string why, const context& ctx, result& out);
void finish(call& c, std::string_view cause, const context& ctx, result& out);
/// The flow it was placed with, if any.
void begin_flow(const call& c, result& out);
/// A new call of which everything but times and timers is known: tells the world and the trunk.
result place(call c, milliseconds dial_timeout, const context& ctx, result out = {});

/// Takes it out of its queue or conference; they stay in the record. The conference is told.
void leave_queue_for_good(call& c);
void leave_conference(call& c, std::string_view why, result& out);

} // namespace switchboard::telephony::calls
