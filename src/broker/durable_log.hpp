// The broker's seam to whatever keeps durable queues and topology: the embedded store on one node, RabbitMQ's quorum
// queues behind a grown cluster. Implementations pass one contract test (tests/broker/durable_log_contract.hpp).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "broker/endpoint.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

/// Changes that become durable together or not at all. Filled by one thread.
class durable_transaction {
public:
  virtual ~durable_transaction() = default;
  /// Positions are unique within their queue, whoever chose them, and put once.
  virtual void put_message(queue_number queue, position at, const message_ptr& message) = 0;
  virtual void delete_message(queue_number queue, position at) = 0;
  virtual void delete_queue_messages(queue_number queue) = 0;
  virtual void put_topology(std::string key, std::string bytes) = 0;
  virtual void delete_topology(std::string key) = 0;
};

/// Thread-safe.
class durable_log {
public:
  virtual ~durable_log() = default;
  virtual std::unique_ptr<durable_transaction> begin() = 0;
  /// `done` runs on a thread of the log once everything is on disk: after a sync that began after this call. It must be
  /// short. It never runs if the log failed. Transactions of one thread keep their order.
  virtual void commit(std::unique_ptr<durable_transaction> what, std::function<void()> done) = 0;
  virtual position take_positions(std::uint64_t count) = 0;
  virtual queue_number next_queue_number() = 0;
  virtual expected<void> each_topology(const std::function<void(std::string_view key, std::string_view bytes)>&) = 0;
  virtual expected<void> each_message(queue_number queue, const std::function<void(position, message_ptr)>&) = 0;
  /// The queue's messages from position `from` on, in order, of what is committed, until the visitor returns false. It
  /// may take its time.
  virtual expected<void> read_messages(queue_number queue, position from,
                                       const std::function<bool(position, message_ptr)>&) = 0;
  /// The queue's messages at those positions (ascending, each once) of what is committed; null for one that can't be
  /// read, which the log then reports. After an error nothing is said of those not visited.
  virtual expected<void> fetch_messages(queue_number queue, std::span<const position> wanted,
                                        const std::function<void(position, message_ptr)>&) = 0;
  /// Bytes that may be written now of what needn't be durable; 0 near a full log or disk.
  virtual std::uint64_t room_for_pages() const { return ~std::uint64_t{0}; }
};

} // namespace switchboard::broker
