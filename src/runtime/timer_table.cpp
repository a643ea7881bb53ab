#include "runtime/timer_table.hpp"

namespace switchboard::runtime {

timer_token timer_table::next_token() {
  const std::lock_guard hold{mutex_};
  return ++tokens_;
}

bool timer_table::arm(armed_timer timer) {
  const std::lock_guard hold{mutex_};
  key name{timer.type, timer.id, timer.name};
  if (const auto old = timers_.find(name); old != timers_.end())
    forget_due(old->second);
  const auto at = due_.emplace(std::pair{timer.due, timer.token}, name).first;
  timers_[std::move(name)] = {std::move(timer), false};
  return at == due_.begin();
}

void timer_table::disarm(const std::string& type, const std::string& id, const std::string& name, timer_token token) {
  const std::lock_guard hold{mutex_};
  const auto found = timers_.find({type, id, name});
  if (found == timers_.end() || found->second.timer.token != token)
    return;
  forget_due(found->second);
  timers_.erase(found);
}

std::vector<armed_timer> timer_table::take_due(time_point now) {
  const std::lock_guard hold{mutex_};
  std::vector<armed_timer> fired;
  while (!due_.empty() && due_.begin()->first.first <= now) {
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
  return due_.begin()->first.first;
}

std::vector<std::pair<std::string, timer_token>> timer_table::of(const std::string& type, const std::string& id) const {
  const std::lock_guard hold{mutex_};
  std::vector<std::pair<std::string, timer_token>> found;
  for (auto at = timers_.lower_bound({type, id, {}});
       at != timers_.end() && std::get<0>(at->first) == type && std::get<1>(at->first) == id; ++at)
    found.emplace_back(at->second.timer.name, at->second.timer.token);
  return found;
}

std::size_t timer_table::size() const {
  const std::lock_guard hold{mutex_};
  return timers_.size();
}

void timer_table::forget_due(const entry& what) {
  if (!what.fired)
    due_.erase({what.timer.due, what.timer.token});
}

} // namespace switchboard::runtime
