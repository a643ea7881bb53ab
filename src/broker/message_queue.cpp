#include "broker/message_queue.hpp"

#include <algorithm>

namespace switchboard::broker {

namespace {

/// Settled places that may stand among those still out.
constexpr std::size_t gaps_max = 64;

constexpr auto by_sequence = [](const auto& a, const auto& b) { return a.sequence < b.sequence; };

} // namespace

void message_queue::enqueue(queued item) {
  ready_bytes_ += item.message->footprint();
  ready_.push_back({std::move(item.message), item.at, next_sequence_++, item.redelivered});
}

bool message_queue::may_add(bool exclusive) const noexcept { return !exclusive_ && (!exclusive || active_ == 0); }

message_queue::consumer_id message_queue::add(consumer_options options) {
  auto made = std::make_unique<consumer>();
  made->id = next_id_++;
  made->options = options;
  auto& who = *made;
  consumers_.emplace(who.id, std::move(made));
  if (!options.passive) {
    ++active_;
    exclusive_ = options.exclusive;
    make_wait(who);
  }
  return who.id;
}

bool message_queue::stop(consumer_id id) {
  auto found = consumers_.find(id);
  if (found == consumers_.end() || found->second->stopped)
    return false;
  auto& who = *found->second;
  who.stopped = true;
  const bool last = !who.options.passive && --active_ == 0;
  if (who.options.exclusive)
    exclusive_ = false;
  erase_if_spent(who);
  return last;
}

bool message_queue::release(consumer_id id) {
  auto found = consumers_.find(id);
  if (found == consumers_.end())
    return false;
  auto& who = *found->second;
  std::vector<entry> returned;
  for (auto& item : who.out)
    if (item.message)
      returned.push_back(std::move(item));
  unacked_ -= who.unsettled;
  who.unsettled = 0;
  who.out.clear();
  put_back(std::move(returned));
  if (who.stopped) {
    erase_if_spent(who);
    return false;
  }
  return stop(id);
}

void message_queue::settle(consumer_id id, delivery_number first, delivery_number last, verdict what,
                           std::vector<position>& done) {
  auto found = consumers_.find(id);
  if (found == consumers_.end())
    return;
  auto& who = *found->second;
  std::vector<entry> returned;
  for (auto at = find_out(who, first); at != who.out.end() && at->number <= last; ++at) {
    auto& item = *at;
    if (!item.message)
      continue;
    --who.unsettled;
    --unacked_;
    if (what == verdict::requeue)
      returned.push_back(item);
    else if (item.at && what != verdict::settled)
      done.push_back(item.at);
    item.message = {};
  }
  drop_settled(who);
  put_back(std::move(returned));
  if (who.stopped)
    erase_if_spent(who);
  else
    make_wait(who);
}

void message_queue::grant(consumer_id id, std::size_t messages, std::size_t bytes) {
  auto found = consumers_.find(id);
  if (found == consumers_.end())
    return;
  auto& who = *found->second;
  who.link_messages -= std::min(messages, who.link_messages);
  who.link_bytes -= std::min(bytes, who.link_bytes);
  make_wait(who);
}

std::optional<std::pair<delivery_number, queued>> message_queue::get(consumer_id id, bool no_ack,
                                                                     std::vector<position>& done) {
  auto found = consumers_.find(id);
  if (found == consumers_.end() || ready_.empty())
    return std::nullopt;
  auto& who = *found->second;
  auto item = pop_ready();
  queued copy{item.message, item.at, item.redelivered};
  const auto number = hand_to(who, std::move(item), done);
  who.link_messages = who.link_bytes = 0; // a get is answered, not streamed
  if (no_ack)
    settle(id, number, number, verdict::ack, done);
  return std::pair{number, std::move(copy)};
}

std::uint64_t message_queue::purge(std::vector<position>& done) {
  const auto count = ready_.size();
  for (const auto& item : ready_)
    if (item.at)
      done.push_back(item.at);
  ready_.clear();
  ready_bytes_ = 0;
  return count;
}

bool message_queue::can_take(const consumer& who) const noexcept {
  return !who.stopped && !who.options.passive && (who.options.prefetch == 0 || who.unsettled < who.options.prefetch) &&
         who.link_messages < link_messages_max && who.link_bytes < link_bytes_max;
}

void message_queue::make_wait(consumer& who) {
  if (who.waiting || !can_take(who))
    return;
  who.waiting = true;
  waiting_[who.options.priority].push_back(&who);
}

message_queue::consumer* message_queue::next_consumer() {
  for (auto level = waiting_.begin(); level != waiting_.end();) {
    auto& line = level->second;
    while (!line.empty()) {
      auto* who = line.front();
      line.pop_front();
      who->waiting = false;
      if (can_take(*who))
        return who;
    }
    level = waiting_.erase(level);
  }
  return nullptr;
}

message_queue::entry message_queue::pop_ready() {
  auto item = std::move(ready_.front());
  ready_.pop_front();
  ready_bytes_ -= item.message->footprint();
  return item;
}

delivery_number message_queue::hand_to(consumer& who, entry item, std::vector<position>& done) {
  const auto number = who.next_number++;
  ++who.link_messages;
  who.link_bytes += item.message->footprint();
  if (who.options.no_ack) {
    if (item.at)
      done.push_back(item.at);
  } else {
    ++who.unsettled;
    ++unacked_;
    item.number = number;
    who.out.push_back(std::move(item));
  }
  make_wait(who);
  return number;
}

void message_queue::put_back(std::vector<entry> returned) {
  if (returned.empty())
    return;
  std::sort(returned.begin(), returned.end(), by_sequence);
  for (auto& item : returned) {
    item.redelivered = true;
    ready_bytes_ += item.message->footprint();
  }
  const auto middle = static_cast<std::ptrdiff_t>(returned.size());
  ready_.insert(ready_.begin(), std::make_move_iterator(returned.begin()), std::make_move_iterator(returned.end()));
  const auto tail = ready_.begin() + middle;
  // Only what is older than something returned has to move; usually nothing is.
  if (tail != ready_.end() && by_sequence(*tail, *(tail - 1))) {
    const auto end = std::lower_bound(tail, ready_.end(), *(tail - 1), by_sequence);
    std::inplace_merge(ready_.begin(), tail, end, by_sequence);
  }
}

/// The first that is out under that number or a higher one. By subtraction as long as nothing between was closed up.
std::deque<message_queue::entry>::iterator message_queue::find_out(consumer& who, delivery_number first) {
  auto& out = who.out;
  if (out.empty() || first <= out.front().number)
    return out.begin();
  if (const auto index = first - out.front().number; index < out.size() && out[index].number == first)
    return out.begin() + static_cast<std::ptrdiff_t>(index);
  return std::lower_bound(out.begin(), out.end(), first,
                          [](const entry& item, delivery_number number) { return item.number < number; });
}

void message_queue::drop_settled(consumer& who) {
  while (!who.out.empty() && !who.out.front().message)
    who.out.pop_front();
  // One message that is never settled must not keep the places of all that come after it.
  if (who.out.size() > 2 * who.unsettled + gaps_max)
    std::erase_if(who.out, [](const entry& item) { return !item.message; });
}

void message_queue::erase_if_spent(consumer& who) {
  if (!who.out.empty())
    return;
  if (who.waiting)
    std::erase(waiting_[who.options.priority], &who);
  consumers_.erase(who.id);
}

} // namespace switchboard::broker
