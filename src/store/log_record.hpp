// The write-ahead log's format, and what of a log must be done again after a crash. Pure. One record holds one group:
// it counts as a whole or not at all. The README draws the layout.
//
// Records begin at pages, so that no write touches the bytes of a group that was confirmed before. Each carries the
// number of its group and a check that is seeded with the store's own secret number: neither a record of an earlier
// round through the file nor one that a client wrote into a message's body can pass for the next one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"

namespace switchboard::store {

inline constexpr std::size_t log_page_bytes = 4096; ///< what a disk writes whole, and the kernel without reading first

/// A longer one goes straight to LMDB: there is little left to win by the sync that it saves, and the log is full soon.
constexpr std::uint64_t record_bytes_max(std::uint64_t log_bytes_max) { return log_bytes_max / 4; }

/// What a record says beside its operations.
struct log_stamp {
  std::uint64_t sequence = 0;     ///< of the group; the next one's is one higher
  position positions = 0;         ///< above all that were taken until then
  queue_number queue_numbers = 0; ///< likewise
  friend bool operator==(const log_stamp&, const log_stamp&) = default;
};

/// Replaces `out` by the record: whole pages. False, and `out` is worth nothing, if it would be longer than
/// `bytes_max`.
bool encode_group(std::string& out, std::uint64_t seed, const log_stamp& stamp, const operations& changes,
                  std::size_t bytes_max);

/// One record read back.
struct logged_group {
  log_stamp stamp;
  operations changes;
  std::size_t bytes = 0; ///< of the record, with its filling
};

/// The record at the front of `bytes`; nothing if there is none or its check fails.
std::optional<logged_group> decode_group(std::string_view bytes, std::uint64_t seed);

/// Groups that were confirmed and cannot be read.
struct log_damage {
  std::uint64_t first = 0; ///< their sequences, both included
  std::uint64_t last = 0;
  std::size_t at = 0; ///< byte of the file
  friend bool operator==(const log_damage&, const log_damage&) = default;
};

/// The operations of a record; nothing if the bytes make no sense.
std::optional<operations> decode_operations(std::string_view bytes);

/// What a log says to a store whose tables end with group `applied`.
struct log_contents {
  std::vector<logged_group> groups; ///< to be applied, in order
  std::vector<log_damage> damaged;
  /// It can't be that it goes on from `applied` at `begin`: groups stand where there was no room for all before them,
  /// or out of order. It belongs to tables of another moment.
  bool is_ahead = false;
  std::uint64_t next = 0; ///< the sequence behind the last of them
  /// Where it begins, if some of it is there.
  std::optional<std::size_t> cut_at;
};

/// A group is written only after the one before it was synced. So what cannot be read is damaged if a later group is
/// there, and a write that never ended if none is. `begin`: the byte where group `applied + 1` stands, or, if not
/// there, at the front; from the file's end the log goes on at its front.
log_contents read_log(std::string_view file, std::uint64_t seed, std::uint64_t applied, std::uint64_t begin = 0);

} // namespace switchboard::store
