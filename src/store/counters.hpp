// Numbers that are never given twice: message positions and queue numbers. Given out from memory without a lock; the
// store keeps a mark ahead of them, raised once per block. A restart goes on at the mark, so it skips what was left of
// a block and can't repeat anything.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/expected.hpp"
#include "store/lmdb_files.hpp"
#include "store/record.hpp"

namespace switchboard::store {

/// One number. take() is thread-safe; load() and raise() belong to the thread that writes.
class counter {
public:
  counter(const char* name, std::uint64_t block) noexcept : name_(name), block_(block) {}

  std::uint64_t take(std::uint64_t count) noexcept { return next_.fetch_add(count, std::memory_order_relaxed); }
  /// The next one to be given out.
  std::uint64_t next() const noexcept { return next_.load(std::memory_order_relaxed); }

  /// Goes on at `next` if that is further: the log knows of numbers that LMDB doesn't. Before anything is taken.
  void skip_to(std::uint64_t next) noexcept { next_ = std::max(next_.load(), next); }

  /// Starts at the stored mark and raises it. False if the stored one is damaged.
  bool load(write_txn& txn, sealer& seals);
  /// Raises the mark if less than half a block is left. Called in every transaction, before its commit: so a number
  /// that comes to LMDB in a transaction lies below the mark of the same transaction, however fast numbers are taken.
  void raise(write_txn& txn, sealer& seals);
  /// True if raise() would write.
  bool is_low() const noexcept {
    return next_.load(std::memory_order_relaxed) + block_ / 2 > mark_.load(std::memory_order_relaxed);
  }

private:
  const char* const name_; // key in table meta
  const std::uint64_t block_;
  std::atomic<std::uint64_t> next_{1};
  std::atomic<std::uint64_t> mark_{1};
};

/// What table meta holds. One thread at a time, but for take() and incarnation().
class counters {
public:
  /// 1 had no write-ahead log, 2 read its timers by an index, 3 began its log always at the front. A store of those
  /// versions becomes one of this when it is opened; the build that wrote it would miss what it doesn't look for, so it
  /// refuses it from then on.
  static constexpr std::uint64_t format_version = 4;

  counter positions{"positions", 1'000'000};
  counter queue_numbers{"queue_numbers", 1'000};

  /// First transaction after opening: checks the format, counts the incarnation, reserves numbers.
  expected<void> load(lmdb_files& files);
  void raise(write_txn& txn, sealer& seals);
  bool are_low() const noexcept { return positions.is_low() || queue_numbers.is_low(); }
  std::uint64_t incarnation() const noexcept { return incarnation_; }

  /// Secret of this store: seeds the checks of its log.
  std::uint64_t log_seed() const noexcept { return log_seed_; }
  /// The last group of the log that stands in LMDB, as of load() or set_applied().
  std::uint64_t applied() const noexcept { return applied_; }
  /// The byte of the log where the group behind applied() begins, if it is not at the front; as of load() or
  /// set_applied().
  std::uint64_t log_begin() const noexcept { return log_begin_; }
  /// Goes into the same transaction as the groups it speaks of.
  void set_applied(write_txn& txn, sealer& seals, std::uint64_t sequence, std::uint64_t log_begin);

private:
  expected<void> check_format(write_txn& txn, sealer& seals, const lmdb_files& files);
  bool load_log(write_txn& txn, sealer& seals);

  std::uint64_t incarnation_ = 0;
  std::uint64_t log_seed_ = 0;
  std::uint64_t applied_ = 0;
  std::uint64_t log_begin_ = 0;
};

} // namespace switchboard::store
