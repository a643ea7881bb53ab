// The delivery tags of one channel: which delivery of which consumer each one means, and what an ack, nack or reject
// settles. Pure. Tags count up from 1 for every message sent on the channel, with or without acknowledgement.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "broker/protocol.hpp"

namespace switchboard::amqp {

struct consumer; // amqp_channel.hpp

/// Deliveries first..last of one consumer that share a verdict.
struct settled_range {
  consumer* from = nullptr;
  broker::delivery_number first = 0;
  broker::delivery_number last = 0;
};

class unacked {
public:
  /// The tag of the next message sent. `from` null: nothing to acknowledge (no-ack).
  std::uint64_t add(consumer* from, broker::delivery_number number);

  /// Takes out one tag, or all up to and with it (tag 0: all). Ranges are appended in tag order, neighbours merged.
  /// False if the tag is not out (406), also with `multiple`; tag 0 with `multiple` is never unknown.
  bool take(std::uint64_t tag, bool multiple, std::vector<settled_range>& out);
  /// Everything still out (basic.recover).
  void take_all(std::vector<settled_range>& out);

  /// As take(), but only for the time being: acknowledgement `number` (from 1, rising) of a transaction.
  bool hold(std::uint64_t tag, bool multiple, std::uint32_t number);
  /// The transaction ends well: what is held is taken out, by number. `then(number)` is called after the ranges of
  /// each.
  template <class Then>
  void take_held(std::vector<settled_range>& out, Then&& then);
  /// The number of the last hold() that held something.
  std::uint32_t last_held() const noexcept { return last_held_; }
  /// It ends badly: what is held is out again.
  void give_back_held();

  /// Asked every now and then: whether something has been out for `limit` or longer. Looks at the tags that were given
  /// by the last few times it was asked, so a delivery needs no time of its own; late by one interval at most.
  bool overdue(std::chrono::steady_clock::time_point now, std::chrono::milliseconds limit);

  /// Out, or held.
  std::size_t size() const noexcept { return out_ + held_; }

private:
  struct slot {
    std::uint64_t tag = 0;
    consumer* from = nullptr; ///< null: settled
    broker::delivery_number number = 0;
    std::uint32_t held = 0; ///< the number; 0: out
  };
  /// Calls `act` with each slot that is out and meant. False if the tag is not out.
  template <class Act>
  bool each_out(std::uint64_t tag, bool multiple, Act&& act);
  std::deque<slot>::iterator find(std::uint64_t tag);
  void take_slot(slot& at, std::vector<settled_range>& out);
  static void append(const slot& at, std::vector<settled_range>& out);
  void drop_settled();

  struct look {
    std::chrono::steady_clock::time_point at;
    std::uint64_t last_tag = 0; ///< all up to it were given by then
  };

  std::deque<slot> slots_; ///< by tag; the first is out
  std::deque<look> looks_; ///< of overdue(), while anything given before them is out
  std::uint64_t next_tag_ = 1;
  std::size_t out_ = 0;
  std::size_t held_ = 0;
  std::uint32_t last_held_ = 0;
};

template <class Then>
void unacked::take_held(std::vector<settled_range>& out, Then&& then) {
  std::vector<slot> all;
  for (auto& at : slots_)
    if (at.from && at.held != 0) {
      all.push_back(at);
      at.from = nullptr;
    }
  held_ = 0;
  last_held_ = 0;
  drop_settled();
  std::stable_sort(all.begin(), all.end(), [](const slot& left, const slot& right) { return left.held < right.held; });
  for (auto at = all.begin(); at != all.end(); ++at) {
    append(*at, out);
    if (at + 1 == all.end() || (at + 1)->held != at->held)
      then(at->held);
  }
}

} // namespace switchboard::amqp
