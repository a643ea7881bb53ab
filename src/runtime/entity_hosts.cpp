#include "runtime/entity_hosts.hpp"

#include <caf/send.hpp>

#include "runtime/entity_host.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

/// A timer that came due, as work for its entity.
entity_work_ptr timer_work(const armed_timer& fired) {
  auto work = std::make_shared<entity_work>();
  work->what.kind = SB_TIMER;
  work->what.message_id = "timer-" + fired.name + "-" + std::to_string(fired.due.time_since_epoch().count());
  work->what.name = fired.name;
  work->what.body = fired.payload;
  work->timer = fired.token;
  return work;
}

} // namespace

entity_hosts::entity_hosts(node_context& node, std::shared_ptr<store::environment> store, entity_limits limits)
    : node_(node), store_(std::move(store)), limits_(limits), timers_(node, [this](armed_timer fired) {
        if (!tell(fired.type, fired.id, timer_work(fired)) && !closed_)
          log::warning("timer_without_type", {{"type", fired.type}, {"id", fired.id}, {"timer", fired.name}});
      }) {}

entity_hosts::~entity_hosts() { close(); }

void entity_hosts::add_type(hosted_type type) {
  std::string name{type.abi->type};
  types_.emplace(std::move(name), std::move(type));
}

const hosted_type* entity_hosts::find_type(const std::string& type) const {
  const auto found = types_.find(type);
  return found == types_.end() ? nullptr : &found->second;
}

std::vector<const hosted_type*> entity_hosts::types() const {
  std::vector<const hosted_type*> all;
  for (const auto& [name, type] : types_)
    all.push_back(&type);
  return all;
}

bool entity_hosts::tell(const std::string& type, const std::string& id, const entity_work_ptr& work) {
  const auto* hosted = find_type(type);
  if (!hosted)
    return false;
  const address at{type, id};
  auto& home = shard_of(at);
  // Sending under the lock is what makes retire() safe: no message can be on its way that was not counted.
  const std::lock_guard hold{home.mutex};
  if (closed_)
    return false;
  auto& entry = home.entries[at];
  if (!entry.host) {
    alive_.fetch_add(1, std::memory_order_acq_rel);
    entry.host = spawn_entity_host(*this, *hosted, id);
  }
  ++entry.told;
  busy_.fetch_add(1, std::memory_order_acq_rel);
  // Requests may be refused when there are too many: who sent them is told. Timers, events and messages between
  // entities are promises already made, in an order, so they travel in the lane that is never refused; a subscriber's
  // prefetch bounds the events.
  if (work->what.kind == SB_REQUEST)
    caf::anon_send(entry.host, do_work{work});
  else
    caf::anon_send<caf::message_priority::high>(entry.host, do_work{work});
  return true;
}

void entity_hosts::ask_idle_to_leave() {
  for (auto& home : shards_) {
    const std::lock_guard hold{home.mutex};
    for (auto& [at, entry] : home.entries) {
      if (entry.told == entry.told_before)
        caf::anon_send<caf::message_priority::high>(entry.host, leave_if_idle{});
      entry.told_before = entry.told;
    }
  }
}

bool entity_hosts::retire(const std::string& type, const std::string& id, std::uint64_t taken) {
  const address at{type, id};
  auto& home = shard_of(at);
  const std::lock_guard hold{home.mutex};
  const auto found = home.entries.find(at);
  if (found == home.entries.end())
    return true;
  if (found->second.told != taken)
    return false;
  home.entries.erase(found);
  return true;
}

void entity_hosts::ended(const std::string& type, const std::string& id, caf::actor_id who, std::uint64_t done) {
  const address at{type, id};
  auto& home = shard_of(at);
  {
    const std::lock_guard hold{home.mutex};
    const auto found = home.entries.find(at);
    if (found != home.entries.end() && found->second.host.id() == who) {
      finished(found->second.told - done);
      home.entries.erase(found);
    }
  }
  alive_.fetch_sub(1, std::memory_order_acq_rel); // last: who waits for 0 may destroy us
}

void entity_hosts::put_aside(const caf::actor& host, bool any) {
  const std::lock_guard hold{aside_mutex_};
  if (any)
    aside_.emplace(host.id(), host);
  else
    aside_.erase(host.id());
}

void entity_hosts::give_back() {
  const std::lock_guard hold{aside_mutex_};
  for (const auto& [id, host] : aside_)
    caf::anon_send<caf::message_priority::high>(host, give_back_work{});
}

std::size_t entity_hosts::size() const {
  std::size_t count = 0;
  for (const auto& home : shards_) {
    const std::lock_guard hold{home.mutex};
    count += home.entries.size();
  }
  return count;
}

void entity_hosts::close() {
  closed_ = true;
  {
    const std::lock_guard hold{aside_mutex_};
    aside_.clear();
  }
  for (auto& home : shards_) {
    const std::lock_guard hold{home.mutex};
    for (auto& [at, entry] : home.entries)
      caf::anon_send_exit(entry.host, caf::exit_reason::user_shutdown);
    home.entries.clear();
  }
}

} // namespace switchboard::runtime
