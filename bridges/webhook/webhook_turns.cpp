#include "bridges/webhook/webhook_turns.hpp"

#include <algorithm>

namespace switchboard::webhook {

void turns::join(ticket who, std::string origin) { waiting_.push_back({who, std::move(origin)}); }

bool turns::leave(ticket who) {
  const auto waits = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& each) { return each.who == who; });
  if (waits != waiting_.end())
    return waiting_.erase(waits), true;
  const auto held = std::find_if(held_.begin(), held_.end(), [&](const auto& each) { return each.second.who == who; });
  return held != held_.end() && (held_.erase(held), true);
}

std::optional<turns::ticket> turns::next(clock_time now) {
  release_due(now);
  while (under_way_.size() < at_once_max_ && !waiting_.empty()) {
    auto first = std::move(waiting_.front());
    waiting_.pop_front();
    const auto found = broken_.find(first.origin);
    const auto may = found == broken_.end() ? circuit_breaker::leave::normal : found->second.ask(now);
    if (may == circuit_breaker::leave::refused) {
      held_.emplace(now + found->second.left(now), std::move(first));
      continue;
    }
    under_way_.emplace(first.who, running{std::move(first.origin), may});
    return first.who;
  }
  return std::nullopt;
}

void turns::over(ticket who, bool answered, clock_time now, std::uint64_t random) {
  const auto ended = under_way_.extract(who);
  if (!ended)
    return;
  const auto& [origin, under] = ended.mapped();
  if (!answered) {
    broken_.try_emplace(origin, limits_).first->second.timed_out(under, now, random);
  } else if (broken_.erase(origin) > 0) {
    release(origin);
  }
}

void turns::not_asked(ticket who) {
  const auto ended = under_way_.extract(who);
  if (!ended || ended.mapped().under != circuit_breaker::leave::probe)
    return;
  if (const auto broken = broken_.find(ended.mapped().origin); broken != broken_.end())
    broken->second.probe_withdrawn();
}

std::optional<turns::clock_time> turns::next_look() const {
  if (held_.empty() || under_way_.size() >= at_once_max_)
    return std::nullopt;
  return held_.begin()->first;
}

std::size_t turns::open_circuits() const noexcept {
  return static_cast<std::size_t>(std::count_if(broken_.begin(), broken_.end(), [](const auto& each) {
    return each.second.now() != circuit_breaker::phase::closed;
  }));
}

void turns::release_due(clock_time now) {
  while (!held_.empty() && held_.begin()->first <= now) {
    waiting_.push_back(std::move(held_.begin()->second));
    held_.erase(held_.begin());
  }
}

void turns::release(const std::string& origin) {
  for (auto each = held_.begin(); each != held_.end();) {
    if (each->second.origin != origin) {
      ++each;
      continue;
    }
    waiting_.push_back(std::move(each->second));
    each = held_.erase(each);
  }
}

} // namespace switchboard::webhook
