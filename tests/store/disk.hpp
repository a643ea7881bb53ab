// The disk of this test binary: its fdatasync, fsync, pwrite and writev stand before the C library's, so the store and
// LMDB call them. They can fail, do half, wait, be counted, and be written down for a power loss.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace switchboard::store {

/// What reached the kernel, in order.
struct disk_event {
  std::string path;
  std::uint64_t at = 0;
  std::string bytes;      ///< empty: a sync of the file
  bool is_synced = false; ///< a write through a file that syncs each one
};

struct disk_seam {
  std::atomic<int> fail_sync_with{0};
  std::atomic<int> fail_write_with{0};
  std::atomic<int> short_writes{0}; ///< that many take half of what they are given
  std::atomic<int> syncs{0};
  std::mutex mutex;
  std::function<void()> before_sync; ///< called once, then forgotten
  std::atomic<bool> is_recording{false};
  std::vector<disk_event> events;

  void mend() { fail_sync_with = fail_write_with = short_writes = 0; }
  bool is_short() { return short_writes > 0 && short_writes-- > 0; }
};

extern disk_seam the_disk;

} // namespace switchboard::store
