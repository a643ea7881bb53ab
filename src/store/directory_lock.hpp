// One process per store directory. LMDB itself lets several processes in, and two nodes on one store would both
// confirm.
#pragma once

#include <string>

#include "base/expected.hpp"

namespace switchboard::store {

/// Holds the file LOCK in a directory, with our process id in it for people. The kernel lets go when the process dies,
/// so a crash leaves nothing to clean up.
class directory_lock {
public:
  /// errc::resource_locked if another process, or another store of this one, has it; errc::io_failed otherwise.
  static expected<directory_lock> take(const std::string& directory);

  directory_lock(directory_lock&& other) noexcept;
  directory_lock& operator=(directory_lock&&) = delete;
  ~directory_lock();

private:
  explicit directory_lock(int file) noexcept : file_(file) {}

  int file_;
};

} // namespace switchboard::store
