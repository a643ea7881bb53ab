#include "store/applier.hpp"

#include "store/elision.hpp"

namespace switchboard::store {

namespace {

/// The time under which a record is indexed at present, if there is one and it can be read.
std::optional<time_point> present_time(write_txn& txn, table in, std::string_view key) {
  const auto value = txn.get(in, key);
  return value ? indexed_time(key, *value) : std::nullopt;
}

} // namespace

void applier::operator()(const batch::message_put& put) {
  const auto key = message_key(put.queue, put.at);
  if (auto* room = txn_.reserve(table::messages, key, message_value_bytes(*put.message)))
    write_message(key, *put.message, room);
}

void applier::operator()(const batch::message_delete& gone) {
  txn_.erase(table::messages, message_key(gone.queue, gone.at));
}

void applier::operator()(const batch::queue_delete& all) {
  const auto prefix = queue_prefix(all.queue);
  for (auto one = txn_.first(table::messages, prefix); one && one->key.starts_with(prefix.view());
       one = txn_.first(table::messages, prefix))
    txn_.erase(table::messages, key{}.raw(one->key));
}

void applier::operator()(const batch::topology_put& put) {
  const auto key = topology_key(put.key);
  txn_.put(table::topology, key, seals_.seal(key, put));
}

void applier::operator()(const batch::topology_delete& gone) { txn_.erase(table::topology, topology_key(gone.key)); }

// An outcome rarely changes `created`, so the index is mostly left alone.
void applier::operator()(const entity_record& put) {
  const auto key = entity_key(put.type, put.id);
  const auto before = present_time(txn_, table::entities, key);
  if (before != put.created) {
    if (before)
      txn_.erase(table::entities_by_time, entity_time_key(put.type, *before, put.id));
    const auto index = entity_time_key(put.type, put.created, put.id);
    txn_.put(table::entities_by_time, index, seals_.seal(index));
  }
  txn_.put(table::entities, key, seals_.seal(key, put));
}

void applier::operator()(const batch::entity_delete& gone) {
  const auto key = entity_key(gone.type, gone.id);
  if (const auto created = present_time(txn_, table::entities, key))
    txn_.erase(table::entities_by_time, entity_time_key(gone.type, *created, gone.id));
  txn_.erase(table::entities, key);
}

void applier::operator()(const journal_record& put) {
  const auto key = journal_key(put.type, put.id, put.sequence);
  txn_.put(table::journal, key, seals_.seal(key, put));
  const auto index = time_key(put.at, key);
  txn_.put(table::journal_by_time, index, seals_.seal(index));
}

// A replaced reply leaves its old index entry behind; expire_some() looks at the reply itself before it deletes one.
void applier::operator()(const reply_record& put) {
  const auto key = reply_key(put.scope, put.message_id);
  txn_.put(table::replies, key, seals_.seal(key, put));
  const auto index = time_key(put.expires, key);
  txn_.put(table::replies_by_time, index, seals_.seal(index));
}

void applier::operator()(const timer_record& put) {
  const auto key = timer_key(put.type, put.id, put.name);
  txn_.put(table::timers, key, seals_.seal(key, put));
}

void applier::operator()(const batch::timer_delete& gone) {
  txn_.erase(table::timers, timer_key(gone.type, gone.id, gone.name));
}

void applier::operator()(const batch::timers_delete& all) {
  const auto prefix = timer_prefix(all.type, all.id);
  for (auto one = txn_.first(table::timers, prefix); one && one->key.starts_with(prefix.view());
       one = txn_.first(table::timers, prefix))
    txn_.erase(table::timers, key{}.raw(one->key));
}

void applier::operator()(const outbox_record& put) {
  const auto key = outbox_key(put.number);
  txn_.put(table::outbox, key, seals_.seal(key, put));
}

void applier::operator()(const batch::outbox_delete& gone) { txn_.erase(table::outbox, outbox_key(gone.number)); }

std::size_t apply(write_txn& txn, sealer& seals, std::span<const std::span<const batch::operation>> parts) {
  const auto plan = elide(parts);
  applier apply_one{txn, seals};
  std::size_t index = 0;
  for (const auto part : parts)
    for (const auto& what : part)
      if (!plan.skipped[index++] && txn.ok())
        std::visit(apply_one, what);
  return plan.puts;
}

namespace {

/// Deletes at most `most` index entries before `limit`, each with its record if `is_over` says so. How many.
template <class IsOver>
std::size_t expire_index(write_txn& txn, table index, table records, std::string_view limit, std::size_t most,
                         IsOver is_over) {
  std::size_t done = 0;
  for (; done < most; ++done) {
    const auto oldest = txn.first(index, {"\0", 1});
    if (!oldest || oldest->key >= limit)
      break;
    const auto entry = key{}.raw(oldest->key);
    const auto record = key{}.raw(entry.view().substr(time_bytes));
    txn.erase(index, entry);
    if (is_over(record))
      txn.erase(records, record);
  }
  return done;
}

} // namespace

bool expire_some(write_txn& txn, time_point now, time_point journal_before, std::size_t most) {
  const auto reply_is_over = [&](std::string_view key) {
    const auto expires = present_time(txn, table::replies, key);
    return expires && *expires < now;
  };
  const auto line_is_over = [&](std::string_view key) {
    const auto at = present_time(txn, table::journal, key);
    return at && *at < journal_before;
  };
  const auto replies = expire_index(txn, table::replies_by_time, table::replies, key{}.time(now), most, reply_is_over);
  const auto lines = expire_index(txn, table::journal_by_time, table::journal, key{}.time(journal_before),
                                  most - replies, line_is_over);
  return replies + lines == most;
}

} // namespace switchboard::store
