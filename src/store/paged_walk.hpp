// Visits many records without holding a snapshot while the visitor runs: a page is copied out, the transaction ends,
// the page is visited, the next one begins behind the last key. What is written meanwhile ahead of the walk is seen.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/lmdb_files.hpp"

namespace switchboard::store {

inline constexpr std::size_t page_records_max = 1000;
inline constexpr std::size_t page_bytes_max = 1u << 20;

/// What became of one entry of a walk.
template <class Record>
struct reading {
  std::optional<Record> record; ///< absent and not damaged: an index entry that outlived its record
  bool damaged = false;
  std::size_t bytes = 0; ///< that its copy keeps in memory
};

/// One walk over the keys that begin with `prefix`. `read` makes a record of one entry: (read_txn&, key, value) ->
/// reading<Record>. `settle` runs before each page: () -> expected<void>.
template <class Record, class Read, class Settle>
class paged_walk {
public:
  paged_walk(lmdb_files& files, table of, std::string_view prefix, std::string_view from, Read read, Settle settle)
      : files_(files), table_(of), prefix_(prefix), from_(from), read_(std::move(read)), settle_(std::move(settle)) {}

  /// Visits until the end or until the visitor returns false. errc::corrupt at the end if a record failed its check.
  expected<void> run(const std::function<bool(Record&&)>& visit) {
    for (bool more = true; more;) {
      auto loaded = load();
      if (!loaded)
        return loaded.error();
      more = *loaded;
      for (auto& one : page_)
        if (!visit(std::move(one)))
          return verdict();
    }
    return verdict();
  }

private:
  /// Fills the page. True if there is more behind it.
  expected<bool> load() {
    page_.clear();
    if (auto settled = settle_(); !settled)
      return settled.error();
    read_txn txn{files_};
    read_cursor at{txn, table_};
    std::size_t bytes = 0;
    std::size_t seen = 0;
    bool found = at.seek(from_);
    if (found && begun_ && at.key() == from_)
      found = at.next();
    for (; found && at.key().starts_with(prefix_); found = at.next()) {
      if (seen == page_records_max || bytes >= page_bytes_max)
        return true;
      take(read_(txn, at.key(), at.value()), bytes);
      from_ = at.key();
      begun_ = true;
      ++seen;
    }
    if (txn.code() != 0)
      return to_error(txn.code(), files_);
    return false;
  }

  void take(reading<Record>&& one, std::size_t& bytes) {
    bytes += one.bytes;
    damaged_ += one.damaged ? 1 : 0;
    if (one.record)
      page_.push_back(std::move(*one.record));
  }

  expected<void> verdict() const {
    if (damaged_ == 0)
      return {};
    return {errc::corrupt, files_.directory() + "/data.mdb: " + std::to_string(damaged_) + " record(s) of table " +
                               name(table_) + " fail their check"};
  }

  lmdb_files& files_;
  const table table_;
  const std::string prefix_;
  std::string from_; // where the next page begins: at this key, or behind it once begun_
  bool begun_ = false;
  Read read_;
  Settle settle_;
  std::vector<Record> page_;
  std::size_t damaged_ = 0;
};

} // namespace switchboard::store
