// The shape of one stream: which offsets there are, when they came, what retention lets go. Knows sizes and times of
// messages, not messages. Pure: time comes from outside.
//
//   segment:  | chunk | chunk | chunk |   segment: | chunk | …        retention drops whole segments, the oldest first,
//              first, time, last, bytes                               never the last one (RabbitMQ does the same)
//
// A chunk is a run of messages of at most a second and a MiB; it is what a time is looked up by, and costs one record
// in the log and a few bytes of memory.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "broker/stream_arguments.hpp"

namespace switchboard::broker {

class stream_log {
public:
  struct chunk {
    stream_offset first = 0;
    time_point time{}; ///< of its first message
    time_point last{}; ///< of its last one; after a restart at least that
    std::uint64_t bytes = 0;
    bool opens_segment = false;
    friend bool operator==(const chunk&, const chunk&) = default;
  };
  /// Longest time and largest size of a chunk.
  static constexpr milliseconds chunk_time_max{1000};
  static constexpr std::uint64_t chunk_bytes_max = 1 << 20;
  static constexpr std::uint64_t chunk_messages_max = 4096;

  explicit stream_log(stream_arguments how) : how_(how) {}

  /// Retention and sizes from now on.
  void change(stream_arguments how) noexcept { how_ = how; }

  /// The stream holds first() to next() - 1.
  stream_offset first() const noexcept { return chunks_.empty() ? next_ : chunks_.front().first; }
  stream_offset next() const noexcept { return next_; }
  std::uint64_t size() const noexcept { return next_ - first(); }
  std::uint64_t bytes() const noexcept { return bytes_; }
  const std::deque<chunk>& chunks() const noexcept { return chunks_; }

  /// One more message of so many bytes. True if it begins a chunk: then chunk_record() is to be written.
  bool append(std::uint64_t bytes, time_point now);

  /// Takes out the first chunk if retention lets it go: its offsets, up to the new first(), are to be deleted. To be
  /// called until empty after an append that began a chunk; a segment may have many.
  std::optional<chunk> drop(time_point now);

  /// The offset at which a consumer begins: not before first(), and after next() only if it asks for such a one.
  stream_offset find(const stream_start& start) const noexcept;

  // Restoring, in order: each chunk by its record, then the messages of the last one.
  /// What the log keeps of the last chunk, and of the size of the one before it.
  std::string chunk_record() const;
  /// False if it can't be read; the chunk then counts as part of the one before.
  bool restore(stream_offset first, std::string_view record);
  /// One message of the last chunk.
  void restore_message(stream_offset at, std::uint64_t bytes);

private:
  bool closes(const chunk& last, time_point now) const noexcept;
  bool lets_go(time_point now) const noexcept;

  stream_arguments how_;
  std::deque<chunk> chunks_;
  stream_offset next_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t segment_bytes_ = 0; ///< of the last segment
  std::uint64_t before_bytes_ = 0;  ///< of the chunk before the last
  std::size_t segments_ = 0;
};

} // namespace switchboard::broker
