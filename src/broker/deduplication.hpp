// Which messages a queue has had already (x-deduplicate-window): a message whose message_id is known is dropped. An id
// is known while its message is in the queue and for the window after it has left. Pure; what must survive a restart is
// given to the log's keeper.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "broker/endpoint.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

/// The part of the log with the ids of a queue's messages that have left.
constexpr queue_number ids_of(queue_number queue) { return queue_number{1} << 61 | queue; }

/// One id there.
struct id_record {
  std::string id;
  time_point until{};
};
message_ptr encode_id(const id_record& what);
/// Empty if it can't be read.
std::optional<id_record> decode_id(const message& what);

class deduplication {
public:
  using instant = std::chrono::steady_clock::time_point;
  /// Ids remembered after their messages; above it the oldest are forgotten early.
  static constexpr std::size_t ids_max = 1'000'000;

  explicit deduplication(milliseconds window) : window_(window) {}

  /// A message comes. False if it is to be dropped. An empty id is always new.
  bool enter(std::string_view id, instant now);
  /// A message that has entered is done with.
  void leave(std::string_view id, instant now);
  /// What the log said at the start: the id is known until then.
  void restore(std::string id, instant until, position record);

  struct left {
    std::string id;
    instant until{};
  };
  bool has_unwritten() const noexcept { return !unwritten_.empty(); }
  /// Gives what has left since the last call to write(left), which returns the position of its record.
  template <class Write>
  void write(Write&& write) {
    for (const auto& id : std::exchange(unwritten_, {}))
      if (const auto found = known_.find(id); found != known_.end() && found->second.until != instant{})
        found->second.record = write(left{id, found->second.until});
  }
  /// Records that are needed no more.
  std::vector<position> take_old_records() { return std::exchange(old_records_, {}); }
  bool has_old_records() const noexcept { return !old_records_.empty(); }
  void forget_expired(instant now);

private:
  struct place {
    instant until{}; ///< zero: its message is in the queue
    position record = 0;
  };
  void forget_oldest();

  milliseconds window_;
  std::unordered_map<std::string, place> known_;
  std::deque<std::pair<instant, std::string>> by_time_; ///< of those that left
  std::vector<std::string> unwritten_;
  std::vector<position> old_records_;
};

} // namespace switchboard::broker
