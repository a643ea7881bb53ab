// Publishing into the broker from an actor: routes messages, collects one `enqueue_batch` per queue and one transaction
// for what must be durable, and sends them together. One per publishing actor (AMQP channel group, service, gateway);
// not thread-safe. Counts what is on its way, which is the publisher's credit.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <caf/event_based_actor.hpp>

#include "broker/broker.hpp"

namespace switchboard::broker {

/// What became of one publish at routing time.
enum class routed {
  queued,      ///< at least one queue gets it
  replied,     ///< a direct reply consumer gets it, which is no queue (basic.return if mandatory)
  unroutable,  ///< the exchange has no queue for it (basic.return if mandatory)
  no_exchange, ///< 404
  internal,    ///< 403: the exchange takes no publishes from clients
};

/// Says of a queue whether a message may go to it.
using queue_filter = std::function<bool(std::string_view queue)>;

class publisher {
public:
  explicit publisher(broker_ptr where) : broker_(std::move(where)) {}

  /// What follows is routed as things are then; call before the first publish() of a batch. Within one it does nothing.
  void begin();
  /// Routes by the message's exchange, keys (also those in CC and BCC, routing_keys.hpp) and headers, and adds it to
  /// the batch. Each one that does not fail has the next ordinal, from 0 in each batch (`enqueued::refused`).
  routed publish(const message_ptr& what);
  /// Like publish, but what must be durable goes into `within`, a transaction of the caller's (one outcome, one
  /// commit). Then take() and, once that transaction is on disk, handoff::send().
  /// `may_take`, if given, is asked of each queue; then the message comes from a queue, not from a client, and may go
  /// to internal exchanges.
  routed publish(const message_ptr& what, durable_transaction& within, const queue_filter& may_take = {});

  /// As publish() within a transaction, but through that exchange, wherever the message was published; a queue sends
  /// it.
  routed publish_from(std::string_view exchange, const message_ptr& what, durable_transaction& within);

  /// Into that queue alone, whatever the message's exchange and keys are.
  routed publish_to(std::string_view queue, const message_ptr& what, durable_transaction& within);

  bool empty() const noexcept { return collected_.batches_.empty() && collected_.replies_.empty(); }

  /// Sends everything collected. Messages for durable queues are handed to the queues at once and to the log at the
  /// same time; `self` gets one `enqueued` with `token` per queue (returned count) and, if anything was durable, `done`
  /// runs on the log's thread.
  struct sent {
    std::uint32_t queues = 0; ///< `enqueued` messages to expect
    bool durable = false;     ///< `done` will run
    std::size_t bytes = 0;
  };
  sent flush(caf::event_based_actor* self, std::uint64_t token, std::function<void()> done);
  /// What publish(…, within) collected since the last take(): ready to go, not yet gone. Dropping it drops the
  /// deliveries of transient messages; durable ones are then found again at the next start.
  class handoff {
  public:
    /// Hands the messages to queues and reply consumers; nothing is written. Call once, from any thread.
    void send();
    /// Something of it was put into the transaction.
    bool durable() const noexcept { return durable_; }

  private:
    friend class publisher;
    bool durable_ = false;
    std::shared_ptr<const routing_table> routes_; // keeps the queues below alive
    std::vector<std::pair<const queue_handle*, enqueue_batch>> batches_;
    std::vector<std::pair<caf::actor, direct_reply>> replies_;
  };
  handoff take();

private:
  struct path {
    std::string_view exchange;
    bool from_client = true;
    durable_transaction* within = nullptr;
    const queue_filter* may_take = nullptr;
  };
  routed route(message_ptr what, const path& by);
  /// Writes it into the log if that is the publisher's to do; its position there, or 0.
  position keep(const queue_handle& queue, const message_ptr& what, durable_transaction* within, position& at);
  /// To the reply consumer of that address; false if there is none.
  bool reply(std::string_view address, const message_ptr& what);
  enqueue_batch& batch_for(const queue_handle* queue);

  broker_ptr broker_;
  handoff collected_;
  std::unique_ptr<durable_transaction> durable_;
  std::vector<const endpoint*> found_; // reused by route()
  std::size_t bytes_ = 0;
  std::uint32_t next_ordinal_ = 0;
};

} // namespace switchboard::broker
