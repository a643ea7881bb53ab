// The named databases inside the one LMDB environment. A new one is made when an older store is opened.
#pragma once

#include <array>
#include <cstddef>

namespace switchboard::store {

enum class table {
  meta,             ///< format version, incarnation, reserved numbers
  topology,         ///< name
  messages,         ///< queue number, position
  entities,         ///< type, id
  entities_by_time, ///< type, created (newest first), id
  journal,          ///< type, id, sequence
  journal_by_time,  ///< at, journal key
  replies,          ///< scope, message id
  replies_by_time,  ///< expires, reply key; may name replies that were replaced since
  timers,           ///< type, id, name
  timers_by_time,   ///< of format 2; nothing reads or writes it any more
  outbox,           ///< number
};

inline constexpr std::array table_names{
    "meta",           "topology",        "messages", "entities",        "entities_by_time",
    "journal",        "journal_by_time", "replies",  "replies_by_time", "timers",
    "timers_by_time", "outbox"};
inline constexpr std::size_t table_count = table_names.size();

constexpr const char* name(table which) noexcept { return table_names[static_cast<std::size_t>(which)]; }

} // namespace switchboard::store
