// What stands in the log and not yet in LMDB: the groups since the last checkpoint, in memory. Whatever is put and
// taken within one lump never reaches LMDB. While one lump is frozen and on its way to LMDB, the next one gathers.
// Readers look here first.
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

/// find_… and touches are thread-safe. What is frozen belongs to the thread that brings it to LMDB, the rest to the
/// writer. Bound: the log's size for each of the two.
class lump {
public:
  void add(operations group, std::size_t bytes);
  /// What gathered is frozen. Precondition: nothing is.
  void freeze();
  // After LMDB has it: who doesn't find a record here any more finds it there.
  void clear_gathering();
  void clear_frozen();
  /// Once it is known what LMDB takes for them: until then bytes() has them.
  void forget_frozen_bytes() noexcept { frozen_bytes_ = 0; }

  bool empty() const noexcept { return gathering_.groups.empty(); } ///< nothing gathers; something may be frozen
  std::size_t gathering_bytes() const noexcept { return gathering_.bytes; }
  /// About what both keep in memory.
  std::size_t bytes() const noexcept { return gathering_.bytes + frozen_bytes_; }
  const std::vector<operations>& groups() const noexcept { return gathering_.groups; }
  const std::vector<operations>& frozen_groups() const noexcept { return frozen_.groups; }

  recent<entity_record> find_entity(std::string_view type, std::string_view id) const;
  recent<reply_record> find_reply(std::string_view scope, std::string_view message_id) const;
  /// Whether a visit of the table would miss something that is here.
  bool touches(table visited) const;

private:
  struct generation {
    std::vector<operations> groups;
    std::size_t bytes = 0;
    std::unordered_map<std::string, const batch::operation*> last; // by table and key, the last word on each
    std::bitset<table_count> touched;

    void index(const batch::operation& what);
  };
  /// The last word on a record, of the younger generation that has one; nullptr if none has.
  const batch::operation* last(const std::string& name) const;
  void clear(generation& what);

  mutable std::mutex mutex_; // of what others than the writer read, and of what it points to
  generation gathering_;
  generation frozen_;
  std::size_t frozen_bytes_ = 0;
};

} // namespace switchboard::store
