// Operations of batches as changes of tables. Keeps each index in step with its records.
#pragma once

#include <span>
#include <string_view>

#include "store/key.hpp"
#include "store/lmdb_files.hpp"
#include "store/record.hpp"
#include "store/store.hpp"

namespace switchboard::store {

/// Applies operations to one transaction; errors gather there. Lives as long as it, on its thread.
class applier {
public:
  applier(write_txn& txn, sealer& seals) noexcept : txn_(txn), seals_(seals) {}

  void operator()(const batch::message_put& put);
  void operator()(const batch::message_delete& gone);
  void operator()(const batch::queue_delete& all);
  void operator()(const batch::topology_put& put);
  void operator()(const batch::topology_delete& gone);
  void operator()(const entity_record& put);
  void operator()(const batch::entity_delete& gone);
  void operator()(const journal_record& put);
  void operator()(const reply_record& put);
  void operator()(const timer_record& put);
  void operator()(const batch::timer_delete& gone);
  void operator()(const batch::timers_delete& all);
  void operator()(const outbox_record& put);
  void operator()(const batch::outbox_delete& gone);

private:
  write_txn& txn_;
  sealer& seals_;
};

/// Applies all parts in their order but for what cancels out. How many puts did.
std::size_t apply(write_txn& txn, sealer& seals, std::span<const std::span<const batch::operation>> parts);

/// Deletes at most `most` expired replies and old journal records. True if there may be more.
bool expire_some(write_txn& txn, time_point now, time_point journal_before, std::size_t most);

} // namespace switchboard::store
