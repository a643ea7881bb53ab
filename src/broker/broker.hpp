// The broker of one virtual host as the rest of the node holds it: the topology actor, the current routes, and the
// names of reply consumers. Thread-safe; shared by all sessions, services and bridges. See protocol.hpp for what to
// send where.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "base/expected.hpp"
#include "broker/durable_log.hpp"
#include "broker/protocol.hpp"
#include "broker/reply_directory.hpp"
#include "broker/routing_table.hpp"
#include "broker/topology_records.hpp"

namespace switchboard::broker {

struct limits {
  /// Ready bytes of one queue with consumers above which its publishers wait (and go on at half of it).
  std::size_t backlog_bytes_max = 32u << 20;
  /// Bytes of all messages in memory above which nobody publishes.
  std::size_t memory_bytes_max = std::size_t{4} << 30;
  /// Ready bytes of one queue in memory; beyond it messages are in the log alone, until their turn is near.
  std::size_t resident_bytes_max = 64u << 20;
};

/// Execution units that queue actors are spread over; queue n runs on homes[n % size]. Owned by the runtime.
using homes = std::vector<caf::execution_unit*>;

class broker {
public:
  /// Reads topology and durable messages back from the log and starts the actors. Blocking; call before any listener.
  static expected<std::shared_ptr<broker>> start(caf::actor_system& system, homes where,
                                                 std::shared_ptr<durable_log> log, limits bounds);
  /// The same with records that somebody else has read.
  static expected<std::shared_ptr<broker>> start(caf::actor_system& system, homes where,
                                                 std::shared_ptr<durable_log> log, limits bounds, std::string vhost,
                                                 std::vector<topology_record> records);

  const std::string& vhost() const noexcept { return vhost_; }
  const caf::actor& topology() const noexcept { return topology_; }
  std::shared_ptr<const routing_table> routes() const noexcept { return routes_.load(std::memory_order_acquire); }
  reply_directory& replies() noexcept { return replies_; }
  durable_log& log() noexcept { return *log_; }
  const limits& bounds() const noexcept { return bounds_; }

  /// Queues some of whose stored messages could not be read at the start; the others were. Fixed once start() is done.
  const std::vector<std::string>& damaged_queues() const noexcept { return damaged_queues_; }

  /// Messages in queues for dead letters (retry.hpp) that have any, by queue.
  std::map<std::string, std::uint64_t> dead_letters() const {
    const std::lock_guard hold{letters_mutex_};
    return letters_;
  }
  /// For queues only.
  void count_dead_letters(const std::string& queue, std::uint64_t count) {
    const std::lock_guard hold{letters_mutex_};
    if (count > 0)
      letters_[queue] = count;
    else
      letters_.erase(queue);
  }

  /// For the topology actor only.
  void note_damaged(std::string queue) { damaged_queues_.push_back(std::move(queue)); }
  void swap_routes(std::shared_ptr<const routing_table> next) {
    routes_.store(std::move(next), std::memory_order_release);
  }

private:
  std::string vhost_ = "/";
  std::shared_ptr<durable_log> log_;
  limits bounds_;
  caf::actor topology_;
  std::atomic<std::shared_ptr<const routing_table>> routes_;
  reply_directory replies_;
  std::vector<std::string> damaged_queues_;
  mutable std::mutex letters_mutex_;
  std::map<std::string, std::uint64_t> letters_; ///< under letters_mutex_
};
using broker_ptr = std::shared_ptr<broker>;

} // namespace switchboard::broker
