// Opening, reading, and the doors to the writer.
//
//   open: directory -> LOCK -> a look through the pages -> LMDB files -> counters (format, incarnation, numbers) ->
//   what the log has more -> writer
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "store/counters.hpp"
#include "store/directory_lock.hpp"
#include "store/key.hpp"
#include "store/lmdb_files.hpp"
#include "store/paged_walk.hpp"
#include "store/record.hpp"
#include "store/recovery.hpp"
#include "store/salvage.hpp"
#include "store/store.hpp"
#include "store/write_ahead_log.hpp"
#include "store/writer.hpp"

namespace switchboard::store {

namespace {

/// LMDB wants a key to seek to; no key of ours is smaller.
constexpr std::string_view first_key{"\0", 1};

error damaged(const lmdb_files& files, table of, const std::string& which) {
  return {errc::corrupt, files.directory() + "/data.mdb: table " + name(of) + ": " + which + " fails its check"};
}

/// A directory that only we can enter.
expected<void> make_directory(const std::string& path) {
  std::error_code trouble;
  if (std::filesystem::is_directory(path, trouble))
    return {};
  if (std::filesystem::exists(path, trouble))
    return {errc::io_failed, path + ": not a directory"};
  if (const auto parent = std::filesystem::path{path}.parent_path(); !parent.empty())
    std::filesystem::create_directories(parent, trouble);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return {errc::io_failed, path + ": " + std::strerror(errno)};
  return {};
}

/// Reads an entry that is the record itself.
template <class Record>
auto plain(std::optional<Record> (*decode)(std::string_view, std::string_view)) {
  return [decode](read_txn&, std::string_view key, std::string_view value) {
    reading<Record> one{decode(key, value), false, key.size() + value.size()};
    one.damaged = !one.record;
    return one;
  };
}

/// Reads the record that an index entry names. Skips an entry that isn't the record's present place.
template <class Record>
auto indexed(table records, std::optional<Record> (*decode)(std::string_view, std::string_view),
             key (*key_of)(std::string_view entry), key (*place_of)(const Record&)) {
  return [=](read_txn& txn, std::string_view entry, std::string_view seal) -> reading<Record> {
    if (!unseal(entry, seal))
      return {std::nullopt, true, 0};
    const key record_key = key_of(entry);
    const auto value = txn.get(records, record_key);
    if (!value)
      return {};
    auto record = decode(record_key, *value);
    if (!record)
      return {std::nullopt, true, 0};
    if (place_of(*record).view() != entry)
      return {};
    return {std::move(record), false, value->size()};
  };
}

key place_of_entity(const entity_record& record) { return entity_time_key(record.type, record.created, record.id); }

class lmdb_environment final : public environment {
public:
  lmdb_environment(directory_lock lock, std::unique_ptr<lmdb_files> files) noexcept
      : lock_(std::move(lock)), files_(std::move(files)) {}

  expected<void> start(options how) {
    if (auto loaded = numbers_.load(*files_); !loaded)
      return loaded;
    auto log = write_ahead_log::open(files_->directory(), how.log_bytes_max, how.sync);
    if (!log)
      return log.error();
    if (auto recovered = recover(*files_, numbers_, *log, how); !recovered)
      return recovered;
    writer_.emplace(*files_, numbers_, std::move(*log),
                    writer::settings{how.group_bytes_max, how.log_bytes_max, std::move(how.on_failure)});
    return {};
  }

  void submit(batch what, completion done) override { writer_->submit(std::move(what), std::move(done)); }
  expected<void> flush() override { return writer_->flush(); }
  void expire(time_point now, time_point journal_before) override { writer_->expire(now, journal_before); }
  statistics stats() const override { return writer_->stats(); }
  std::uint64_t incarnation() const override { return numbers_.incarnation(); }

  position take_positions(std::uint64_t count) override { return take(numbers_.positions, count); }
  queue_number next_queue_number() override { return take(numbers_.queue_numbers, 1); }

  expected<void> each_topology(const std::function<bool(std::string_view, std::string_view)>& visit) override {
    return walk<batch::topology_put>(table::topology, {}, first_key, plain(decode_topology),
                                     [&visit](batch::topology_put&& found) { return visit(found.key, found.bytes); });
  }

  expected<void> each_message(queue_number queue, position from,
                              const std::function<bool(stored_message&&)>& visit) override {
    return walk(table::messages, queue_prefix(queue), message_key(queue, from), plain(decode_message), visit);
  }

  expected<void> fetch_messages(queue_number queue, std::span<const position> wanted,
                                const std::function<void(stored_message&&)>& visit) override {
    // Nobody changes a record, so what LMDB has is right, whatever the log holds besides.
    std::vector<position> absent, gone;
    if (auto read = fetch(queue, wanted, visit, absent); !read || absent.empty())
      return read;
    if (auto settled = writer_->settle(table::messages); !settled)
      return settled;
    if (auto read = fetch(queue, absent, visit, gone); !read)
      return read;
    for (const auto at : gone)
      visit({queue, at, {}});
    return {};
  }

  expected<std::optional<entity_record>> find_entity(std::string_view type, std::string_view id) override {
    if (auto recent = writer_->recent().find_entity(type, id))
      return std::move(*recent);
    return find(table::entities, entity_key(type, id), decode_entity, type, id);
  }

  expected<void> each_entity(std::string_view type, const std::function<bool(entity_record&&)>& visit) override {
    const auto prefix = entity_prefix(type);
    return walk(table::entities_by_time, prefix, prefix,
                indexed(table::entities, decode_entity, entity_key_of, place_of_entity), visit);
  }

  expected<void> each_journal(std::string_view type, std::string_view id, std::uint64_t from,
                              const std::function<bool(journal_record&&)>& visit) override {
    return walk(table::journal, journal_prefix(type, id), journal_key(type, id, from), plain(decode_journal), visit);
  }

  expected<std::optional<reply_record>> find_reply(std::string_view scope, std::string_view message_id) override {
    if (auto recent = writer_->recent().find_reply(scope, message_id))
      return std::move(*recent);
    return find(table::replies, reply_key(scope, message_id), decode_reply, scope, message_id);
  }

  expected<void> each_timer(const std::function<bool(timer_record&&)>& visit) override {
    return walk(table::timers, {}, first_key, plain(decode_timer), visit);
  }

  expected<void> each_outbox(const std::function<bool(outbox_record&&)>& visit) override {
    return walk(table::outbox, {}, first_key, plain(decode_outbox), visit);
  }

private:
  std::uint64_t take(counter& of, std::uint64_t count) {
    const auto first = of.take(count);
    if (of.is_low())
      writer_->nudge();
    return first;
  }

  expected<void> fetch(queue_number queue, std::span<const position> wanted,
                       const std::function<void(stored_message&&)>& visit, std::vector<position>& absent) {
    read_txn txn{*files_};
    read_cursor cursor{txn, table::messages};
    for (const auto at : wanted) {
      const auto key = message_key(queue, at);
      if (cursor.seek(key) && cursor.key() == key.view())
        visit(decode_message(key, cursor.value()).value_or(stored_message{queue, at, {}}));
      else if (txn.code() != 0)
        return to_error(txn.code(), *files_);
      else
        absent.push_back(at);
    }
    return {};
  }

  template <class Record, class Read>
  expected<void> walk(table of, std::string_view prefix, std::string_view from, Read read,
                      const std::function<bool(Record&&)>& visit) {
    const auto settle = [this, of] { return writer_->settle(of); };
    return paged_walk<Record, Read, decltype(settle)>{*files_, of, prefix, from, std::move(read), settle}.run(visit);
  }

  template <class Record>
  expected<std::optional<Record>> find(table in, const key& key,
                                       std::optional<Record> (*decode)(std::string_view, std::string_view),
                                       std::string_view first_name, std::string_view last_name) {
    read_txn txn{*files_};
    const auto value = txn.get(in, key);
    if (txn.code() != 0)
      return to_error(txn.code(), *files_);
    if (!value)
      return std::optional<Record>{};
    auto record = decode(key, *value);
    if (!record)
      return damaged(*files_, in, std::string{first_name} + ' ' + std::string{last_name});
    return record;
  }

  // In the order of their making; the writer goes first and writes what is left.
  const directory_lock lock_;
  const std::unique_ptr<lmdb_files> files_;
  counters numbers_;
  std::optional<writer> writer_;
};

} // namespace

expected<std::unique_ptr<environment>> environment::open(options how) {
  if (auto made = make_directory(how.directory); !made)
    return made.error();
  auto lock = directory_lock::take(how.directory);
  if (!lock)
    return lock.error();
  if (auto readable = make_readable(how.directory, how); !readable)
    return readable.error();
  auto files = lmdb_files::open(how.directory, how.map_bytes_max, how.sync);
  if (!files)
    return files.error();
  auto made = std::make_unique<lmdb_environment>(std::move(*lock), std::move(*files));
  if (auto started = made->start(std::move(how)); !started)
    return started.error();
  return std::unique_ptr<environment>{std::move(made)};
}

} // namespace switchboard::store
