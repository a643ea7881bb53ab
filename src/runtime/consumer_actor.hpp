// What services and subscribers have in common: an actor that declares message queues, binds them, consumes them, and
// does so again when a queue is deleted under it. Guarantee: at least once; a delivery counts as done when the derived
// class settles it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/protocol.hpp"
#include "runtime/bounded_actor.hpp"
#include "runtime/dead_letters.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::runtime {

/// CAF request: response consuming, once all queues are consumed.
struct await_consuming {};
struct consuming {};
/// CAF request: stop taking deliveries, finish those at work. Response: drained.
struct drain_consumer {};
struct drained {};

/// CAF request: other versions of plugins serve now, so routes and subscriptions are read anew. Response: types_taken,
/// once what is subscribed to is bound.
struct take_types {};
struct types_taken {};

/// One queue to consume and what it is bound to.
struct consumed_queue {
  std::string name;                             ///< durable
  std::vector<std::string> exchanges;           ///< durable fanouts, declared and bound
  std::uint32_t prefetch = 1000;                ///< unsettled deliveries at once
  std::shared_ptr<broker::message_gate> gate{}; ///< null: it gets all
};

class consumer_actor : public bounded_actor {
protected:
  consumer_actor(caf::actor_config& config, node_context& node, std::shared_ptr<actor_card> card,
                 std::vector<consumed_queue> queues);

  struct delivery {
    broker::consumer_key key = 0;
    broker::delivery_number number = 0;
    broker::queue_ptr queue; ///< it came from: a later queue of that name counts anew
    broker::queued item;
  };
  /// Called for each delivery, in order. Settle it, now or later.
  virtual void on_delivery(delivery what) = 0;
  /// The deliveries that came together were handed over; what was settled of them is told to the queue after this.
  virtual void on_batch_over() {}
  void settle(const delivery& done, broker::verdict what);
  /// It can't be read, and would not become readable by coming back: settles it as a dead letter of its queue.
  void bury(delivery what, const error& why);
  /// The same for what has failed for good in some other way.
  void bury(delivery what, const failure& how);

  /// Other queues, or queues bound to other exchanges. Those that are not among `queues` go on being consumed, since
  /// what is in them must be done, but bound to nothing. The promise gets its answer when all of it is so.
  void change_queues(const std::vector<consumed_queue>& queues, caf::typed_response_promise<types_taken> promise);

  /// Handlers to join with the derived class's own.
  caf::message_handler consumer_handlers();

  node_context& node() noexcept { return node_; }
  const std::string& queue_name(broker::consumer_key key) const { return links_[key].plan.name; }

private:
  struct link {
    consumed_queue plan;
    broker::queue_ptr queue{}; ///< null: not consumed now
    bool consumes = false;
    bool bind_again = false; ///< plan.exchanges changed while it was being connected
    unsigned failures = 0;
  };

  void connect(broker::consumer_key key);
  void declare_exchange(broker::consumer_key key, std::size_t index);
  void declare_queue(broker::consumer_key key);
  void bind(broker::consumer_key key, std::size_t index);
  void consume(broker::consumer_key key);
  void change_exchanges(broker::consumer_key key, std::vector<std::string> wanted);
  void bind_also(broker::consumer_key key, std::vector<std::string> left);
  void disconnected(broker::consumer_key key, const std::string& why);
  void on_deliver(broker::deliver& what);
  void tell_waiters();
  void drain_if_idle();
  bool bury_now(const delivery& what, const failure& how);

  node_context& node_;
  std::vector<link> links_; ///< index: consumer key
  std::uint64_t unsettled_ = 0;
  bool in_batch_ = false;
  std::vector<std::pair<broker::queue_ptr, broker::settle>> settled_; ///< in this batch, neighbours joined
  bool draining_ = false;
  std::vector<caf::typed_response_promise<consuming>> await_consuming_;
  std::vector<caf::typed_response_promise<drained>> await_drained_;
  std::vector<caf::typed_response_promise<types_taken>> await_types_; ///< until nothing is changing_
  std::size_t changing_ = 0;                                          ///< links being bound anew
};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::await_consuming)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::consuming)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::drain_consumer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::drained)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::take_types)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::types_taken)
