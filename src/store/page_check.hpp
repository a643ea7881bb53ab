// Looks through the pages of data.mdb before LMDB does. LMDB trusts every byte of them: a flipped page number makes it
// crash, loop, or miss records without a word, so a damaged file must not come to it. Reads by pread, changes nothing.
//
// LMDB's format 1 (lmdb 0.9, mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node), on a little-endian machine with pages of
// 4096 bytes. What is checked: both meta pages; of every page that a tree reaches its number, kind and layout, that
// nothing else uses it, that its keys are in order and where the pages above say; counts of pages and records; and the
// CRC of every record. So a flipped bit is found, or stands where nobody reads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "store/table.hpp"

namespace switchboard::store {

/// A record as a walk finds it.
struct found_record {
  table of;
  std::string_view key;
  std::string_view value;
  bool is_intact; ///< its check holds
};

/// Where messages were lost: behind `from` (empty: the beginning), before `to` (none: the end).
struct lost_messages {
  std::string from;
  std::optional<std::string> to;
};

struct page_report {
  bool is_new = false; ///< no file, or an empty one
  /// What LMDB must not see, or would take for something else: then the tables have to be written anew.
  std::vector<std::string> broken;
  std::vector<std::string> lost; ///< which records fail their check, or can't be reached any more; as a person reads it
  std::vector<lost_messages> gaps;
  std::uint64_t records = 0; ///< that are intact
};

/// Looks at all pages of this file; `see` gets every record that can be reached, table by table. An error: the file
/// can't be read at all, or there is nothing to begin with.
expected<page_report> check_pages(const std::string& path, const std::function<void(const found_record&)>& see = {});

/// Under this name in table meta stands the number of LMDB's transaction that wrote it: LMDB's own word for which of
/// its two meta pages is the newer one has no check.
inline constexpr std::string_view transaction_mark = "transaction";

} // namespace switchboard::store
