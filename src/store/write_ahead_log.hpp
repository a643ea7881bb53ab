// The file of the write-ahead log: write_ahead.log in the store's directory. One append, one sync. What stands in LMDB
// is written over: its blocks stay the same, so a sync has no metadata of the file system to write beside the data.
//
// The file holds at most two stretches that LMDB lacks: one that is frozen, on its way to LMDB, and the one that grows.
//
//   | ... | frozen ... | growing ... -> |      or      | growing ... ->  | ... | frozen ... |
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/expected.hpp"

namespace switchboard::store {

/// A new name in a directory lasts only once the directory is synced. False: errno says why not.
bool sync_directory(const std::string& path);

/// Of one thread at a time. Errors are errc::io_failed with the file and the cause; after one the log must not be used
/// any more: nobody knows what the kernel has given up.
class write_ahead_log {
public:
  /// Opens or creates. `bytes_max` is rounded up to whole pages.
  static expected<write_ahead_log> open(const std::string& directory, std::uint64_t bytes_max, bool sync);
  write_ahead_log(write_ahead_log&& other) noexcept;
  write_ahead_log& operator=(write_ahead_log&&) = delete;
  ~write_ahead_log();

  const std::string& path() const noexcept { return path_; }
  /// All bytes of the file.
  expected<std::string> read() const;
  /// False if its size is none that this class gives it.
  bool is_whole() const noexcept;
  /// Puts a part of the file beside it, for whoever wants to know what was in it, if there is room for three more of
  /// that size; the path of the new file. Else nothing is left of it.
  expected<std::string> keep(std::string_view part, std::uint64_t number) const;

  /// Bytes that one more record may have. With nothing frozen at least a quarter of the file after freeze() or
  /// rewind().
  std::uint64_t room() const noexcept {
    const bool before_frozen = at_ <= frozen_.begin && frozen_.begin < frozen_.end;
    return (before_frozen ? frozen_.begin : bytes_max_) - at_;
  }
  /// By which the file will still grow.
  std::uint64_t bytes_to_come() const noexcept { return bytes_max_ - std::min(size_, bytes_max_); }
  /// Writes and syncs. Precondition: whole pages, no more than room().
  expected<void> append(std::string_view record);
  /// What was appended is kept until forget_frozen(); returns where the next record goes. Precondition: nothing is
  /// frozen.
  std::uint64_t freeze() noexcept;
  /// What was frozen is in LMDB, and synced.
  void forget_frozen() noexcept { frozen_ = {}; }
  /// The next record goes to the beginning. Precondition: everything appended is in LMDB, and synced.
  void rewind() noexcept {
    frozen_ = {};
    begin_ = at_ = 0;
  }

private:
  write_ahead_log(int file, std::string path, std::uint64_t bytes_max, std::uint64_t size, bool sync) noexcept;
  expected<void> write(std::string_view bytes, std::uint64_t at);
  error failed() const;

  int file_;
  std::string path_;
  std::uint64_t bytes_max_;
  struct stretch {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::uint64_t size_; // of the file
  stretch frozen_;
  std::uint64_t begin_ = 0; // of what grows
  std::uint64_t at_ = 0;    // where the next record goes
  bool sync_;
};

} // namespace switchboard::store
