#include "runtime/entity_hosts.hpp"

#include <thread>

#include <caf/send.hpp>

#include "runtime/entity_host.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

// An entity is opened in some 10 us: a burst must not hold up the calls that have something to decide.
constexpr std::size_t move_burst = 500;
constexpr auto move_pause = std::chrono::milliseconds{10};
constexpr std::size_t kept_max = 20;

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
      }) {
  node_.directory.enter(*this);
}

entity_hosts::~entity_hosts() {
  node_.directory.leave(*this);
  close();
}

entity_hosts::entry& entity_hosts::find_or_start(shard& home, const key& at) {
  if (const auto found = home.entries.find(at); found != home.entries.end())
    return found->second;
  alive_.fetch_add(1, std::memory_order_acq_rel);
  auto live = spawn_entity_host(*this, *at.type, std::string{at.id});
  const key own{at.type, live.at->id};
  return home.entries.emplace(own, entry{std::move(live)}).first->second;
}

bool entity_hosts::tell(const std::string& type, const std::string& id, const entity_work_ptr& work) {
  auto* served = types_.find(type);
  if (!served)
    return false;
  const key at{served, id};
  auto& home = shard_of(at);
  // Sending under the lock is what makes retire() safe: no message can be on its way that was not counted.
  const std::lock_guard hold{home.mutex};
  if (closed_)
    return false;
  auto& entry = find_or_start(home, at);
  ++entry.told;
  busy_.fetch_add(1, std::memory_order_acq_rel);
  // Requests may be refused when there are too many: who sent them is told. Timers, events and messages between
  // entities are promises already made, in an order, so they travel in the lane that is never refused; a subscriber's
  // prefetch bounds the events.
  if (work->what.kind == SB_REQUEST)
    caf::anon_send(entry.live.host, do_work{work});
  else
    caf::anon_send<caf::message_priority::high>(entry.live.host, do_work{work});
  return true;
}

bool entity_hosts::may_exist(const std::string& type, const std::string& id) const {
  if (const auto* served = types_.find(type)) {
    const key at{served, id};
    const auto& home = shard_of(at);
    const std::lock_guard hold{home.mutex};
    if (home.entries.contains(at))
      return true;
  }
  const auto stored = store_->find_entity(type, id); // whoever leaves memory has all in the store
  return !stored || stored->has_value();
}

void entity_hosts::move_live(const served_type& type) {
  std::size_t sent = 0;
  for (auto& home : shards_) {
    std::vector<caf::actor> here;
    {
      const std::lock_guard hold{home.mutex};
      for (const auto& [at, entry] : home.entries)
        if (at.type == &type)
          here.push_back(entry.live.host);
    }
    for (const auto& host : here) {
      if (closed_)
        return;
      caf::anon_send<caf::message_priority::high>(host, move_over{});
      if (++sent % move_burst == 0)
        std::this_thread::sleep_for(move_pause);
    }
  }
}

void entity_hosts::move_stored(served_type& type, const std::string& id) {
  const key at{&type, id};
  auto& home = shard_of(at);
  const std::lock_guard hold{home.mutex};
  if (!closed_)
    caf::anon_send<caf::message_priority::high>(find_or_start(home, at).live.host, move_over{});
}

void entity_hosts::kept(kept_entity which) {
  const std::lock_guard hold{kept_mutex_};
  ++kept_count_;
  kept_.push_back(std::move(which));
  if (kept_.size() > kept_max)
    kept_.pop_front();
}

std::pair<std::vector<entity_hosts::kept_entity>, std::uint64_t> entity_hosts::kept() const {
  const std::lock_guard hold{kept_mutex_};
  return {{kept_.begin(), kept_.end()}, kept_count_};
}

void entity_hosts::ask_idle_to_leave() {
  for (auto& home : shards_) {
    const std::lock_guard hold{home.mutex};
    for (auto& [at, entry] : home.entries) {
      if (entry.told == entry.told_before)
        caf::anon_send<caf::message_priority::high>(entry.live.host, leave_if_idle{});
      entry.told_before = entry.told;
    }
  }
}

bool entity_hosts::retire(const entity_address& who, std::uint64_t taken) {
  const key at{&who.type, who.id};
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

void entity_hosts::ended(const entity_address& at, caf::actor_id who, std::uint64_t done,
                         const std::atomic<std::uint64_t>& refused) {
  auto& home = shard_of({&at.type, at.id});
  {
    const std::lock_guard hold{home.mutex};
    const auto found = home.entries.find({&at.type, at.id});
    if (found != home.entries.end() && found->second.live.host.id() == who) {
      finished(found->second.told - done - refused);
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

template <class Each>
void entity_hosts::each_entry(Each&& each) const {
  for (const auto& home : shards_) {
    const std::lock_guard hold{home.mutex};
    for (const auto& [at, entry] : home.entries)
      each(entry.live);
  }
}

std::int64_t entity_hosts::mailbox() const {
  std::int64_t sum = 0;
  each_entry([&](const live_entity& one) { sum += one.counts->mailbox.load(std::memory_order_relaxed); });
  return sum;
}

void entity_hosts::list(std::string_view prefix, std::vector<actor_row>& into) const {
  constexpr std::string_view ours = "/entities/";
  if (!prefix.starts_with(ours) && !ours.starts_with(prefix))
    return;
  each_entry([&](const live_entity& one) {
    if (auto path = one.at->path(); path.starts_with(prefix))
      into.push_back(make_row(std::move(path), "entity", *one.counts));
  });
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
      caf::anon_send_exit(entry.live.host, caf::exit_reason::user_shutdown);
  }
}

} // namespace switchboard::runtime
