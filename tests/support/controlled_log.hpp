// A durable log in memory whose disk the test holds in its hand: hold() makes commits wait, let_go() syncs them, in
// order. What was committed outlives any broker that uses it, so a second broker on the same log is a restart. Header
// only: tests without messages don't link it.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "broker/durable_log.hpp"

namespace switchboard::test {

/// Thread-safe.
class controlled_log final : public broker::durable_log {
public:
  std::unique_ptr<broker::durable_transaction> begin() override { return std::make_unique<transaction>(); }

  void commit(std::unique_ptr<broker::durable_transaction> what, std::function<void()> done) override {
    {
      std::lock_guard guard{mutex_};
      waiting_.push_back({std::move(static_cast<transaction&>(*what).changes), std::move(done)});
    }
    if (!held())
      let_go_all();
  }

  broker::position take_positions(std::uint64_t count) override {
    std::lock_guard guard{mutex_};
    return std::exchange(next_position_, next_position_ + count);
  }
  broker::queue_number next_queue_number() override {
    std::lock_guard guard{mutex_};
    return next_queue_++;
  }
  expected<void> each_topology(const std::function<void(std::string_view, std::string_view)>& see) override {
    const auto all = topology();
    for (const auto& [key, bytes] : all)
      see(key, bytes);
    return {};
  }
  expected<void> each_message(broker::queue_number queue,
                              const std::function<void(broker::position, message_ptr)>& see) override {
    const auto all = messages(queue);
    for (const auto& [at, what] : all)
      see(at, what);
    return {};
  }

  expected<void> fetch_messages(broker::queue_number queue, std::span<const broker::position> wanted,
                                const std::function<void(broker::position, message_ptr)>& visit) override {
    auto all = messages(queue);
    for (const auto at : wanted)
      visit(at, all[at]);
    return {};
  }

  expected<void> read_messages(broker::queue_number queue, broker::position from,
                               const std::function<bool(broker::position, message_ptr)>& see) override {
    const auto all = messages(queue);
    for (auto at = all.lower_bound(from); at != all.end() && see(at->first, at->second); ++at) {
    }
    return {};
  }

  /// Nothing is synced from now on.
  void hold() {
    std::lock_guard guard{mutex_};
    held_ = true;
  }
  /// Syncs what waits, and from now on everything at once.
  void let_go() {
    {
      std::lock_guard guard{mutex_};
      held_ = false;
    }
    let_go_all();
  }
  std::size_t waiting() const {
    std::lock_guard guard{mutex_};
    return waiting_.size();
  }

  std::map<broker::position, message_ptr> messages(broker::queue_number queue) const {
    std::lock_guard guard{mutex_};
    const auto found = messages_.find(queue);
    return found == messages_.end() ? std::map<broker::position, message_ptr>{} : found->second;
  }
  std::map<std::string, std::string> topology() const {
    std::lock_guard guard{mutex_};
    return topology_;
  }
  /// Writes a record as damage would.
  void put_raw_topology(std::string key, std::string bytes) {
    std::lock_guard guard{mutex_};
    topology_[std::move(key)] = std::move(bytes);
  }
  /// Deletions of messages that were not there: a delete that overtook its put, or came twice.
  std::size_t stray_deletions() const {
    std::lock_guard guard{mutex_};
    return stray_deletions_;
  }

private:
  using change = std::function<void(controlled_log&)>;
  struct transaction final : broker::durable_transaction {
    std::vector<change> changes;
    void put_message(broker::queue_number queue, broker::position at, const message_ptr& what) override {
      changes.push_back([=](controlled_log& log) { log.messages_[queue][at] = what; });
    }
    void delete_message(broker::queue_number queue, broker::position at) override {
      changes.push_back([=](controlled_log& log) { log.stray_deletions_ += log.messages_[queue].erase(at) == 0; });
    }
    void delete_queue_messages(broker::queue_number queue) override {
      changes.push_back([=](controlled_log& log) { log.messages_.erase(queue); });
    }
    void put_topology(std::string key, std::string bytes) override {
      changes.push_back([=](controlled_log& log) { log.topology_[key] = bytes; });
    }
    void delete_topology(std::string key) override {
      changes.push_back([=](controlled_log& log) { log.topology_.erase(key); });
    }
  };
  struct group {
    std::vector<change> changes;
    std::function<void()> done;
  };

  bool held() const {
    std::lock_guard guard{mutex_};
    return held_;
  }
  void let_go_all() {
    std::lock_guard order{syncing_}; // completions come in the order of the commits
    for (;;) {
      group next;
      {
        std::lock_guard guard{mutex_};
        if (waiting_.empty())
          return;
        next = std::move(waiting_.front());
        waiting_.pop_front();
        for (const auto& each : next.changes)
          each(*this);
      }
      if (next.done)
        next.done();
    }
  }

  mutable std::mutex mutex_;
  std::mutex syncing_;
  bool held_ = false;
  std::deque<group> waiting_;
  std::map<std::string, std::string> topology_;
  std::map<broker::queue_number, std::map<broker::position, message_ptr>> messages_;
  broker::position next_position_ = 1;
  broker::queue_number next_queue_ = 1;
  std::size_t stray_deletions_ = 0;
};

} // namespace switchboard::test
