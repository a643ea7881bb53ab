// What people and programs ask of an agent.
#include <algorithm>
#include <utility>

#include "actors/agent/agent_steps.hpp"

namespace switchboard::telephony::agents {

namespace {

constexpr std::size_t addresses_max = 10;
constexpr std::size_t skills_max = 50;
constexpr std::size_t channels_max = 10;
constexpr int places_max = 100;

/// {"name": number}; nothing is taken over if one of them is wrong.
std::map<std::string, int> read_numbers(body_reader& in, const char* name, std::size_t most, int highest, int lowest) {
  std::map<std::string, int> read;
  const auto* found = in.find(name);
  if (!found->is_object() || found->size() > most) {
    in.complain_of(name, "must be an object of at most " + std::to_string(most) + " members");
    return read;
  }
  body_reader members{*found};
  for (const auto& [key, value] : found->items())
    read[key] = static_cast<int>(members.integer(key.c_str(), lowest, lowest, highest));
  if (members.wrong())
    in.complain_of(name, members.wrong()->what);
  return read;
}

/// What may be given at creation and changed later; members that are not there stay as they are.
void read_profile(body_reader& in, agent& a) {
  a.name = in.text("name", a.name);
  a.detail = in.text("detail", a.detail);
  a.ring_method = in.text("ring_method", a.ring_method);
  if (a.ring_method != "ringall" && a.ring_method != "linear")
    in.complain_of("ring_method", "must be ringall or linear");
  if (in.find("tag_ids"))
    a.tag_ids = in.texts("tag_ids");
  if (in.find("skills"))
    a.skills = read_numbers(in, "skills", skills_max, 10, 1);
  if (in.find("capacity")) {
    for (const auto& [channel, most] : read_numbers(in, "capacity", channels_max, places_max, 0))
      a.capacity[channel] = most;
    if (a.capacity.size() > channels_max)
      in.complain_of("capacity", "has too many channels");
  }
  const auto* addresses = in.find("addresses");
  if (!addresses)
    return;
  if (!addresses->is_array() || addresses->size() > addresses_max)
    return in.complain_of("addresses", "must be a list of at most 10 addresses");
  a.addresses.clear();
  for (const auto& one : *addresses)
    a.addresses.push_back(sdk::read_address(in, "addresses", one));
}

result finish_with_view(work w) {
  // The reply shows the status as it is afterwards, so the decision is finished first.
  auto out = std::move(w).finish();
  out.reply(200, view(*out.next_state()));
  return out;
}

} // namespace

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  agent a;
  a.id = ctx.id();
  a.customer_id = sdk::read_customer(in, msg);
  a.username = in.text("username");
  read_profile(in, a);
  if (in.wrong())
    return sdk::refused<agent>(*in.wrong());
  a.created = a.updated = a.since = ctx.now();
  result out;
  out.event("agent.created", event_data(a)).reply(200, view(a)).next(std::move(a));
  return out;
}

result show(agent a, const message&, const context&) {
  result out;
  out.reply(200, view(a));
  return out;
}

result update(agent a, const message& msg, const context& ctx) {
  work w{std::move(a), ctx};
  body_reader in{msg};
  const auto tags = w.a.tag_ids;
  const auto skills = w.a.skills;
  read_profile(in, w.a);
  if (in.wrong())
    return sdk::refused<agent>(*in.wrong());
  w.tell_all = tags != w.a.tag_ids || skills != w.a.skills;
  w.a.updated = ctx.now();
  w.out.event("agent.updated", event_data(w.a));
  return finish_with_view(std::move(w));
}

result remove(agent a, const message&, const context& ctx) {
  work w{std::move(a), ctx};
  const bool reserved =
      std::any_of(w.a.slots.begin(), w.a.slots.end(), [](const auto& one) { return one.phase != slot_phase::wrap_up; });
  if (reserved)
    return sdk::refused<agent>(409, "FAILED_PRECONDITION", "the agent is on a call");
  for (const auto& one : w.a.queues)
    w.out.send({"queue", one.queue_id}, "agent_gone", {{"agent_id", w.a.id}});
  w.out.event("agent.deleted", event_data(w.a)).reply(200, view(w.a)).end();
  return std::move(w.out);
}

result set_status(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  const auto wanted = sdk::from_text<agent_status>(in.text("status"));
  const auto reason = in.text("reason");
  const auto how_long = in.duration("duration_ms", milliseconds{0});
  if (!wanted || !may_be_set(*wanted))
    in.complain("status must be available, away, busy, paused or offline");
  if (in.wrong())
    return sdk::refused<agent>(*in.wrong());
  work w{std::move(a), ctx};
  w.set_by_hand(*wanted);
  if (*wanted == agent_status::paused)
    w.pause(reason, how_long, true);
  return finish_with_view(std::move(w));
}

/// Somebody who works already goes on with it.
result log_in(agent a, const message&, const context& ctx) {
  work w{std::move(a), ctx};
  if (w.a.status != agent_status::wrap_up)
    w.set_by_hand(agent_status::available);
  return finish_with_view(std::move(w));
}

result log_out(agent a, const message&, const context& ctx) {
  work w{std::move(a), ctx};
  w.set_by_hand(agent_status::offline);
  return finish_with_view(std::move(w));
}

result pause_for(agent a, const message& msg, const context& ctx) {
  body_reader in{msg};
  auto reason = in.text("reason");
  const auto how_long = in.duration("duration_ms", milliseconds{0});
  if (in.wrong())
    return sdk::refused<agent>(*in.wrong());
  if (a.presence == agent_status::offline)
    return sdk::refused<agent>(409, "FAILED_PRECONDITION", "the agent is not logged in");
  work w{std::move(a), ctx};
  w.set_by_hand(agent_status::paused);
  w.pause(std::move(reason), how_long, true);
  return finish_with_view(std::move(w));
}

/// Back from a pause; harmless otherwise.
result resume(agent a, const message&, const context& ctx) {
  work w{std::move(a), ctx};
  if (w.a.presence == agent_status::paused)
    w.set_by_hand(agent_status::available);
  return finish_with_view(std::move(w));
}

} // namespace switchboard::telephony::agents
