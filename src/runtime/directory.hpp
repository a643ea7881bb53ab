// The directory of live actors: CAF keeps no such list. Every long-lived actor of ours registers here, so that
// /api/actors, `switchboard actors`, metrics and shutdown ("who is left") have one source. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"

namespace switchboard::runtime {

/// What one actor counts of itself; the actor writes, readers read at any time.
struct actor_counts {
  time_point started{};
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::int64_t> mailbox{0}; ///< messages waiting
  std::atomic<std::uint32_t> restarts{0};

  /// A message's place in a mailbox of at most `most`. Counted before it is looked at, so that many senders at once
  /// can't pass the bound together. Thread-safe.
  bool take_place(std::size_t most) noexcept {
    if (mailbox.fetch_add(1, std::memory_order_relaxed) < static_cast<std::int64_t>(most))
      return true;
    leave_place();
    return false;
  }
  void leave_place() noexcept { mailbox.fetch_sub(1, std::memory_order_relaxed); }
  /// By the actor itself: nobody else writes it.
  void count_handled() noexcept {
    handled.store(handled.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
};

struct actor_card : actor_counts {
  std::string path; ///< "/services/call", "/amqp/sessions/7"
  std::string kind; ///< metric label: "service", "amqp_session", "message_queue"
};

/// An actor, as readers see it.
struct actor_row {
  std::string path, kind;
  time_point started{};
  std::uint64_t handled = 0;
  std::int64_t mailbox = 0;
  std::uint32_t restarts = 0;
};
actor_row make_row(std::string path, std::string kind, const actor_counts& counts);

/// Actors of one kind, too many for a card each: whoever has them says who they are. Thread-safe.
class actor_crowd {
public:
  virtual std::string_view kind() const = 0;
  virtual std::size_t size() const = 0;
  virtual std::int64_t mailbox() const = 0; ///< messages waiting, in all
  /// Those whose path begins with `prefix`, in any order.
  virtual void list(std::string_view prefix, std::vector<actor_row>& into) const = 0;

protected:
  ~actor_crowd() = default;
};

class directory {
public:
  /// Registers; the card lives until the returned pointer and all copies are gone. A path used twice gets "#2", …
  std::shared_ptr<actor_card> enter(std::string path, std::string kind, time_point now);
  /// Asked from now on. It must not call the directory.
  void enter(const actor_crowd& crowd);
  /// Waits until nobody asks it any more.
  void leave(const actor_crowd& crowd);

  /// Sorted by path; at most `limit` rows whose path begins with `prefix`.
  std::vector<actor_row> list(std::string_view prefix = {}, std::size_t limit = 1000) const;
  std::size_t size() const;

  struct total {
    std::size_t actors = 0;
    std::int64_t mailbox = 0;
  };
  /// By kind, for metrics.
  std::map<std::string, total> totals() const;

private:
  void sweep();

  static constexpr std::size_t sweep_least = 1024;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<actor_card>> cards_; ///< may hold some that are gone
  std::size_t sweep_at_ = sweep_least;
  mutable std::mutex crowds_mutex_;
  std::vector<const actor_crowd*> crowds_; ///< under crowds_mutex_
};

} // namespace switchboard::runtime
