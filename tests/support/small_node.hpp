// A node without disk, plugins and configuration, for tests that need a real broker and real I/O threads: actor system,
// I/O threads, clock, metrics, directory and a broker whose log is memory. Header only: tests that don't want CAF don't
// pay for it.
#pragma once

#include <map>
#include <mutex>
#include <stdexcept>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "messages/properties.hpp"
#include "runtime/node_context.hpp"
#include "tests/support/users.hpp"

namespace switchboard::test {

/// Keeps the durable part for the life of the object; `done` runs at once on the caller's thread.
class memory_log final : public broker::durable_log {
  struct transaction final : broker::durable_transaction {
    std::vector<std::function<void(memory_log&)>> changes;
    void put_message(broker::queue_number queue, broker::position at, const message_ptr& what) override {
      changes.push_back([=](memory_log& log) { log.messages_[queue][at] = what; });
    }
    void delete_message(broker::queue_number queue, broker::position at) override {
      changes.push_back([=](memory_log& log) { log.messages_[queue].erase(at); });
    }
    void delete_queue_messages(broker::queue_number queue) override {
      changes.push_back([=](memory_log& log) { log.messages_.erase(queue); });
    }
    void put_topology(std::string key, std::string bytes) override {
      changes.push_back([=](memory_log& log) { log.topology_[key] = bytes; });
    }
    void delete_topology(std::string key) override {
      changes.push_back([=](memory_log& log) { log.topology_.erase(key); });
    }
  };

public:
  std::unique_ptr<broker::durable_transaction> begin() override { return std::make_unique<transaction>(); }
  void commit(std::unique_ptr<broker::durable_transaction> what, std::function<void()> done) override {
    {
      std::lock_guard hold{mutex_};
      for (const auto& change : static_cast<transaction&>(*what).changes)
        change(*this);
    }
    if (done)
      done();
  }
  broker::position take_positions(std::uint64_t count) override {
    std::lock_guard hold{mutex_};
    return std::exchange(next_position_, next_position_ + count);
  }
  broker::queue_number next_queue_number() override {
    std::lock_guard hold{mutex_};
    return ++last_queue_;
  }
  expected<void> each_topology(const std::function<void(std::string_view, std::string_view)>& visit) override {
    for (const auto& [key, bytes] : topology_)
      visit(key, bytes);
    return {};
  }
  expected<void> each_message(broker::queue_number queue,
                              const std::function<void(broker::position, message_ptr)>& visit) override {
    for (const auto& [at, what] : messages_[queue])
      visit(at, what);
    return {};
  }
  expected<void> fetch_messages(broker::queue_number queue, std::span<const broker::position> wanted,
                                const std::function<void(broker::position, message_ptr)>& visit) override {
    std::map<broker::position, message_ptr> all;
    {
      std::lock_guard hold{mutex_};
      all = messages_[queue];
    }
    for (const auto at : wanted)
      visit(at, all[at]);
    return {};
  }

  expected<void> read_messages(broker::queue_number queue, broker::position from,
                               const std::function<bool(broker::position, message_ptr)>& visit) override {
    std::map<broker::position, message_ptr> all;
    {
      std::lock_guard hold{mutex_};
      all = messages_[queue];
    }
    for (auto at = all.lower_bound(from); at != all.end() && visit(at->first, at->second); ++at) {
    }
    return {};
  }

private:
  std::mutex mutex_;
  std::map<std::string, std::string> topology_;
  std::map<broker::queue_number, std::map<broker::position, message_ptr>> messages_;
  broker::position next_position_ = 1;
  broker::queue_number last_queue_ = 0;
};

/// Time stands still unless moved, from any thread.
class shared_clock final : public clock {
public:
  time_point now() const override { return time_point{milliseconds{now_.load()}}; }
  void advance(milliseconds by) { now_ += by.count(); }

private:
  std::atomic<milliseconds::rep> now_{1'800'000'000'000};
};

class small_node {
public:
  explicit small_node(std::size_t io_count = 2) : io{system, io_count}, context{make_context()} {}
  /// Ends the broker as a node does: its queues let go of their consumers, which may hold the broker in turn.
  ~small_node() {
    caf::scoped_actor self{system};
    self->send_exit(context.broker->topology(), caf::exit_reason::user_shutdown);
    self->wait_for(context.broker->topology());
    io.stop();
    system.await_actors_before_shutdown(false); // the pinned ones never run again
  }

  /// Puts a message into every queue it routes to, as a publisher without credit would.
  void publish(std::string_view exchange, std::string_view body) {
    const auto what = make_message(exchange, "", encode_properties({}), body, false);
    const auto routes = context.broker->routes();
    std::vector<const broker::endpoint*> found;
    routes->route(exchange, "", {}, found);
    for (const auto* queue : found)
      caf::anon_send(static_cast<const broker::queue_handle*>(queue)->actor,
                     broker::enqueue_batch{{{what, 0, false}}, {}, 0});
  }

  caf::actor_system_config config;
  caf::actor_system system{config};
  shared_clock time;
  runtime::metrics metrics; // before the I/O threads: what is left in them still counts itself off
  runtime::directory directory;
  runtime::io_threads io;
  std::shared_ptr<memory_log> log = std::make_shared<memory_log>();
  std::unique_ptr<broker::virtual_hosts> vhosts;
  runtime::node_context context;

private:
  runtime::node_context make_context() {
    auto started = broker::virtual_hosts::start(system, io.units(), log, {});
    if (!started)
      throw std::runtime_error{started.error().what};
    vhosts = *std::move(started);
    add_guest(*vhosts);
    return {system, io, time, vhosts->standard(), metrics, directory, "test", vhosts.get()};
  }
};

} // namespace switchboard::test
