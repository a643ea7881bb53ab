#include "runtime/timer_table.hpp"

#include <algorithm>

namespace switchboard::runtime {

namespace {

std::string address_of(const std::string& type, const std::string& id) { return type + "/" + id; }

} // namespace

timer_token timer_table::next_token() { return ++tokens_; }

bool timer_table::arm(armed_timer timer) {
  const auto entity = address_of(timer.type, timer.id);
  const std::lock_guard hold{mutex_};
  const auto siblings = of_entity_.find(entity);
  if (siblings != of_entity_.end()) {
    const auto same = std::find_if(siblings->second.begin(), siblings->second.end(),
                                   [&](timer_token one) { return timers_.find(one)->second.timer.name == timer.name; });
    if (same != siblings->second.end())
      forget(timers_.find(*same));
  }
  const auto token = timer.token;
  of_entity_[entity].push_back(token);
  const auto at = due_.emplace(timer.due, token).first;
  timers_.insert_or_assign(token, entry{std::move(timer), false});
  return at == due_.begin();
}

void timer_table::disarm(const std::string& type, const std::string& id, const std::string& name, timer_token token) {
  const std::lock_guard hold{mutex_};
  const auto found = timers_.find(token);
  if (found == timers_.end())
    return;
  const auto& timer = found->second.timer;
  if (timer.name == name && timer.id == id && timer.type == type)
    forget(found);
}

std::vector<armed_timer> timer_table::take_due(time_point now) {
  const std::lock_guard hold{mutex_};
  std::vector<armed_timer> fired;
  while (!due_.empty() && due_.begin()->first <= now) {
    auto& entry = timers_.find(due_.begin()->second)->second;
    entry.fired = true;
    fired.push_back(entry.timer);
    due_.erase(due_.begin());
  }
  return fired;
}

std::optional<time_point> timer_table::next_due() const {
  const std::lock_guard hold{mutex_};
  if (due_.empty())
    return std::nullopt;
  return due_.begin()->first;
}

std::vector<std::pair<std::string, timer_token>> timer_table::of(const std::string& type, const std::string& id) const {
  const auto entity = address_of(type, id);
  const std::lock_guard hold{mutex_};
  std::vector<std::pair<std::string, timer_token>> all;
  if (const auto found = of_entity_.find(entity); found != of_entity_.end())
    for (const auto token : found->second)
      all.emplace_back(timers_.find(token)->second.timer.name, token);
  return all;
}

std::size_t timer_table::size() const {
  const std::lock_guard hold{mutex_};
  return timers_.size();
}

void timer_table::forget(entries::iterator at) {
  const auto& [timer, fired] = at->second;
  if (!fired)
    due_.erase({timer.due, timer.token});
  const auto siblings = of_entity_.find(address_of(timer.type, timer.id));
  if (std::erase(siblings->second, timer.token); siblings->second.empty())
    of_entity_.erase(siblings);
  timers_.erase(at);
}

} // namespace switchboard::runtime
