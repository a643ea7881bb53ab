// Keys of the store's tables. Every key sorts as its reader wants to walk it: numbers and times big-endian, texts as
// they are. LMDB takes at most 511 bytes, names of the wire may be longer: a long text keeps its beginning and ends in
// its SHA-256, so that two of them never share a key. Records repeat their names in full; no key is ever parsed for
// one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/time.hpp"
#include "store/store.hpp"

namespace switchboard::store {

/// One key, on the stack: the writer makes one or two for every operation.
class key {
public:
  static constexpr std::size_t bytes_max = 511;
  static constexpr std::size_t part_bytes_max = 127; ///< four parts and two numbers always fit

  std::string_view view() const noexcept { return {bytes_.data(), size_}; }
  operator std::string_view() const noexcept { return view(); }

  /// Sorts by value.
  key& number(std::uint64_t value) noexcept;
  /// Sorts oldest first.
  key& time(time_point at) noexcept;
  /// Sorts newest first.
  key& time_descending(time_point at) noexcept;
  /// A text that more parts follow. Its length goes first, so that no text runs into the next.
  key& part(std::string_view text) noexcept;
  /// The last text of a key, sorted by its bytes.
  key& last(std::string_view text, std::size_t text_bytes_max = part_bytes_max) noexcept;
  /// Bytes of another key.
  key& raw(std::string_view bytes) noexcept;

private:
  std::array<char, bytes_max> bytes_;
  std::size_t size_ = 0;
};

inline constexpr std::size_t time_bytes = 8; ///< of a time at the front of an index key

key message_key(queue_number queue, position at) noexcept;
key queue_prefix(queue_number queue) noexcept;
key topology_key(std::string_view name) noexcept;
key entity_prefix(std::string_view type) noexcept;
key entity_key(std::string_view type, std::string_view id) noexcept;
key entity_time_key(std::string_view type, time_point created, std::string_view id) noexcept;
/// The entity's own key from its place in the order of creation.
key entity_key_of(std::string_view entry) noexcept;
key journal_prefix(std::string_view type, std::string_view id) noexcept;
key journal_key(std::string_view type, std::string_view id, std::uint64_t sequence) noexcept;
key reply_key(std::string_view scope, std::string_view message_id) noexcept;
key timer_prefix(std::string_view type, std::string_view id) noexcept;
key timer_key(std::string_view type, std::string_view id, std::string_view name) noexcept;
key outbox_key(std::uint64_t number) noexcept;
/// Index by time over records with keys of their own: the time, then that key.
key time_key(time_point at, std::string_view of) noexcept;

} // namespace switchboard::store
