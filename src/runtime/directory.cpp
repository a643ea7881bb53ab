#include "runtime/directory.hpp"

#include <algorithm>

namespace switchboard::runtime {

actor_row make_row(std::string path, std::string kind, const actor_counts& counts) {
  return {std::move(path),
          std::move(kind),
          counts.started,
          counts.handled.load(std::memory_order_relaxed),
          counts.mailbox.load(std::memory_order_relaxed),
          counts.restarts.load(std::memory_order_relaxed)};
}

std::shared_ptr<actor_card> directory::enter(std::string path, std::string kind, time_point now) {
  auto card = std::make_shared<actor_card>();
  card->kind = std::move(kind);
  card->started = now;
  const std::lock_guard hold{mutex_};
  sweep();
  auto name = path;
  for (int copy = 2; !cards_[name].expired(); ++copy)
    name = path + "#" + std::to_string(copy);
  card->path = name;
  cards_[name] = card;
  return card;
}

void directory::enter(const actor_crowd& crowd) {
  const std::lock_guard hold{crowds_mutex_};
  crowds_.push_back(&crowd);
}

void directory::leave(const actor_crowd& crowd) {
  const std::lock_guard hold{crowds_mutex_};
  std::erase(crowds_, &crowd);
}

std::vector<actor_row> directory::list(std::string_view prefix, std::size_t limit) const {
  std::vector<actor_row> rows;
  {
    const std::lock_guard hold{mutex_};
    for (const auto& [path, weak] : cards_)
      if (path.starts_with(prefix))
        if (const auto card = weak.lock())
          rows.push_back(make_row(card->path, card->kind, *card));
  }
  {
    const std::lock_guard hold{crowds_mutex_};
    for (const auto* crowd : crowds_)
      crowd->list(prefix, rows);
  }
  const auto shown = rows.begin() + static_cast<std::ptrdiff_t>(std::min(limit, rows.size()));
  std::partial_sort(rows.begin(), shown, rows.end(),
                    [](const actor_row& a, const actor_row& b) { return a.path < b.path; });
  rows.erase(shown, rows.end());
  return rows;
}

std::size_t directory::size() const {
  std::size_t count = 0;
  {
    const std::lock_guard hold{mutex_};
    for (const auto& [path, weak] : cards_)
      count += weak.expired() ? 0 : 1;
  }
  const std::lock_guard hold{crowds_mutex_};
  for (const auto* crowd : crowds_)
    count += crowd->size();
  return count;
}

std::map<std::string, directory::total> directory::totals() const {
  std::map<std::string, total> sums;
  const auto add = [&](std::string_view kind, std::size_t actors, std::int64_t mailbox) {
    auto& sum = sums[std::string{kind}];
    sum.actors += actors;
    sum.mailbox += mailbox;
  };
  {
    const std::lock_guard hold{mutex_};
    for (const auto& [path, weak] : cards_)
      if (const auto card = weak.lock())
        add(card->kind, 1, card->mailbox.load(std::memory_order_relaxed));
  }
  const std::lock_guard hold{crowds_mutex_};
  for (const auto* crowd : crowds_)
    if (const auto count = crowd->size())
      add(crowd->kind(), count, crowd->mailbox());
  return sums;
}

void directory::sweep() {
  // Amortised: the table is looked through once it has doubled, so each entry costs O(1).
  if (cards_.size() < sweep_at_)
    return;
  std::erase_if(cards_, [](const auto& entry) { return entry.second.expired(); });
  sweep_at_ = std::max<std::size_t>(sweep_least, 2 * cards_.size());
}

} // namespace switchboard::runtime
