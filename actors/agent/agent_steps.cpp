#include "actors/agent/agent_steps.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::telephony::agents {

namespace {

constexpr milliseconds pause_most_default = std::chrono::hours{12};
constexpr milliseconds no_answer_pause_default = std::chrono::minutes{1};
constexpr milliseconds fault_rest_default = std::chrono::seconds{1};
constexpr int no_answer_most_default = 3;

const slot* shown_slot(const agent& a) {
  const auto is = [&](slot_phase phase) {
    return std::find_if(a.slots.begin(), a.slots.end(), [&](const auto& one) { return one.phase == phase; });
  };
  for (const auto phase : {slot_phase::ringing, slot_phase::talking}) {
    if (const auto found = is(phase); found != a.slots.end())
      return &*found;
  }
  return nullptr;
}

std::string_view planned(const agent& a) {
  const bool talks =
      std::any_of(a.slots.begin(), a.slots.end(), [](const auto& one) { return one.phase == slot_phase::talking; });
  return talks && a.presence != agent_status::available ? sdk::text(a.presence) : std::string_view{};
}

} // namespace

json view(const agent& a) {
  const auto* reserved = shown_slot(a);
  json queue_ids = json::array(), calls = json::array();
  for (const auto& one : a.queues)
    queue_ids.push_back(one.queue_id);
  for (const auto& one : a.slots)
    calls.push_back({{"offer_id", one.offer_id},
                     {"queue_id", one.queue_id},
                     {"call_id", one.call_id},
                     {"channel", one.channel},
                     {"phase", sdk::text(one.phase)}});
  return {{"id", a.id},
          {"customer_id", a.customer_id},
          {"username", a.username},
          {"name", a.name},
          {"detail", a.detail},
          {"ring_method", a.ring_method},
          {"addresses", a.addresses},
          {"tag_ids", a.tag_ids},
          {"skills", a.skills},
          {"capacity", a.capacity},
          {"status", sdk::text(a.status)},
          {"next_status", planned(a)},
          {"pause_reason", a.pause_reason},
          {"queue_id", reserved ? reserved->queue_id : ""},
          {"call_id", reserved ? reserved->call_id : ""},
          {"calls", std::move(calls)},
          {"queue_ids", std::move(queue_ids)},
          {"tm_status", sdk::shown(a.since)},
          {"tm_paused_until", sdk::shown(a.paused_until)},
          {"tm_create", sdk::shown(a.created)},
          {"tm_update", sdk::shown(a.updated)}};
}

json event_data(const agent& a) {
  const auto* reserved = shown_slot(a);
  return {{"id", a.id},
          {"agent_id", a.id},
          {"customer_id", a.customer_id},
          {"name", a.name},
          {"status", sdk::text(a.status)},
          {"pause_reason", a.pause_reason},
          {"queue_id", reserved ? reserved->queue_id : ""},
          {"call_id", reserved ? reserved->call_id : ""}};
}

json news(const agent& a, const context& ctx) {
  json free = json::object();
  for (const auto& [channel, most] : a.capacity)
    free[channel] = free_places(a.capacity, channel, a.presence, ctx.now() < a.resting_until, a.slots);
  json made{{"agent_id", a.id},
            {"status", sdk::text(a.status)},
            {"since", a.since},
            {"sequence", a.sequence},
            {"free", std::move(free)}};
  if (!a.tag_ids.empty())
    made["tag_ids"] = a.tag_ids;
  if (!a.skills.empty())
    made["skills"] = a.skills;
  return made;
}

slot* work::find(const std::string& offer_id) {
  const auto found =
      std::find_if(a.slots.begin(), a.slots.end(), [&](const auto& one) { return one.offer_id == offer_id; });
  return found == a.slots.end() ? nullptr : &*found;
}

bool work::on_queue_call() const {
  return std::any_of(a.slots.begin(), a.slots.end(), [](const auto& one) {
    return one.phase == slot_phase::ringing || one.phase == slot_phase::talking;
  });
}

void work::set_by_hand(agent_status wanted) {
  const auto effect = effect_of_setting(a.status, on_queue_call(), wanted);
  if (effect == when_set::never)
    return;
  if (effect == when_set::now_and_withdraw) {
    for (auto& one : a.slots) {
      if (one.phase != slot_phase::ringing)
        continue;
      withdraw(one, sdk::text(wanted));
      one.phase = slot_phase::returning; // its lease runs on
    }
  }
  if (effect == when_set::now || effect == when_set::now_and_withdraw) {
    std::vector<std::string> finished;
    for (const auto& one : a.slots) {
      if (one.phase == slot_phase::wrap_up)
        finished.push_back(one.offer_id);
    }
    for (const auto& one : finished)
      drop(one);
  }
  a.presence = effect == when_set::forget_the_plan ? agent_status::available : wanted;
  a.no_answers = 0;
  if (a.presence != agent_status::paused) {
    a.pause_reason.clear();
    a.paused_until = {};
    out.cancel("pause");
  }
}

void work::pause(std::string reason, milliseconds how_long, bool back) {
  const auto most = ctx.setting("pause_most_ms", pause_most_default);
  a.back_by_itself = back && how_long > milliseconds{0};
  if (how_long <= milliseconds{0} || how_long > most)
    how_long = most;
  a.pause_reason = std::move(reason);
  a.paused_until = ctx.now() + how_long;
  out.arm("pause", how_long);
}

void work::withdraw(const slot& one, std::string_view why) {
  out.send({"queue", one.queue_id}, "offer_withdrawn",
           {{"offer_id", one.offer_id}, {"epoch", one.epoch}, {"agent_id", a.id}, {"reason", why}});
}

void work::arm_lease(const slot& one, milliseconds how_long) {
  out.arm("lease:" + one.offer_id, how_long, {{"offer_id", one.offer_id}});
}

void work::drop(const std::string& offer_id) {
  out.cancel("lease:" + offer_id).cancel("wrap_up:" + offer_id);
  std::erase_if(a.slots, [&](const auto& one) { return one.offer_id == offer_id; });
}

void work::settle(const std::string& queue_id, std::uint64_t epoch) {
  for (auto& one : a.queues) {
    if (one.queue_id == queue_id)
      one.epoch = std::max(one.epoch, epoch);
  }
}

void work::charge_no_answer(const std::string& reason) {
  const no_answer_policy policy{
      static_cast<int>(ctx.setting("no_answer_most", milliseconds{no_answer_most_default}).count()),
      ctx.setting("no_answer_pause_ms", no_answer_pause_default), ctx.setting("no_answer_rest_ms", milliseconds{0}),
      ctx.setting("fault_rest_ms", fault_rest_default)};
  a.no_answers += reason == "noanswer" ? 1 : 0;
  const auto cost = cost_of(reason, a.no_answers, policy);
  if (cost.paused && a.presence == agent_status::available) {
    a.presence = agent_status::paused;
    a.no_answers = 0;
    pause("no_answer", policy.pause, true);
  } else if (cost.rest > milliseconds{0}) {
    a.resting_until = ctx.now() + cost.rest;
    out.arm("rest", cost.rest);
  }
}

result work::finish() && {
  const auto previous = a.status;
  a.status = status_of(a.presence, a.slots);
  if (a.status != previous) {
    a.since = a.updated = ctx.now();
    if (previous == agent_status::offline)
      out.event("agent.login", event_data(a));
    if (a.status == agent_status::offline)
      out.event("agent.logout", event_data(a));
    auto change = event_data(a);
    change["previous"] = sdk::text(previous);
    out.event("agent.status_change", std::move(change));
  }
  if (tell_all || news(a, ctx) != news_before) {
    ++a.sequence;
    const auto told = news(a, ctx);
    for (const auto& one : a.queues)
      out.send({"queue", one.queue_id}, "agent_status", told);
  }
  out.next(std::move(a));
  return std::move(out);
}

} // namespace switchboard::telephony::agents
