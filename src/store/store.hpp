// The durable store: one LMDB environment with a write-ahead log before it, one writer thread with group commit.
// Whoever has something durable to say fills a `batch` and submits it; all batches that wait while one group syncs go
// into the next one (doorbell, no timer). A completion runs only after a sync that began after its batch was submitted.
// Reads see committed data.
//
// Leaves to others: what a message, a topology record or an entity's state means; it keeps bytes under keys.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/expected.hpp"
#include "base/time.hpp"
#include "messages/message.hpp"

namespace switchboard::store {

/// Durable identity of a message queue: never reused, made by `environment::next_queue_number()`.
using queue_number = std::uint64_t;
/// Order of a message among all messages of the store; unique, growing, gaps allowed. From
/// `environment::take_positions`.
using position = std::uint64_t;

/// Saved state of one entity.
struct entity_record {
  std::string type;
  std::string id;
  std::string customer_id;
  std::uint32_t state_version = 0;
  std::uint64_t sequence = 0; ///< number of outcomes so far
  std::uint64_t epoch = 0;    ///< of the shard that wrote it: fencing (0 on one node)
  time_point created{};
  time_point updated{};
  std::string state;
};

/// One line of an entity's history: what it was told and what it decided.
struct journal_record {
  std::string type;
  std::string id;
  std::uint64_t sequence = 0; ///< grows with each line of an entity; lives of one id follow one another
  std::uint64_t epoch = 0;
  time_point at{};
  std::string bytes; ///< JSON: message, outcome
};

/// A stored reply: the answer to every repeat of this message id within the window.
struct reply_record {
  std::string scope; ///< the service's queue name, so that two services may see the same id
  std::string message_id;
  time_point expires{};
  std::string bytes;
};

struct timer_record {
  std::string type; ///< of the entity
  std::string id;
  std::string name; ///< unique per entity
  std::uint64_t epoch = 0;
  time_point due{};
  std::string payload;
};

/// A message from one entity to another that has not been taken yet.
struct outbox_record {
  std::uint64_t number = 0; ///< from `environment::take_positions`; delivery order
  std::uint64_t epoch = 0;
  std::string bytes;
};

/// What must become durable together. Operations take effect in the order they were added.
class batch {
public:
  /// Each position is put once: put and deletion in one group cancel out unseen.
  void put_message(queue_number queue, position at, message_ptr message);
  void delete_message(queue_number queue, position at);
  void delete_queue_messages(queue_number queue); ///< purge or deletion
  void put_topology(std::string key, std::string bytes);
  void delete_topology(std::string key);
  void put_entity(entity_record record);
  void delete_entity(std::string type, std::string id);
  void append_journal(journal_record record);
  void put_reply(reply_record record);
  void put_timer(timer_record record);
  void delete_timer(std::string type, std::string id, std::string name);
  void delete_timers(std::string type, std::string id); ///< all of the entity
  void put_outbox(outbox_record record);
  void delete_outbox(std::uint64_t number);

  bool empty() const noexcept { return operations_.empty(); }
  /// Bytes that this batch keeps in memory until it is synced; what the credit of a submitter counts.
  std::size_t footprint() const noexcept { return footprint_; }

  struct message_put {
    queue_number queue;
    position at;
    message_ptr message;
  };
  struct message_delete {
    queue_number queue;
    position at;
  };
  struct queue_delete {
    queue_number queue;
  };
  struct topology_put {
    std::string key, bytes;
  };
  struct topology_delete {
    std::string key;
  };
  struct entity_delete {
    std::string type, id;
  };
  struct timer_delete {
    std::string type, id, name;
  };
  struct timers_delete {
    std::string type, id;
  };
  struct outbox_delete {
    std::uint64_t number;
  };
  /// The place of each in this list is its kind in the log: new ones go to the end.
  using operation = std::variant<message_put, message_delete, queue_delete, topology_put, topology_delete,
                                 entity_record, entity_delete, journal_record, reply_record, timer_record, timer_delete,
                                 timers_delete, outbox_record, outbox_delete>;
  const std::vector<operation>& operations() const noexcept { return operations_; }
  /// Leaves the batch empty but for its footprint.
  std::vector<operation> take_operations() noexcept { return std::move(operations_); }

private:
  std::vector<operation> operations_;
  std::size_t footprint_ = 0;
};

/// Operations in the order in which they take effect.
using operations = std::vector<batch::operation>;

/// Called on the writer thread once the batch is durable; must be short and must not throw. Not called at all if the
/// store fails: then `options::on_failure` runs and nothing is confirmed any more.
using completion = std::function<void()>;

struct options {
  std::string directory; ///< created if missing
  /// Most the LMDB map holds; reserved, not allocated. Its file may get larger by an eighth and 64 MiB: freed pages are
  /// used again only later.
  std::uint64_t map_bytes_max = std::uint64_t{16} << 30;
  std::uint64_t log_bytes_max = 16u << 20; ///< the log's file; what waits in memory for LMDB, too
  std::size_t group_bytes_max = 8u << 20;  ///< one group's share of the waiting batches
  bool sync = true;                        ///< false only in tests: no fsync, no durability
  /// EIO, ENOSPC, corrupt page: the store stops confirming for good. Runs once on the writer thread.
  std::function<void(const error&)> on_failure;
  /// open() found groups of the log that were confirmed once and cannot be read any more; the others are in place.
  std::function<void(const error&)> on_damage;
  /// open() found records in data.mdb that fail their check or can't be reached, or pages that are not what they should
  /// be; then the file was written anew from its intact records (salvage.hpp). Each call names one thing.
  std::function<void(const error&)> on_tables_damaged;
  /// open() found the beginning of one more group at the log's end: a write cut off by a crash, of which nobody was
  /// told that it had ended, or the last group, damaged. It is not applied.
  std::function<void(const error&)> on_log_cut;
};

struct statistics {
  std::uint64_t commits = 0;     ///< groups made durable
  std::uint64_t checkpoints = 0; ///< LMDB transactions
  std::uint64_t operations = 0;
  std::uint64_t elided = 0; ///< puts whose deletion or successor came before they reached LMDB
  std::uint64_t waiting_bytes = 0;
  std::uint64_t lump_bytes = 0;     ///< what stands in the log and not yet in the map
  std::uint64_t map_bytes_used = 0; ///< pages with data in them, as of the last checkpoint; freed ones don't count
  std::uint64_t map_bytes_file = 0; ///< what data.mdb has taken of the disk
  std::uint64_t map_bytes_max = 0;
  std::uint64_t log_bytes_to_come = 0; ///< by which the log's file will still grow
  bool is_full = false;                ///< puts wait, unconfirmed, until deletions have made room in the map
};

/// A message read back.
struct stored_message {
  queue_number queue = 0;
  position at = 0;
  message_ptr message;
};

class environment {
public:
  /// Opens or creates; checks the format version; starts the writer. Errors name the file and the cause.
  static expected<std::unique_ptr<environment>> open(options how);
  virtual ~environment() = default; ///< waits for everything submitted, then closes; never in a completion

  /// Thread-safe. Order: batches of one thread are applied in its order; a batch submitted after another was seen by
  /// any means is applied after it. A batch without a completion may wait some milliseconds for company: nobody is told
  /// when it is durable. While the map is full, batches wait in memory, but for deletions of stored messages, which
  /// make room; what still waits when the store is closed is dropped, unconfirmed.
  virtual void submit(batch what, completion done = {}) = 0;
  /// Blocks until all batches submitted and the expiry asked for so far are durable (shutdown, tests). The error of the
  /// store after a failure, or while it is full; errc::wrong_state in a completion, which would wait for itself.
  virtual expected<void> flush() = 0;

  /// `count` consecutive unused positions; the first one. Thread-safe, lock-free. After a restart larger than all
  /// before.
  virtual position take_positions(std::uint64_t count = 1) = 0;
  virtual queue_number next_queue_number() = 0;
  /// How often this store was opened before: the node's incarnation.
  virtual std::uint64_t incarnation() const = 0;

  // Reads: thread-safe, of committed data. A visit holds no snapshot: it copies a page of records and sees, further on,
  // what was committed meanwhile. So a visitor may take its time and may read or submit itself. It returns false to
  // stop. A record whose CRC fails is not passed on: it is counted, reported through the returned error (errc::corrupt)
  // after the visit of the intact ones. Before each page a visit waits until what concerns it has come from the log to
  // LMDB; after a failure of the store it can't, then that is the error. A find_… doesn't wait.
  virtual expected<void> each_topology(const std::function<bool(std::string_view key, std::string_view bytes)>&) = 0;
  virtual expected<void> each_message(queue_number queue, position from,
                                      const std::function<bool(stored_message&&)>&) = 0;
  /// The messages at those positions: ascending, each once. No message: there is none, or it fails its check. After an
  /// error nothing is said of those not visited. Waits only for what stands in the log alone.
  virtual expected<void> fetch_messages(queue_number queue, std::span<const position> wanted,
                                        const std::function<void(stored_message&&)>&) = 0;
  virtual expected<std::optional<entity_record>> find_entity(std::string_view type, std::string_view id) = 0;
  /// All entities of a type, newest first (by `created`, then id).
  virtual expected<void> each_entity(std::string_view type, const std::function<bool(entity_record&&)>&) = 0;
  /// From sequence `from` on.
  virtual expected<void> each_journal(std::string_view type, std::string_view id, std::uint64_t from,
                                      const std::function<bool(journal_record&&)>&) = 0;
  virtual expected<std::optional<reply_record>> find_reply(std::string_view scope, std::string_view message_id) = 0;
  virtual expected<void> each_timer(const std::function<bool(timer_record&&)>&) = 0;   ///< by type, id and name
  virtual expected<void> each_outbox(const std::function<bool(outbox_record&&)>&) = 0; ///< by number

  /// Deletes replies that expired before `now` and journal records older than `journal_before`, some with each group.
  /// Until then find_reply finds an expired reply: who asks compares `expires` with the clock.
  virtual void expire(time_point now, time_point journal_before) = 0;

  virtual statistics stats() const = 0;
};

} // namespace switchboard::store
