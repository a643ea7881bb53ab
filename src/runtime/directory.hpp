// The directory of live actors: CAF keeps no such list. Every long-lived actor of ours registers here, so that
// /api/actors, `switchboard actors`, metrics and shutdown ("who is left") have one source. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"

namespace switchboard::runtime {

/// What one actor says of itself; the actor writes the counters, readers read them at any time.
struct actor_card {
  std::string path; ///< "/services/call", "/entities/call/<id>", "/amqp/sessions/7"
  std::string kind; ///< metric label: "service", "entity", "amqp_session", "message_queue"
  time_point started{};
  std::atomic<std::uint64_t> handled{0};
  std::atomic<std::int64_t> mailbox{0}; ///< messages waiting
  std::atomic<std::uint32_t> restarts{0};
};

class directory {
public:
  /// Registers; the card lives until the returned pointer and all copies are gone. A path used twice gets "#2", …
  std::shared_ptr<actor_card> enter(std::string path, std::string kind, time_point now);

  struct row {
    std::string path, kind;
    time_point started{};
    std::uint64_t handled = 0;
    std::int64_t mailbox = 0;
    std::uint32_t restarts = 0;
  };
  /// Sorted by path; at most `limit` rows whose path begins with `prefix`.
  std::vector<row> list(std::string_view prefix = {}, std::size_t limit = 1000) const;
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
};

} // namespace switchboard::runtime
