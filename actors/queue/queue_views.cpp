// What others see of a queue: itself, its callers, its figures, and why an agent was chosen.
#include <algorithm>

#include "actors/queue/queue_work.hpp"

namespace switchboard::telephony::queues {

json view(const queue& q) {
  json agents = json::array(), waiting = json::array(), service = json::array(), relaxation = json::array();
  for (const auto& one : q.agents)
    agents.push_back({{"agent_id", one.agent_id},
                      {"status", one.status},
                      {"free", one.free},
                      {"order", one.place.order},
                      {"penalty", one.penalty},
                      {"calls", one.calls},
                      {"talk_ms", one.talk_time}});
  for (const auto& one : q.callers) {
    if (one.phase == caller_phase::service)
      service.push_back(one.id);
    else if (is_waiting(one.phase))
      waiting.push_back(one.id);
  }
  for (const auto& one : q.relaxation)
    relaxation.push_back({{"after_ms", one.after}, {"lower_by", one.lower_by}});
  return {{"id", q.id},
          {"customer_id", q.customer_id},
          {"name", q.name},
          {"detail", q.detail},
          {"routing_method", sdk::text(q.routing)},
          {"channel", q.channel},
          {"tag_ids", q.tag_ids},
          {"skill_relaxation", std::move(relaxation)},
          {"priority_ageing_ms", q.ageing},
          {"parallel_offers", q.parallel_offers},
          {"wait_timeout", q.wait_timeout},
          {"service_timeout", q.service_timeout},
          {"ring_timeout_ms", q.ring_timeout},
          {"wrap_up_ms", q.wrap_up},
          {"announce_interval_ms", q.announce_interval},
          {"service_level_ms", q.service_level},
          {"max_length", q.max_length},
          {"overflow",
           {{"type", sdk::text(q.overflow.kind)},
            {"queue_id", q.overflow.queue_id},
            {"destination", q.overflow.destination}}},
          {"when_no_agents", sdk::text(q.when_no_agents)},
          {"callback_attempts", q.callback_attempts},
          {"callback_retry_ms", q.callback_retry},
          {"decisions_kept", q.decisions_kept},
          {"agents", std::move(agents)},
          {"waiting", waiting.size()},
          {"active", service.size()},
          {"wait_queuecall_ids", std::move(waiting)},
          {"service_queuecall_ids", std::move(service)},
          {"total_incoming_count", q.totals.incoming},
          {"total_serviced_count", q.totals.serviced},
          {"total_abandoned_count", q.totals.abandoned},
          {"tm_create", sdk::shown(q.created)},
          {"tm_update", sdk::shown(q.updated)}};
}

json caller_view(const queue& q, const queue_caller& c) {
  json offers = json::array();
  for (const auto& one : c.offers)
    offers.push_back({{"offer_id", one.id}, {"agent_id", one.agent_id}, {"agent_call_id", one.call_id}});
  const bool asked = c.agent_id.empty() && !c.offers.empty();
  return {{"id", c.id},
          {"customer_id", q.customer_id},
          {"queue_id", q.id},
          {"call_id", c.call_id},
          {"status", queuecall_status(c.phase)},
          {"phase", sdk::text(c.phase)},
          {"priority", c.priority},
          {"skills", c.skills},
          {"agent_id", asked ? c.offers.front().agent_id : c.agent_id},
          {"agent_call_id", asked ? c.offers.front().call_id : c.agent_call_id},
          {"offers", std::move(offers)},
          {"conference_id", c.conference_id},
          {"callback", c.is_virtual()},
          {"attempts", c.attempts},
          {"tm_create", sdk::shown(c.joined)},
          {"tm_service", sdk::shown(c.connected)}};
}

json stats(const queue& q, time_point now) {
  milliseconds longest{0};
  std::size_t waiting = 0, active = 0;
  for (const auto& c : q.callers) {
    active += c.phase == caller_phase::service ? 1 : 0;
    if (!is_waiting(c.phase))
      continue;
    ++waiting;
    longest = std::max(longest, now - c.joined);
  }
  const auto& t = q.totals;
  const auto working = static_cast<std::size_t>(std::count_if(q.agents.begin(), q.agents.end(), is_working));
  const auto part = [](std::uint64_t some, std::uint64_t all) {
    return all == 0 ? json() : json(static_cast<double>(some) / static_cast<double>(all));
  };
  const auto next_wait = estimated_wait(waiting + 1, t, working);
  return {{"waiting", waiting},
          {"active", active},
          {"agents_working", working},
          {"service_level", part(t.answered_in_time, t.answered + t.abandoned)},
          {"abandon_rate", part(t.abandoned, t.answered + t.abandoned)},
          {"asa_ms", t.answered == 0 ? json() : json(t.answer_wait.count() / static_cast<std::int64_t>(t.answered))},
          {"estimated_wait_ms", next_wait ? json(*next_wait) : json()},
          {"longest_wait_ms", longest},
          {"total_incoming", t.incoming},
          {"total_answered", t.answered},
          {"total_answered_in_time", t.answered_in_time},
          {"total_serviced", t.serviced},
          {"total_abandoned", t.abandoned},
          {"total_overflowed", t.overflowed},
          {"total_callbacks", t.callbacks},
          {"total_answer_wait_ms", t.answer_wait},
          {"total_talk_ms", t.talk}};
}

namespace {

constexpr std::size_t passed_over_shown = 10;

std::string missing_skill(const queue_agent& agent, const skill_levels& required) {
  for (const auto& [name, level] : required) {
    const auto found = agent.skills.find(name);
    if (found == agent.skills.end() || found->second < level)
      return name + " " + std::to_string(found == agent.skills.end() ? 0 : found->second) + " < " +
             std::to_string(level);
  }
  return {};
}

/// What the method looks at.
json rank_of(routing_method method, const queue_agent& agent, time_point now) {
  json shown{{"agent_id", agent.agent_id}, {"penalty", agent.penalty}};
  switch (method) {
  case routing_method::longest_idle:
    shown["idle_ms"] = now - agent.since;
    break;
  case routing_method::fewest_calls:
    shown["calls"] = agent.calls;
    break;
  case routing_method::least_talk_time:
    shown["talk_ms"] = agent.talk_time;
    break;
  case routing_method::round_robin:
  case routing_method::linear:
  case routing_method::ring_all:
    shown["order"] = agent.place.order;
    shown["number"] = agent.place.number;
    break;
  case routing_method::random:
  case routing_method::weighted_random:
    break;
  }
  return shown;
}

} // namespace

json decision(const queue& q, const queue_caller& c, const std::vector<std::size_t>& chosen, time_point now) {
  const auto waited = now - c.joined;
  const auto required = relaxed(levels_of(c.skills), q.relaxation, waited);
  const auto engaged = engaged_agents(q.callers);
  json agents = json::array(), able = json::array(), unable = json::array(), callers = json::array();
  std::size_t more = 0;
  for (const auto at : chosen)
    agents.push_back(rank_of(q.routing, q.agents[at], now));
  const auto pass_over = [&](json& list, json shown, std::string why) {
    if (list.size() >= passed_over_shown)
      return static_cast<void>(++more);
    shown["why"] = std::move(why);
    list.push_back(std::move(shown));
  };
  for (std::size_t i = 0; i < q.agents.size(); ++i) {
    const auto& one = q.agents[i];
    if (std::find(chosen.begin(), chosen.end(), i) != chosen.end())
      continue;
    const json name{{"agent_id", one.agent_id}};
    if (engaged.contains(one.agent_id))
      pass_over(unable, name, "engaged by another caller of this queue");
    else if (one.free <= 0)
      pass_over(unable, name, one.status == "available" ? "resting" : one.status);
    else if (!has_tag(q.tag_ids, one.tag_ids))
      pass_over(unable, name, "none of the queue's tags");
    else if (const auto lacks = missing_skill(one, required); !lacks.empty())
      pass_over(unable, name, "skill " + lacks);
    else if (std::find(c.tried.begin(), c.tried.end(), one.agent_id) != c.tried.end())
      pass_over(able, rank_of(q.routing, one, now), "asked for this caller before");
    else
      pass_over(able, rank_of(q.routing, one, now), "comes later by " + std::string{sdk::text(q.routing)});
  }
  for (auto& one : unable)
    able.push_back(std::move(one));
  const auto mine = place_of(standing_of(c), q.ageing);
  for (const auto& one : q.callers) {
    const bool earlier = one.id != c.id && is_in_line(q, one, now) && place_of(standing_of(one), q.ageing) < mine;
    if (earlier && callers.size() < passed_over_shown)
      callers.push_back({{"queuecall_id", one.id}, {"why", "nobody free has the skills"}});
  }
  return {{"tm", sdk::shown(now)},
          {"queuecall_id", c.id},
          {"call_id", c.call_id},
          {"agent_id", chosen.empty() ? "" : q.agents[chosen.front()].agent_id},
          {"routing_method", sdk::text(q.routing)},
          {"position", position_of(c, q.callers, q.ageing)},
          {"priority", c.priority},
          {"waited_ms", waited},
          {"required_skills", std::map<std::string, int>(required.begin(), required.end())},
          {"last_asked", {{"order", q.last_asked.order}, {"number", q.last_asked.number}}},
          {"chosen", std::move(agents)},
          {"passed_over", std::move(able)},
          {"passed_over_more", more},
          {"callers_passed_over", std::move(callers)}};
}

} // namespace switchboard::telephony::queues
