#include "store/counters.hpp"

#include <optional>
#include <random>
#include <string>

namespace switchboard::store {

namespace {

struct stored_number {
  std::optional<std::uint64_t> value; // absent: the store is new
  bool damaged = false;
};

stored_number read(write_txn& txn, std::string_view name) {
  const auto bytes = txn.get(table::meta, name);
  if (!bytes)
    return {};
  const auto value = decode_number(name, *bytes);
  return {value, !value};
}

void write(write_txn& txn, sealer& seals, std::string_view name, std::uint64_t value) {
  txn.put(table::meta, name, seals.seal(name, value));
}

error damaged(const lmdb_files& files) {
  return {errc::corrupt, files.directory() + "/data.mdb: table meta fails its check"};
}

} // namespace

bool counter::load(write_txn& txn, sealer& seals) {
  const auto stored = read(txn, name_);
  if (stored.damaged)
    return false;
  next_ = mark_ = stored.value.value_or(1); // 0 stays free: it means "not in the store"
  raise(txn, seals);
  return true;
}

void counter::raise(write_txn& txn, sealer& seals) {
  if (!is_low())
    return;
  mark_ = next_ + block_;
  write(txn, seals, name_, mark_);
}

expected<void> counters::check_format(write_txn& txn, sealer& seals, const lmdb_files& files) {
  const auto format = read(txn, "format");
  if (format.damaged)
    return damaged(files);
  if (const auto version = format.value.value_or(1); version == 0 || version > format_version)
    return error{errc::precondition_failed, files.directory() + "/data.mdb: format version " + std::to_string(version) +
                                                ", this build reads 1 to " + std::to_string(format_version)};
  if (format.value != format_version)
    write(txn, seals, "format", format_version);
  return {};
}

/// False if what is stored is damaged.
bool counters::load_log(write_txn& txn, sealer& seals) {
  const auto seed = read(txn, "log_seed");
  const auto applied = read(txn, "log_applied");
  const auto begin = read(txn, "log_begin");
  if (seed.damaged || applied.damaged || begin.damaged)
    return false;
  applied_ = applied.value.value_or(0);
  log_begin_ = begin.value.value_or(0);
  if (seed.value) {
    log_seed_ = *seed.value;
    return true;
  }
  std::random_device dice;
  log_seed_ = std::uint64_t{dice()} << 32 | dice();
  write(txn, seals, "log_seed", log_seed_);
  return true;
}

void counters::set_applied(write_txn& txn, sealer& seals, std::uint64_t sequence, std::uint64_t log_begin) {
  if (sequence != applied_)
    write(txn, seals, "log_applied", sequence);
  if (log_begin != log_begin_)
    write(txn, seals, "log_begin", log_begin);
  applied_ = sequence;
  log_begin_ = log_begin;
}

expected<void> counters::load(lmdb_files& files) {
  write_txn txn{files};
  sealer seals;
  if (auto known = check_format(txn, seals, files); !known)
    return known;
  const auto opened = read(txn, "opened");
  if (opened.damaged || !positions.load(txn, seals) || !queue_numbers.load(txn, seals) || !load_log(txn, seals))
    return damaged(files);
  incarnation_ = opened.value.value_or(0);
  write(txn, seals, "opened", incarnation_ + 1);
  return txn.commit();
}

void counters::raise(write_txn& txn, sealer& seals) {
  positions.raise(txn, seals);
  queue_numbers.raise(txn, seals);
}

} // namespace switchboard::store
