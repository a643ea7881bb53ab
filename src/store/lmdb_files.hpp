// LMDB behind values of ours: the environment with its tables, one write transaction, pooled read transactions. Knows
// tables, keys and values; what stands in them is record.hpp's.
#pragma once

#include <lmdb.h>

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "store/table.hpp"

namespace switchboard::store {

class lmdb_files;

/// What LMDB's code means, with the place and the advice.
error to_error(int code, const lmdb_files& where);

/// One change of the store, on the thread that began it. It keeps its first error: later calls do nothing, and commit()
/// tells. Dropped without commit, nothing of it happened.
class write_txn {
public:
  explicit write_txn(lmdb_files& files);
  write_txn(const write_txn&) = delete;
  write_txn& operator=(const write_txn&) = delete;
  ~write_txn();

  bool ok() const noexcept { return code_ == 0; }
  /// It needs more pages than the map has.
  bool ran_out() const noexcept { return code_ == MDB_MAP_FULL; }

  /// Puts or replaces.
  void put(table into, std::string_view key, std::string_view value);
  /// Room of that size inside the page, to be filled before the next call; nullptr after an error.
  char* reserve(table into, std::string_view key, std::size_t value_bytes);
  /// No error if there is none.
  void erase(table from, std::string_view key);
  /// Valid until the next change.
  std::optional<std::string_view> get(table from, std::string_view key);
  struct entry {
    std::string_view key;
    std::string_view value;
  };
  /// The first entry at or after `from`; valid until the next change.
  std::optional<entry> first(table in, std::string_view from);

  /// Bytes of the pages in use, this transaction's included.
  std::uint64_t bytes_used();

  /// Writes and syncs. After it the transaction is over, whatever came of it.
  expected<void> commit();

private:
  MDB_cursor* cursor(table of);
  bool failed(int code) noexcept;

  lmdb_files& files_;
  MDB_txn* txn_ = nullptr;
  std::array<MDB_cursor*, table_count> cursors_{}; // LMDB frees them with the transaction
  int code_ = 0;
};

/// A snapshot of committed data, borrowed from the pool. Short: while it lives, no page it sees can be used again.
class read_txn {
public:
  explicit read_txn(lmdb_files& files);
  read_txn(const read_txn&) = delete;
  read_txn& operator=(const read_txn&) = delete;
  ~read_txn();

  int code() const noexcept { return code_; } ///< 0, or the first error but "not found"
  std::optional<std::string_view> get(table from, std::string_view key);

private:
  friend class read_cursor;
  lmdb_files& files_;
  MDB_txn* txn_ = nullptr;
  int code_ = 0;
};

/// Walks a table forward. Lives shorter than its transaction.
class read_cursor {
public:
  read_cursor(read_txn& txn, table of);
  read_cursor(const read_cursor&) = delete;
  read_cursor& operator=(const read_cursor&) = delete;
  ~read_cursor(); ///< what it has read counts as touched

  /// To the first key at or after `from`.
  bool seek(std::string_view from) { return move(from, MDB_SET_RANGE); }
  bool next() { return move({}, MDB_NEXT); }
  std::string_view key() const noexcept { return key_; }
  std::string_view value() const noexcept { return value_; }

private:
  bool move(std::string_view from, MDB_cursor_op how);

  read_txn& txn_;
  MDB_cursor* cursor_ = nullptr;
  std::string_view key_;
  std::string_view value_;
  std::uintptr_t lowest_ = ~std::uintptr_t{0}; ///< of what was read, where it is mapped
  std::uintptr_t highest_ = 0;
  std::size_t bytes_ = 0;
};

/// The open environment. Thread-safe for readers; one write transaction at a time.
class lmdb_files {
public:
  static expected<std::unique_ptr<lmdb_files>> open(const std::string& directory, std::uint64_t map_bytes_max,
                                                    bool sync);
  lmdb_files(const lmdb_files&) = delete;
  lmdb_files& operator=(const lmdb_files&) = delete;
  ~lmdb_files(); ///< no transaction may live any more

  const std::string& directory() const noexcept { return directory_; }
  std::uint64_t map_bytes_max() const noexcept { return map_bytes_max_; }
  /// Up to the last page that was ever used. Thread-safe.
  std::uint64_t bytes_in_file() const noexcept;

private:
  friend class write_txn;
  friend class read_txn;
  friend class read_cursor;
  explicit lmdb_files(std::string directory) : directory_(std::move(directory)) {}
  int start(std::uint64_t map_bytes_max, bool sync);
  int open_tables();
  MDB_dbi dbi(table of) const noexcept { return tables_[static_cast<std::size_t>(of)]; }
  /// A finished read transaction that may be renewed, which takes no lock of LMDB's. nullptr: none left.
  MDB_txn* take_reader();
  void give_reader(MDB_txn* finished);
  /// That much was read between those addresses of the map. From time to time the map lets go of all between the lowest
  /// and the highest ever read: the pages stay in the system's cache, but a process that once read a deep queue must
  /// not count them as its own for ever.
  void touched(std::uintptr_t lowest, std::uintptr_t highest, std::size_t bytes);

  const std::string directory_;
  std::uint64_t map_bytes_max_ = 0;
  MDB_env* env_ = nullptr;
  std::array<MDB_dbi, table_count> tables_{};
  std::mutex mutex_; // of all below
  std::vector<MDB_txn*> readers_;
  std::uintptr_t lowest_ = ~std::uintptr_t{0};
  std::uintptr_t highest_ = 0;
  std::size_t touched_ = 0; ///< bytes since the map last let go
};

} // namespace switchboard::store
