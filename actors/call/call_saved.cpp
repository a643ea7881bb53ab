// A call as it is saved. What is empty is not written; version 1 wrote every member, which reads the same.
#include "actors/call/call.hpp"
#include "sdk/saved.hpp"

namespace switchboard::telephony {

namespace calls {

void to_json(json& out, const bond& from);
void from_json(const json& in, bond& to);
void to_json(json& out, const reach& from);
void from_json(const json& in, reach& to);
void to_json(json& out, const connection& from);
void from_json(const json& in, connection& to);
void to_json(json& out, const transfer& from);
void from_json(const json& in, transfer& to);
void to_json(json& out, const parking& from);
void from_json(const json& in, parking& to);
void to_json(json& out, const playing& from);
void from_json(const json& in, playing& to);
void to_json(json& out, const recording& from);
void from_json(const json& in, recording& to);

namespace {

using sdk::put;
using sdk::take;

template <class Bond, class Do>
void members(Bond& b, Do each) requires std::same_as<std::remove_const_t<Bond>, bond> {
  each("call_id", b.call_id);
  each("token", b.token);
  each("party", b.party);
  each("waits", b.waits);
}
template <class Reach, class Do>
void members(Reach& r, Do each) requires std::same_as<std::remove_const_t<Reach>, reach> {
  each("call_id", r.call_id);
  each("token", r.token);
  each("purpose", r.purpose);
  each("dialed", r.dialed);
  each("answered", r.answered);
  each("party", r.party);
  each("requester", r.requester);
  each("request_id", r.request_id);
  each("transferer", r.transferer);
  each("replaces", r.replaces);
}
template <class Connection, class Do>
void members(Connection& c, Do each) requires std::same_as<std::remove_const_t<Connection>, connection> {
  each("connect_id", c.connect_id);
  each("requester", c.requester);
}
template <class Transfer, class Do>
void members(Transfer& t, Do each) requires std::same_as<std::remove_const_t<Transfer>, transfer> {
  each("id", t.id);
  each("attended", t.attended);
  each("phase", t.phase);
  each("transferee", t.transferee);
  each("bond", t.bond);
  each("target", t.target);
  each("destination", t.destination);
  each("dial_timeout", t.dial_timeout);
}
template <class Parking, class Do>
void members(Parking& p, Do each) requires std::same_as<std::remove_const_t<Parking>, parking> {
  each("since", p.since);
  each("until", p.until);
  each("return_to", p.return_to);
}
template <class Playing, class Do>
void members(Playing& p, Do each) requires std::same_as<std::remove_const_t<Playing>, playing> {
  each("play_id", p.play_id);
  each("requester", p.requester);
}
template <class Recording, class Do>
void members(Recording& r, Do each) requires std::same_as<std::remove_const_t<Recording>, recording> {
  each("id", r.id);
  each("since", r.since);
}
template <class Parts, class Do>
void members(Parts& p, Do each) requires std::same_as<std::remove_const_t<Parts>, call_parts> {
  each("peer", p.peer);
  each("other", p.other);
  each("connect", p.connect);
  each("moving", p.moving);
  each("parked", p.parked);
  each("play", p.play);
  each("record", p.record);
  each("mute", p.mute);
  each("digits", p.digits);
  each("digit_sequence", p.digit_sequence);
  each("visit", p.visit);
  each("chained", p.chained);
  each("master_call_id", p.master_call_id);
  each("followers", p.followers);
  each("past_queue", p.past_queue);
  each("past_conferences", p.past_conferences);
  each("transferred_from", p.transferred_from);
  each("transferred_to", p.transferred_to);
  each("flow_id", p.flow_id);
  each("activeflow_id", p.activeflow_id);
}
template <class Ending, class Do>
void members(Ending& e, Do each) requires std::same_as<std::remove_const_t<Ending>, call_ending> {
  each("hangup_by", e.by);
  each("hangup_reason", e.reason);
  each("pending_reason", e.pending);
}
template <class Call, class Do>
void members(Call& c, Do each) requires std::same_as<std::remove_const_t<Call>, call> {
  each("id", c.id);
  each("customer_id", c.customer_id);
  each("source", c.source);
  each("destination", c.destination);
  each("held", c.held);
  each("simulated", c.simulated);
  each("delete_when_over", c.delete_when_over);
  each("owner", c.owner);
  each("queue_id", c.queue_id);
  each("conference_id", c.conference_id);
  each("max_duration", c.max_duration);
  each("created", c.created);
  each("ringing_since", c.ringing_since);
  each("answered", c.answered);
  each("ended", c.ended);
  each("updated", c.updated);
}

template <class T>
void add(json& out, const T& from) {
  members(from, [&](const char* name, const auto& value) { put(out, name, value); });
}
template <class T>
json saved(const T& from) {
  auto out = json::object();
  add(out, from);
  return out;
}
template <class T>
void read(const json& in, T& to) {
  members(to, [&](const char* name, auto& value) { take(in, name, value); });
}

} // namespace

void to_json(json& out, const bond& from) { out = saved(from); }
void from_json(const json& in, bond& to) { read(in, to); }
void to_json(json& out, const reach& from) { out = saved(from); }
void from_json(const json& in, reach& to) { read(in, to); }
void to_json(json& out, const connection& from) { out = saved(from); }
void from_json(const json& in, connection& to) { read(in, to); }
void to_json(json& out, const transfer& from) { out = saved(from); }
void from_json(const json& in, transfer& to) { read(in, to); }
void to_json(json& out, const parking& from) { out = saved(from); }
void from_json(const json& in, parking& to) { read(in, to); }
void to_json(json& out, const playing& from) { out = saved(from); }
void from_json(const json& in, playing& to) { read(in, to); }
void to_json(json& out, const recording& from) { out = saved(from); }
void from_json(const json& in, recording& to) { read(in, to); }
void to_json(json& out, const call_parts& from) { out = saved(from); }
void from_json(const json& in, call_parts& to) { read(in, to); }

} // namespace calls

void to_json(json& out, const call& from) {
  out = calls::saved(from);
  out["status"] = from.status; // also where it is the enum's first, for whoever reads a saved state
  out["direction"] = from.direction;
  if (!from.parts.is_untouched())
    out["parts"] = *from.parts;
  calls::add(out, *from.ending);
}
void from_json(const json& in, call& to) {
  calls::read(in, to);
  in.at("status").get_to(to.status);
  in.at("direction").get_to(to.direction);
  if (const auto parts = in.find("parts"); parts != in.end())
    parts->get_to(to.parts.change());
  calls::call_ending ending;
  calls::read(in, ending);
  if (ending != calls::call_ending{})
    to.ending.change() = std::move(ending);
}

} // namespace switchboard::telephony
