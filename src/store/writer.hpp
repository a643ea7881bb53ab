// The one thread that writes. While it syncs one group, the next one gathers: no timer, no configured delay.
//
//   submit() --> incoming_ --> [ take all | group <= group_bytes_max | skip what cancels out | one transaction
//                                | commit = fdatasync | completions in order ] --> again
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "store/counters.hpp"
#include "store/lmdb_files.hpp"
#include "store/record.hpp"
#include "store/store.hpp"

namespace switchboard::store {

/// Owned by the environment; outlives nobody. Bound: what submitters have credit for (statistics::waiting_bytes).
class writer {
public:
  struct settings {
    std::size_t group_bytes_max;
    std::function<void(const error&)> on_failure;
  };
  writer(lmdb_files& files, counters& numbers, settings how);
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  ~writer(); ///< writes everything submitted first

  // Thread-safe.
  void submit(batch what, completion done);
  /// Waits for the batches submitted and the expiry asked for so far. errc::wrong_state on the writer thread itself.
  expected<void> flush();
  void expire(time_point now, time_point journal_before);
  /// Wakes the writer to raise the marks of the counters.
  void nudge();
  statistics stats() const;

private:
  struct waiting {
    batch what;
    completion done;
  };
  struct expiry {
    time_point now;
    time_point journal_before;
  };
  using group = std::span<waiting>;

  void run();
  bool wait_for_work();
  std::size_t next_group_size() const;
  expected<void> write_next();
  expected<void> write(group batches);
  void apply(write_txn& txn, group batches);
  void confirm(group batches);
  void finish_expiry();
  void fail(const error& why);

  lmdb_files& files_;
  counters& numbers_;
  const settings how_;

  mutable std::mutex mutex_;
  std::condition_variable work_;    // for the writer: any of the four below changed
  std::condition_variable settled_; // for flush(): confirmed_, expiry or failure_ changed
  std::vector<waiting> incoming_;
  std::optional<expiry> wanted_; // expiry that the writer has not begun
  bool nudged_ = false;
  bool stopping_ = false;
  std::uint64_t submitted_ = 0;
  std::uint64_t confirmed_ = 0;
  bool expiring_ = false;
  std::optional<error> failure_; // set once, for good

  // Of the writer thread.
  std::vector<waiting> taken_;
  std::size_t taken_done_ = 0; // how many of them are written
  std::optional<expiry> running_;
  sealer seals_;

  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> operations_{0};
  std::atomic<std::uint64_t> elided_{0};
  std::atomic<std::uint64_t> waiting_bytes_{0};
  std::atomic<std::uint64_t> bytes_used_{0};

  std::thread thread_; // last: starts when the rest is there
};

} // namespace switchboard::store
