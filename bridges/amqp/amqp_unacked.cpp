#include "bridges/amqp/amqp_unacked.hpp"

#include <algorithm>
#include <utility>

namespace switchboard::amqp {

namespace {

/// Settled places that may stand among those still out.
constexpr std::size_t gaps_max = 64;

} // namespace

std::uint64_t unacked::add(consumer* from, broker::delivery_number number) {
  const auto tag = next_tag_++;
  if (from) {
    slots_.push_back({tag, from, number, 0});
    ++out_;
  }
  return tag;
}

template <class Act>
bool unacked::each_out(std::uint64_t tag, bool multiple, Act&& act) {
  const auto is_out = [](const slot& at) { return at.from && at.held == 0; };
  auto last = slots_.end();
  if (tag != 0 || !multiple) {
    if (slots_.empty() || tag < slots_.front().tag || tag >= next_tag_)
      return false;
    last = find(tag);
    if (last == slots_.end() || last->tag != tag || !is_out(*last))
      return false;
    if (!multiple) {
      act(*last);
      return true;
    }
    ++last;
  }
  for (auto at = slots_.begin(); at != last; ++at)
    if (is_out(*at))
      act(*at);
  return true;
}

bool unacked::take(std::uint64_t tag, bool multiple, std::vector<settled_range>& out) {
  const bool known = each_out(tag, multiple, [&](slot& at) { take_slot(at, out); });
  drop_settled();
  return known;
}

void unacked::take_all(std::vector<settled_range>& out) { take(0, true, out); }

bool unacked::hold(std::uint64_t tag, bool multiple, std::uint32_t number) {
  return each_out(tag, multiple, [&](slot& at) {
    at.held = last_held_ = number;
    --out_;
    ++held_;
  });
}

void unacked::give_back_held() {
  for (auto& at : slots_)
    at.held = 0;
  out_ += std::exchange(held_, 0);
  last_held_ = 0;
}

bool unacked::overdue(std::chrono::steady_clock::time_point now, std::chrono::milliseconds limit) {
  while (!looks_.empty() && (out_ == 0 || looks_.front().last_tag < slots_.front().tag))
    looks_.pop_front();
  if (out_ > 0 && (looks_.empty() || looks_.back().last_tag != next_tag_ - 1))
    looks_.push_back({now, next_tag_ - 1});
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
  append(at, out);
  at.from = nullptr;
  --out_;
}

void unacked::append(const slot& at, std::vector<settled_range>& out) {
  if (!out.empty() && out.back().from == at.from && out.back().last + 1 == at.number)
    out.back().last = at.number;
  else
    out.push_back({at.from, at.number, at.number});
}

void unacked::drop_settled() {
  while (!slots_.empty() && !slots_.front().from)
    slots_.pop_front();
  // One message that is never settled must not keep the places of all that come after it.
  if (slots_.size() > 2 * size() + gaps_max)
    std::erase_if(slots_, [](const slot& at) { return !at.from; });
}

} // namespace switchboard::amqp
