#include "store/recovery.hpp"

#include <span>
#include <string>
#include <vector>

#include "base/fail_point.hpp"
#include "store/applier.hpp"
#include "store/log_record.hpp"

namespace switchboard::store {

namespace {

error lost_groups(const write_ahead_log& log, const log_damage& damage, const std::string& kept) {
  return {errc::corrupt, log.path() + ": groups " + std::to_string(damage.first) + " to " +
                             std::to_string(damage.last) + " at byte " + std::to_string(damage.at) +
                             " fail their check; what is left of them is " + kept};
}

error cut_group(const write_ahead_log& log, const log_contents& found, const std::string& kept) {
  return {errc::corrupt, log.path() + ": of group " + std::to_string(found.next) + " at byte " +
                             std::to_string(*found.cut_at) +
                             " only a part is there: the write was cut off before anybody was told of its end, or the "
                             "disk damaged it. It is not applied; what is there is " +
                             kept};
}

/// What is worth a look later: all of the log if something is lost, else the one record that may be.
std::string keep(const write_ahead_log& log, std::string_view bytes, const log_contents& found, std::uint64_t applied,
                 std::uint64_t log_bytes_max) {
  const auto kept =
      log.keep(found.damaged.empty() ? bytes.substr(*found.cut_at, record_bytes_max(log_bytes_max)) : bytes, applied);
  return kept ? "in " + *kept : "not kept: " + kept.error().what;
}

} // namespace

expected<void> recover(lmdb_files& files, counters& numbers, write_ahead_log& log, const options& how) {
  const auto bytes = log.read();
  if (!bytes)
    return bytes.error();
  const auto found = read_log(*bytes, numbers.log_seed(), numbers.applied(), numbers.log_begin());
  if (found.is_ahead)
    return error{errc::precondition_failed,
                 log.path() + ": does not go on where data.mdb ends (group " + std::to_string(numbers.applied()) +
                     "): they are not of the same moment. Without write_ahead.log the store opens as data.mdb has it"};
  if (!found.damaged.empty() || found.cut_at) {
    const auto kept = keep(log, *bytes, found, numbers.applied(), how.log_bytes_max);
    for (const auto& one : found.damaged)
      if (how.on_damage)
        how.on_damage(lost_groups(log, one, kept));
    if (how.on_log_cut && found.cut_at)
      how.on_log_cut(cut_group(log, found, kept));
  }
  if (how.on_log_cut && !log.is_whole())
    how.on_log_cut({errc::corrupt, log.path() + ": ends at byte " + std::to_string(bytes->size()) +
                                       ", which is no size that the store gives it: something cut it off"});
  if (found.groups.empty() && numbers.log_begin() == 0)
    return {};
  std::vector<std::span<const batch::operation>> parts;
  for (const auto& group : found.groups) {
    parts.emplace_back(group.changes);
    numbers.positions.skip_to(group.stamp.positions);
    numbers.queue_numbers.skip_to(group.stamp.queue_numbers);
  }
  write_txn txn{files};
  sealer seals;
  apply(txn, seals, parts);
  if (!found.groups.empty() && txn.bytes_used() > files.map_bytes_max())
    return to_error(MDB_MAP_FULL, files);
  numbers.raise(txn, seals);
  numbers.set_applied(txn, seals, found.groups.empty() ? numbers.applied() : found.groups.back().stamp.sequence, 0);
  pass(fail_point::recovery_before_commit);
  if (auto synced = txn.commit(); !synced)
    return synced;
  pass(fail_point::recovery_after_commit);
  return {};
}

} // namespace switchboard::store
