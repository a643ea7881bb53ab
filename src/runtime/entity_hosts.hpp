// All live entities of the node: finds or starts the host actor of an address and hands it work. Thread-safe; senders
// call tell() from any actor.
//
//   service, subscriber, timers, other hosts --tell(type, id, work)--> [shard: address -> host actor] --> entity_host
//                                                                              ^--- retire(): nothing left to do
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/actor.hpp>

#include "broker/retry.hpp"
#include "runtime/entity_work.hpp"
#include "runtime/hosted_types.hpp"
#include "runtime/node_context.hpp"
#include "runtime/supervision.hpp"
#include "runtime/timer_service.hpp"
#include "store/store.hpp"

namespace switchboard::runtime {

struct entity_limits {
  std::size_t mailbox_max = 1000;                    ///< messages waiting for one entity
  milliseconds reply_window{std::chrono::hours{24}}; ///< how long repeats get the stored reply
  milliseconds idle{std::chrono::minutes{10}};       ///< an entity without work leaves memory; its state stays stored
  std::size_t resident_max = 50'000; ///< with more in memory, those leave that were without work for crowded_idle
  milliseconds crowded_idle{std::chrono::seconds{5}};
  milliseconds parked{std::chrono::seconds{30}};           ///< how long one that keeps failing answers 503
  restart_limits failures{};                               ///< before it is parked
  milliseconds journal_window{std::chrono::hours{24 * 7}}; ///< how long what it decided can be decided again
  broker::retry_rules retry{};                             ///< of what fails and may succeed later
};

/// The actor of one live entity, as everybody but itself knows it; it keeps this alive.
struct entity_address {
  const served_type& type;
  const std::string id;

  /// "/entities/call/<id>"
  std::string path() const { return "/entities/" + type.name() + "/" + id; }
};
struct live_entity {
  caf::actor host;
  const entity_address* at = nullptr;
  const actor_counts* counts = nullptr;
};

class entity_hosts final : public actor_crowd {
public:
  entity_hosts(node_context& node, std::shared_ptr<store::environment> store, entity_limits limits);
  ~entity_hosts();

  hosted_types& types() noexcept { return types_; }
  const hosted_types& types() const noexcept { return types_; }

  /// Hands over. False if there is no such type or the hosts are closed; then the work is untouched. Work that finds a
  /// full mailbox is answered by work_done with status 503.
  bool tell(const std::string& type, const std::string& id, const entity_work_ptr& work);
  /// False: nobody has told it anything that it keeps. So that what is only for those who exist need not start a host.
  bool may_exist(const std::string& type, const std::string& id) const;

  /// Another version of the type serves: those in memory go over to it, some at a time. Blocks meanwhile, at least a
  /// second for 50,000; returns early if the hosts are closed.
  void move_live(const served_type& type);
  /// The same for one of them, which comes to memory for it.
  void move_stored(served_type& type, const std::string& id);
  /// An entity that the version that serves can't open, so another one goes on deciding for it.
  struct kept_entity {
    std::string type, id, version, reason;
  };
  void kept(kept_entity which);
  /// The last ones, earliest first, and how many there were.
  std::pair<std::vector<kept_entity>, std::uint64_t> kept() const;

  /// Those that were told nothing since the last call get leave_if_idle.
  void ask_idle_to_leave();

  /// Work told and not finished, over all entities.
  std::uint64_t busy() const noexcept { return busy_.load(std::memory_order_acquire); }
  bool closed() const noexcept { return closed_; }

  std::string_view kind() const override { return "entity"; }
  std::size_t size() const override;
  std::int64_t mailbox() const override;
  void list(std::string_view prefix, std::vector<actor_row>& into) const override;

  /// Host actors that have not ended; after close() this object may go once it is 0.
  std::uint64_t alive() const noexcept { return alive_.load(std::memory_order_acquire); }

  /// The node stops: what waits for another attempt is given back to its queue, or is found at the next start.
  void give_back();

  /// Ends all hosts; tell() returns false from now on. Durable effects that had not left are found at the next start.
  void close();

  node_context& node() noexcept { return node_; }
  store::environment& store() noexcept { return *store_; }
  timer_service& timers() noexcept { return timers_; }
  const entity_limits& limits() const noexcept { return limits_; }

  // For entity_host only.
  /// True: forgotten, nothing more will come, so it may quit. False: `taken` pieces of work are not all there were.
  bool retire(const entity_address& who, std::uint64_t taken);
  /// It has put work aside, or has none aside any more: who is to be told to give it back.
  void put_aside(const caf::actor& host, bool any);
  void finished(std::uint64_t count = 1) noexcept { busy_.fetch_sub(count, std::memory_order_acq_rel); }
  /// Work that was put aside is taken up again.
  void resumed() noexcept { busy_.fetch_add(1, std::memory_order_acq_rel); }
  /// The host ended, `done` pieces of work finished and `refused` ones answered (tell() may count one more until it
  /// sees this). If it did so without retire(), the next message starts another.
  void ended(const entity_address& at, caf::actor_id who, std::uint64_t done,
             const std::atomic<std::uint64_t>& refused);

private:
  struct entry {
    live_entity live;
    std::uint64_t told = 0;
    std::uint64_t told_before = 0; ///< at the last look for idle ones
  };
  /// The id's text is the entry's own (`live.at`) or, to look one up, the caller's.
  struct key {
    const served_type* type;
    std::string_view id;
    bool operator==(const key&) const = default;
  };
  struct key_hash {
    std::size_t operator()(const key& of) const noexcept {
      return std::hash<const void*>{}(of.type) * 31 + std::hash<std::string_view>{}(of.id);
    }
  };
  struct shard {
    mutable std::mutex mutex;
    std::unordered_map<key, entry, key_hash> entries;
  };
  const shard& shard_of(const key& at) const { return shards_[key_hash{}(at) % shards_.size()]; }
  shard& shard_of(const key& at) { return shards_[key_hash{}(at) % shards_.size()]; }
  /// Under the shard's lock.
  entry& find_or_start(shard& home, const key& at);
  template <class Each>
  void each_entry(Each&& each) const;

  node_context& node_;
  std::shared_ptr<store::environment> store_;
  entity_limits limits_;
  timer_service timers_;
  hosted_types types_;
  mutable std::mutex kept_mutex_;
  std::deque<kept_entity> kept_; ///< under kept_mutex_, bounded
  std::uint64_t kept_count_ = 0; ///< under kept_mutex_
  std::array<shard, 32> shards_;
  std::mutex aside_mutex_;
  std::map<caf::actor_id, caf::actor> aside_; ///< under aside_mutex_: hosts with work put aside
  std::atomic<std::uint64_t> busy_{0};
  std::atomic<std::uint64_t> alive_{0};
  std::atomic<bool> closed_{false};
};

} // namespace switchboard::runtime
