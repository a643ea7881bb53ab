// The table of an agent, and its state as JSON.
#include "actors/agent/agent.hpp"

#include "actors/agent/agent_steps.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(slot, offer_id, epoch, queue_id, call_id, channel, phase, checked)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(agent_watcher, queue_id, epoch)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(agent, id, customer_id, username, name, detail, ring_method, addresses, tag_ids,
                                   skills, capacity, presence, status, since, sequence, slots, pause_reason,
                                   paused_until, back_by_itself, no_answers, resting_until, queues, created, updated)

namespace {

/// Version 1 had one reservation and no presence of its own.
json upgrade(json older, std::uint32_t) {
  json made = agent{};
  const std::string status = older.at("status"), next = older.at("next_status");
  const auto& reserved = older.at("reserved");
  const bool on_call = !reserved.at("offer_id").get_ref<const std::string&>().empty();
  const bool wraps_up = status == "wrap_up";
  json queues = json::array();
  for (const auto& one : older.at("queues"))
    queues.push_back(agent_watcher{one});
  if (on_call || wraps_up) {
    slot one{reserved.at("offer_id"), 0, reserved.at("queue_id"), reserved.at("call_id"), "voice"};
    one.phase = wraps_up ? slot_phase::wrap_up : status == "ringing" ? slot_phase::ringing : slot_phase::talking;
    made["slots"] = json::array({one});
  }
  const auto presence = !next.empty() ? next : on_call || wraps_up ? "available" : status;
  for (const auto* gone : {"next_status", "reserved"})
    older.erase(gone);
  older["queues"] = std::move(queues);
  made.update(older);
  made["presence"] = presence;
  return made;
}

} // namespace

const sdk::entity_type<agent>& agent_type() {
  using namespace sdk;
  using a = agent;
  static const entity_type<a> made{"agent",
                                   "agent",
                                   2,
                                   agents::view,
                                   {
                                       creates<a>("POST", "/v1/agents", agents::create),
                                       lists<a>("GET", "/v1/agents"),
                                       answers<a>("GET", "/v1/agents/{id}", agents::show),
                                       answers<a>("PUT", "/v1/agents/{id}", agents::update),
                                       answers<a>("DELETE", "/v1/agents/{id}", agents::remove),
                                       answers<a>("PUT", "/v1/agents/{id}/status", agents::set_status),
                                       answers<a>("POST", "/v1/agents/{id}/login", agents::log_in),
                                       answers<a>("POST", "/v1/agents/{id}/logout", agents::log_out),
                                       answers<a>("POST", "/v1/agents/{id}/pause", agents::pause_for),
                                       answers<a>("DELETE", "/v1/agents/{id}/pause", agents::resume),
                                       told<a>("watch", agents::watch, agents::gone),
                                       told<a>("unwatch", agents::unwatch),
                                       told<a>("offer", agents::offer, agents::gone),
                                       told<a>("connected", agents::connected),
                                       told<a>("release", agents::release),
                                       timer<a>("lease", agents::lease_over),
                                       timer<a>("wrap_up", agents::wrap_up_over),
                                       timer<a>("pause", agents::pause_over),
                                       timer<a>("rest", agents::rest_over),
                                   },
                                   upgrade};
  return made;
}

} // namespace switchboard::telephony
