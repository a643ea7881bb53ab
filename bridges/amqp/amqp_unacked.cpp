#include "bridges/amqp/amqp_unacked.hpp"

#include <algorithm>

namespace switchboard::amqp {

namespace {

/// Settled places that may stand among those still out.
constexpr std::size_t gaps_max = 64;

} // namespace

std::uint64_t unacked::add(consumer* from, broker::delivery_number number) {
  const auto tag = next_tag_++;
  if (from) {
    slots_.push_back({tag, from, number});
    ++out_;
  }
  return tag;
}

bool unacked::knows(std::uint64_t tag, bool multiple) {
  if (tag == 0 && multiple)
    return true;
  if (slots_.empty() || tag < slots_.front().tag || tag >= next_tag_)
    return false;
  const auto found = find(tag);
  return multiple || (found != slots_.end() && found->tag == tag && found->from);
}

bool unacked::take(std::uint64_t tag, bool multiple, std::vector<settled_range>& out) {
  if (tag == 0 && multiple) {
    take_all(out);
    return true;
  }
  if (!knows(tag, multiple))
    return false;
  if (!multiple) {
    take_slot(*find(tag), out);
  } else {
    for (auto at = slots_.begin(); at != slots_.end() && at->tag <= tag; ++at)
      take_slot(*at, out);
  }
  drop_settled();
  return true;
}

void unacked::take_all(std::vector<settled_range>& out) {
  for (auto& at : slots_)
    take_slot(at, out);
  drop_settled();
}

bool unacked::overdue(std::chrono::steady_clock::time_point now, std::chrono::milliseconds limit) {
  while (!looks_.empty() && (out_ == 0 || looks_.front().last_tag < slots_.front().tag))
    looks_.pop_front();
  if (out_ > 0 && (looks_.empty() || looks_.back().last_tag != last_tag()))
    looks_.push_back({now, last_tag()});
  return !looks_.empty() && now - looks_.front().at >= limit;
}

/// The first of that tag or a higher one. By subtraction as long as nothing between was closed up.
std::deque<unacked::slot>::iterator unacked::find(std::uint64_t tag) {
  if (const auto index = tag - slots_.front().tag; index < slots_.size() && slots_[index].tag == tag)
    return slots_.begin() + static_cast<std::ptrdiff_t>(index);
  return std::lower_bound(slots_.begin(), slots_.end(), tag,
                          [](const slot& at, std::uint64_t wanted) { return at.tag < wanted; });
}

void unacked::take_slot(slot& at, std::vector<settled_range>& out) {
  if (!at.from)
    return;
  if (!out.empty() && out.back().from == at.from && out.back().last + 1 == at.number)
    out.back().last = at.number;
  else
    out.push_back({at.from, at.number, at.number});
  at.from = nullptr;
  --out_;
}

void unacked::drop_settled() {
  while (!slots_.empty() && !slots_.front().from)
    slots_.pop_front();
  // One message that is never settled must not keep the places of all that come after it.
  if (slots_.size() > 2 * out_ + gaps_max)
    std::erase_if(slots_, [](const slot& at) { return !at.from; });
}

} // namespace switchboard::amqp
