// Groups of a message queue: order for each resource with many consumers. All of a call's events have its id as their
// group; they go to one consumer, one after the other, and an event that failed holds up its own group alone.
//
//   head --> another one of its group is out, waits or stands in a line? --> behind it (groups_)
//        '-> its consumer: by rendezvous of group and consumers, so that each group keeps its own while they stay
//              has room --> out            has none --> into its line, in order
#include "broker/message_queue.hpp"

#include <algorithm>

#include "base/random.hpp"
#include "broker/exchange_hash.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {

namespace {

constexpr std::string_view by_routing_key = "routing-key";

} // namespace

hash_input message_queue::group_input(const std::string& group_by) {
  field_table arguments;
  if (group_by != by_routing_key)
    arguments.set("hash-header", group_by);
  return hash_input{arguments};
}

std::uint64_t message_queue::group_of(const message& what) {
  std::string_view headers;
  if (carries_headers(what.properties()))
    if (const auto glance = glance_properties(what.properties()))
      headers = glance->headers;
  return group_input_.of(what.routing_key(), headers, &what, headers_);
}

void message_queue::take_group(const entry& item) {
  if (const auto group = group_of(*item.message))
    groups_[group];
}

void message_queue::hold_back(entry item) {
  ++held_count_;
  groups_[group_of(*item.message)].push_back(std::move(item));
}

message_queue::consumer* message_queue::place_in_group(entry& item) {
  const auto group = group_of(*item.message);
  if (is_busy(group))
    return hold_back(std::move(item)), nullptr;
  if (group == 0)
    if (auto* to = next_consumer())
      return to;
  auto* to = consumer_of_group(group != 0 ? group : item.sequence); // what is in no group is spread
  take_group(item);
  if (can_take(*to) && to->line.empty())
    return to;
  ++held_count_;
  to->line.push_back(std::move(item));
  return nullptr;
}

/// Precondition: somebody consumes.
message_queue::consumer* message_queue::consumer_of_group(std::uint64_t group) {
  consumer* best = nullptr;
  std::uint64_t highest = 0;
  for (const auto& [id, who] : consumers_) {
    if (who->stopped || who->options.passive || (how_.single_active_consumer && id != single_))
      continue;
    const auto draw = mix_bits(group ^ mix_bits(id));
    if (!best || draw > highest) {
      best = who.get();
      highest = draw;
    }
  }
  return best;
}

bool message_queue::next_of_line() {
  return held_count_ > 0 && std::any_of(consumers_.begin(), consumers_.end(), [this](const auto& each) {
           return !each.second->line.empty() && can_take(*each.second);
         });
}

/// Precondition: next_of_line().
std::pair<message_queue::consumer*, message_queue::entry> message_queue::take_of_line() {
  for (const auto& [id, who] : consumers_)
    if (!who->line.empty() && can_take(*who)) {
      auto item = std::move(who->line.front());
      who->line.pop_front();
      --held_count_;
      return {who.get(), std::move(item)};
    }
  return {};
}

void message_queue::leave_group(const entry& item) {
  const auto group = group_of(*item.message);
  auto found = group == 0 ? decltype(groups_.extract(group)){} : groups_.extract(group);
  if (!found)
    return;
  std::vector<entry> behind{std::make_move_iterator(found.mapped().begin()),
                            std::make_move_iterator(found.mapped().end())};
  make_ready_again(std::move(behind));
}

void message_queue::regroup() {
  if (held_count_ == 0)
    return;
  std::vector<entry> held;
  for (const auto& [id, who] : consumers_) {
    for (auto& item : who->line) {
      if (const auto group = group_of(*item.message)) // those behind it go on with it
        if (auto found = groups_.extract(group))
          held.insert(held.end(), std::make_move_iterator(found.mapped().begin()),
                      std::make_move_iterator(found.mapped().end()));
      held.push_back(std::move(item));
    }
    who->line.clear();
  }
  make_ready_again(std::move(held));
}

void message_queue::make_ready_again(std::vector<entry> held) {
  held_count_ -= held.size();
  std::sort(held.begin(), held.end(), [](const entry& a, const entry& b) { return a.sequence < b.sequence; });
  make_ready(std::move(held), place::own);
}

} // namespace switchboard::broker
