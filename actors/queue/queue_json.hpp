// A queue's state as JSON, and how a state of version 1 becomes one of today. Included by queue.cpp only.
#pragma once

#include "actors/queue/queue.hpp"

namespace switchboard::telephony {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(agent_place, order, number)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(relaxation_step, after, lower_by)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(overflow_target, kind, queue_id, destination)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(queue_totals, incoming, answered, answered_in_time, serviced, abandoned, overflowed,
                                   callbacks, answer_wait, talk)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(queue_agent, agent_id, status, since, sequence, free, tag_ids, skills, place,
                                   penalty, calls, talk_time)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(queue_offer, id, epoch, agent_id, call_id)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(queue_caller, id, call_id, phase, number, priority, skills, owner, offers, tried,
                                   offer_id, epoch, agent_id, agent_call_id, conference_id, caller_in, agent_in,
                                   attempts, callback, callback_attempts, not_before, overflow_reason, connect_id, hops,
                                   tries, joined, connected)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(queue, id, customer_id, name, detail, routing, channel, tag_ids, relaxation, ageing,
                                   parallel_offers, wait_timeout, service_timeout, ring_timeout, wrap_up,
                                   announce_interval, service_level, max_length, overflow, when_no_agents,
                                   callback_attempts, callback_retry, decisions_kept, agents, callers, last_asked,
                                   numbers, epoch, totals, shown_waiting, shown_active, decisions, relax_at,
                                   audit_armed, closing, created, updated)

/// Version 1: one offer for each caller, no line places, three totals.
inline json upgrade_queue(json older, std::uint32_t) {
  json made = queue{};
  std::uint64_t numbers = 0;
  json agents = json::array(), callers = json::array();
  for (const auto& one : older.at("agents")) {
    json agent = queue_agent{};
    agent.update(one);
    agent["free"] = one.at("status") == "available" ? 1 : 0;
    agent["place"]["number"] = ++numbers;
    agents.push_back(std::move(agent));
  }
  for (const auto& one : older.at("callers")) {
    json caller = queue_caller{};
    caller.update(one);
    caller["number"] = ++numbers;
    if (one.at("phase") == "offered" || one.at("phase") == "dialing") {
      caller["offers"] = json::array({queue_offer{one.at("offer_id"), 0, one.at("agent_id"), one.at("agent_call_id")}});
      for (const auto* moved : {"offer_id", "agent_id", "agent_call_id"})
        caller[moved] = "";
    }
    callers.push_back(std::move(caller));
  }
  auto& totals = made["totals"];
  totals["incoming"] = older.at("total_incoming");
  totals["serviced"] = older.at("total_serviced");
  totals["answered"] = older.at("total_serviced");
  totals["abandoned"] = older.at("total_abandoned");
  for (const auto* moved : {"total_incoming", "total_serviced", "total_abandoned"})
    older.erase(moved);
  older["agents"] = std::move(agents);
  older["callers"] = std::move(callers);
  made.update(older);
  made["numbers"] = numbers;
  return made;
}

} // namespace switchboard::telephony
