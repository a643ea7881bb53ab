// What stands in the log and not yet in LMDB: the groups since the last checkpoint, in memory. Whatever is put and
// taken within one lump never reaches LMDB. Readers look here first.
#pragma once

#include <bitset>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/store.hpp"
#include "store/table.hpp"

namespace switchboard::store {

/// A lookup's answer from memory: nothing if LMDB must be asked, else the record or that it is deleted.
template <class Record>
using recent = std::optional<std::optional<Record>>;

/// add, clear and groups belong to the writer, the rest is thread-safe. Bound: the log's size.
class lump {
public:
  void add(operations group, std::size_t bytes);
  void clear(); ///< after LMDB has it: who doesn't find a record here any more finds it there

  bool empty() const noexcept { return groups_.empty(); }
  std::size_t bytes() const noexcept { return bytes_; } ///< about what it keeps in memory
  const std::vector<operations>& groups() const noexcept { return groups_; }

  recent<entity_record> find_entity(std::string_view type, std::string_view id) const;
  recent<reply_record> find_reply(std::string_view scope, std::string_view message_id) const;
  /// Whether a visit of the table would miss something that is here.
  bool touches(table visited) const;

private:
  void index(const batch::operation& what);

  mutable std::mutex mutex_; // of what others than the writer read, and of what it points to
  std::vector<operations> groups_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, const batch::operation*> last_; // by table and key, the last word on each
  std::bitset<table_count> touched_;
};

} // namespace switchboard::store
