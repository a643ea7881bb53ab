#include "runtime/timer_table.hpp"

#include <algorithm>

namespace switchboard::runtime {

namespace {

std::string address_of(const std::string& type, const std::string& id) { return type + "/" + id; }

} // namespace

timer_token timer_table::next_token() { return ++tokens_; }

bool timer_table::arm(armed_timer timer) {
  const auto address = address_of(timer.type, timer.id);
  const std::lock_guard hold{mutex_};
  if (const auto entity = of_entity_.find(address); entity != of_entity_.end()) {
    const auto same = std::find_if(entity->second.begin(), entity->second.end(),
                                   [&](timer_token one) { return timers_.find(one)->second.name == timer.name; });
    if (same != entity->second.end())
      forget(timers_.find(*same));
  }
  auto& entity = *of_entity_.try_emplace(address).first;
  entity.second.push_back(timer.token);
  timers_.insert_or_assign(timer.token,
                           entry{&entity, std::move(timer.name), std::move(timer.payload), timer.due, false});
  const auto at = due_.emplace(timer.due, timer.token).first;
  return at == due_.begin();
}

void timer_table::disarm(const std::string& type, const std::string& id, const std::string& name, timer_token token) {
  const std::lock_guard hold{mutex_};
  const auto found = timers_.find(token);
  if (found != timers_.end() && found->second.name == name && found->second.entity->first == address_of(type, id))
    forget(found);
}

/// No type has a slash in its name.
armed_timer timer_table::timer_of(const entries::value_type& of) const {
  const auto& [token, entry] = of;
  const auto& address = entry.entity->first;
  const auto slash = address.find('/');
  return {address.substr(0, slash), address.substr(slash + 1), entry.name, entry.payload, entry.due, token};
}

std::vector<armed_timer> timer_table::take_due(time_point now) {
  const std::lock_guard hold{mutex_};
  std::vector<armed_timer> fired;
  while (!due_.empty() && due_.begin()->first <= now) {
    auto& found = *timers_.find(due_.begin()->second);
    found.second.fired = true;
    fired.push_back(timer_of(found));
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
      all.emplace_back(timers_.find(token)->second.name, token);
  return all;
}

std::size_t timer_table::size() const {
  const std::lock_guard hold{mutex_};
  return timers_.size();
}

void timer_table::forget(entries::iterator at) {
  const auto& [token, entry] = *at;
  if (!entry.fired)
    due_.erase({entry.due, token});
  auto& siblings = entry.entity->second;
  if (std::erase(siblings, token); siblings.empty())
    of_entity_.erase(of_entity_.find(entry.entity->first));
  timers_.erase(at);
}

} // namespace switchboard::runtime
