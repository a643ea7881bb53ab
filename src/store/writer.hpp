// The one thread that confirms. While it syncs one group, the next one gathers: no timer, no configured delay. While
// its helper brings one lump to LMDB, the next one gathers too.
//
//   submit() --> incoming_ --> [ take all | group <= group_bytes_max | skip what cancels out
//                                | small: one record of the log = fdatasync, into the lump
//                                | large: one LMDB transaction with the lump
//                                | no room in the map: all waits but deletions, until they have made some
//                                | completions in order ] --> again
//   the lump --> frozen when it is old, large or asked for --> one LMDB transaction, on the helper thread
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "store/counters.hpp"
#include "store/helper_thread.hpp"
#include "store/lmdb_files.hpp"
#include "store/lump.hpp"
#include "store/record.hpp"
#include "store/store.hpp"
#include "store/write_ahead_log.hpp"

namespace switchboard::store {

/// Owned by the environment; outlives nobody. Bound: what submitters have credit for (statistics::waiting_bytes), and
/// the log's size for what waits for LMDB.
class writer {
public:
  struct settings {
    std::size_t group_bytes_max;
    std::uint64_t log_bytes_max;
    std::function<void(const error&)> on_failure;
  };
  /// The log is empty: recover() was there before.
  writer(lmdb_files& files, counters& numbers, write_ahead_log log, settings how);
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;
  ~writer(); ///< writes everything submitted first, and that to LMDB

  // Thread-safe.
  void submit(batch what, completion done);
  /// Waits for the batches submitted and the expiry asked for so far. errc::wrong_state on the writer thread itself.
  expected<void> flush();
  void expire(time_point now, time_point journal_before);
  /// Wakes the writer to raise the marks of the counters.
  void nudge();
  statistics stats() const;

  /// Where lookups look before they ask LMDB.
  const lump& recent() const noexcept { return lump_; }
  /// Returns when LMDB has all that was committed of the table so far. Also in a completion.
  expected<void> settle(table visited);

private:
  using clock = std::chrono::steady_clock;
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
  enum class outcome {
    done,    ///< on disk
    no_room, ///< in the map; nothing was written
  };
  enum class reserve {
    kept, ///< LMDB's slack is for deletions, which need pages before they free any
    used,
  };
  expected<outcome> write(group batches);
  struct gathered {
    operations deletions; ///< that may go ahead of all others; empty while the map has much room
    operations others;
  };
  gathered gather(group batches);
  expected<outcome> put_down(operations& changes, reserve how);
  bool is_for_log(const operations& changes);
  bool is_stuck() const noexcept { return !stuck_.empty(); }
  void say_full(bool is_full);
  error full() const;
  std::size_t lump_bytes_due() const;
  expected<void> make_room();
  expected<void> log(operations changes);

  /// What one transaction takes to LMDB.
  struct checkpoint_plan {
    std::vector<std::span<const batch::operation>> parts;
    std::optional<expiry> expires;
    std::uint64_t sequence = 0;  ///< of the last group in it
    std::uint64_t log_begin = 0; ///< where the next one goes
    std::uint64_t serves = 0;    ///< what asked_ was
  };
  struct checkpoint_result {
    outcome what = outcome::no_room;
    std::uint64_t bytes_used = 0;
    std::uint64_t elided = 0;
    bool expiry_done = false;
  };
  /// Not of one thread only: the writer's and the helper's, one at a time.
  expected<checkpoint_result> transact(const checkpoint_plan& plan, reserve how);
  void account(const checkpoint_plan& plan, const checkpoint_result& done);

  bool is_checkpoint_due() const;
  void begin_checkpoint();
  expected<void> end_checkpoint();
  expected<void> end_if_written();
  expected<void> write_down_lump();
  expected<outcome> checkpoint(const operations& more, reserve how);
  void confirm(group batches);
  void serve(std::uint64_t asked);
  void finish_expiry();
  void fail(const error& why);

  lmdb_files& files_;
  counters& numbers_;
  const settings how_;

  mutable std::mutex mutex_;
  std::condition_variable work_;    // for the writer: any of those below changed
  std::condition_variable settled_; // for flush(), settle(): confirmed_, expiry, served_, is_full_ or failure_ changed
  std::vector<waiting> incoming_;
  bool is_urgent_ = false; // somebody waits for one of them, or they are many
  bool is_asleep_ = false; // until it is called
  std::uint64_t incoming_bytes_ = 0;
  std::optional<expiry> wanted_; // expiry that the writer has not begun
  bool nudged_ = false;
  bool stopping_ = false;
  std::uint64_t submitted_ = 0;
  std::uint64_t confirmed_ = 0;
  std::uint64_t asked_ = 0; // checkpoints that readers asked for, and those they got
  std::uint64_t served_ = 0;
  bool expiring_ = false;
  std::optional<expected<checkpoint_result>> written_; // of the checkpoint under way, once it is over
  std::optional<error> failure_;                       // set once, for good

  // Of the writer thread.
  write_ahead_log log_;
  std::vector<waiting> taken_;
  std::size_t taken_done_ = 0; // how many of them are written
  operations stuck_;           // what the map has no room for, of all taken that are not written
  std::optional<expiry> running_;
  std::string record_;                       // of the log; used again for the next
  std::uint64_t sequence_;                   // of the last group logged
  std::uint64_t serving_ = 0;                // what asked_ was when the last work was taken
  clock::time_point lump_age_;               // since when there is something in it
  std::optional<error> broken_;              // a checkpoint failed inside a completion
  std::optional<checkpoint_plan> under_way_; // with the helper

  lump lump_; // lookups read it

  std::atomic<std::uint64_t> commits_{0};
  std::atomic<std::uint64_t> checkpoints_{0};
  std::atomic<std::uint64_t> operations_{0};
  std::atomic<std::uint64_t> elided_{0};
  std::atomic<std::uint64_t> waiting_bytes_{0};
  std::atomic<std::uint64_t> bytes_used_;
  std::atomic<std::uint64_t> lump_bytes_{0};
  std::atomic<std::uint64_t> log_bytes_to_come_;
  std::atomic<bool> is_full_{false}; // changes under mutex_

  helper_thread helper_;
  std::thread thread_; // last: starts when the rest is there
};

} // namespace switchboard::store
