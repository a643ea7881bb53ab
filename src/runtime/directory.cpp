#include "runtime/directory.hpp"

#include <algorithm>

namespace switchboard::runtime {

namespace {

directory::row row_of(const actor_card& card) {
  return {card.path,
          card.kind,
          card.started,
          card.handled.load(std::memory_order_relaxed),
          card.mailbox.load(std::memory_order_relaxed),
          card.restarts.load(std::memory_order_relaxed)};
}

} // namespace

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

std::vector<directory::row> directory::list(std::string_view prefix, std::size_t limit) const {
  std::vector<row> rows;
  {
    const std::lock_guard hold{mutex_};
    for (const auto& [path, weak] : cards_)
      if (path.starts_with(prefix))
        if (const auto card = weak.lock())
          rows.push_back(row_of(*card));
  }
  std::sort(rows.begin(), rows.end(), [](const row& a, const row& b) { return a.path < b.path; });
  if (rows.size() > limit)
    rows.resize(limit);
  return rows;
}

std::size_t directory::size() const {
  const std::lock_guard hold{mutex_};
  return static_cast<std::size_t>(
      std::count_if(cards_.begin(), cards_.end(), [](const auto& entry) { return !entry.second.expired(); }));
}

std::map<std::string, directory::total> directory::totals() const {
  std::map<std::string, total> sums;
  const std::lock_guard hold{mutex_};
  for (const auto& [path, weak] : cards_)
    if (const auto card = weak.lock()) {
      auto& sum = sums[card->kind];
      ++sum.actors;
      sum.mailbox += card->mailbox.load(std::memory_order_relaxed);
    }
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
