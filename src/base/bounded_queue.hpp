// A queue between threads with a bound and a named answer to "full". For hand-over to threads that are not actors:
// the store's writer, the ZeroMQ publisher, the log. Actors use their mailboxes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace switchboard {

/// What a full queue does with one more item.
enum class overflow {
  reject,   ///< the producer is told and keeps the item
  drop_new, ///< the item is thrown away and counted
  drop_old, ///< the oldest item is thrown away and counted, the new one is taken
};

/// What became of an item.
enum class push_result {
  taken,       ///< it waits in the queue
  rejected,    ///< full under overflow::reject, or closed; the item is untouched
  dropped_new, ///< full under overflow::drop_new; the item is gone
  dropped_old, ///< it waits in the queue, another one had to go
};

/// Any number of producers and consumers; every member is thread-safe. Holds at most `capacity` items (at least 1).
/// Once closed it takes nothing more and hands out what it still holds.
template <class T>
class bounded_queue {
public:
  bounded_queue(std::size_t capacity, overflow when_full) : capacity_(capacity ? capacity : 1), when_full_(when_full) {}
  bounded_queue(const bounded_queue&) = delete;
  bounded_queue& operator=(const bounded_queue&) = delete;

  /// Never waits. Moves from `item` unless the result is `rejected`.
  push_result push(T&& item) {
    const std::lock_guard hold{mutex_};
    if (closed_)
      return push_result::rejected;
    if (items_.size() < capacity_)
      return take(std::move(item)), push_result::taken;
    switch (when_full_) {
    case overflow::reject:
      return push_result::rejected;
    case overflow::drop_new:
      ++dropped_;
      discard(std::move(item));
      return push_result::dropped_new;
    case overflow::drop_old:
      break;
    }
    items_.pop_front();
    ++dropped_;
    take(std::move(item));
    return push_result::dropped_old;
  }
  push_result push(const T& item) { return push(T{item}); }

  /// Waits for room, whatever the policy. False (item untouched) if the queue was or is closed meanwhile.
  bool push_wait(T&& item) {
    std::unique_lock hold{mutex_};
    has_room_.wait(hold, [this] { return closed_ || items_.size() < capacity_; });
    if (closed_)
      return false;
    take(std::move(item));
    return true;
  }

  /// Waits for an item; empty once the queue is closed and drained.
  std::optional<T> pop() {
    std::unique_lock hold{mutex_};
    has_item_.wait(hold, [this] { return closed_ || !items_.empty(); });
    return give();
  }

  /// Never waits.
  std::optional<T> try_pop() {
    const std::lock_guard hold{mutex_};
    return give();
  }

  /// Waits for at least one item and takes all there are, up to `most`; empty once closed and drained. This is the
  /// doorbell of a group commit: while one batch is worked on, the next one gathers here.
  std::vector<T> pop_all(std::size_t most = static_cast<std::size_t>(-1)) {
    std::unique_lock hold{mutex_};
    has_item_.wait(hold, [this] { return closed_ || !items_.empty(); });
    std::vector<T> batch;
    for (; !items_.empty() && batch.size() < most; items_.pop_front())
      batch.push_back(std::move(items_.front()));
    has_room_.notify_all();
    return batch;
  }

  /// Wakes everybody who waits. Harmless when repeated.
  void close() {
    const std::lock_guard hold{mutex_};
    closed_ = true;
    has_item_.notify_all();
    has_room_.notify_all();
  }

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const {
    const std::lock_guard hold{mutex_};
    return items_.size();
  }
  bool closed() const {
    const std::lock_guard hold{mutex_};
    return closed_;
  }
  /// Items thrown away since the start, for a metric.
  std::uint64_t dropped() const {
    const std::lock_guard hold{mutex_};
    return dropped_;
  }

private:
  void take(T&& item) {
    items_.push_back(std::move(item));
    has_item_.notify_one();
  }

  std::optional<T> give() {
    if (items_.empty())
      return std::nullopt;
    std::optional<T> first{std::move(items_.front())};
    items_.pop_front();
    has_room_.notify_one();
    return first;
  }

  static void discard(T gone) { static_cast<void>(gone); }

  const std::size_t capacity_;
  const overflow when_full_;
  mutable std::mutex mutex_;
  std::condition_variable has_item_;
  std::condition_variable has_room_;
  std::deque<T> items_;
  std::uint64_t dropped_ = 0;
  bool closed_ = false;
};

} // namespace switchboard
