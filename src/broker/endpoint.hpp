// What routing knows of a message queue: its identity and nothing of the actor behind it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "messages/message.hpp"

namespace switchboard::broker {

/// Identity of a message queue in the durable log; never reused. The same number as store::queue_number.
using queue_number = std::uint64_t;
/// Place of a durable message in the log; grows with time. 0: not in the log.
using position = std::uint64_t;

/// What stands behind an endpoint.
enum class endpoint_kind : std::uint8_t {
  queue,  ///< classic or quorum
  stream, ///< a queue of type stream
  delay,  ///< where the messages of an x-delayed-message exchange wait; no client sees it
};

/// Says of a message whether a queue is to get it. Asked by whoever publishes, on his thread, when it is routed and
/// before anything is written: what is refused costs nothing more. A message that no other queue gets either is then
/// unroutable (basic.return if mandatory), but an alternate exchange does not get it: the exchange had a binding for
/// it. Thread-safe.
class message_gate {
public:
  virtual ~message_gate() = default;
  virtual bool admits(const message& what) = 0;
};

/// One message queue as routing sees it. Immutable but for its gate; the actor layer derives from it and adds the
/// handle.
struct endpoint {
  endpoint(queue_number n, std::string text, bool survives, endpoint_kind what = endpoint_kind::queue)
      : number(n), name(std::move(text)), durable(survives), kind(what) {}
  virtual ~endpoint() = default;

  const queue_number number;
  const std::string name;
  const bool durable; ///< persistent messages for it go into the log
  const endpoint_kind kind;

  /// It writes into the log itself, transient messages too, and answers a publisher once that is synced. Publishers
  /// write for it only within a transaction that spans more.
  bool keeps_itself() const noexcept { return kind != endpoint_kind::queue; }

  /// For as long as the queue is there; a later queue of that name has none. For the queue's owner alone, from one
  /// thread at a time. False if it has another one.
  bool set_gate(std::shared_ptr<message_gate> gate) const {
    if (kept_gate_)
      return kept_gate_ == gate;
    kept_gate_ = std::move(gate);
    gate_.store(kept_gate_.get(), std::memory_order_release);
    return true;
  }
  bool admits(const message& what) const {
    auto* gate = gate_.load(std::memory_order_acquire);
    return !gate || gate->admits(what);
  }

private:
  mutable std::shared_ptr<message_gate> kept_gate_;
  mutable std::atomic<message_gate*> gate_{nullptr};
};
using endpoint_ptr = std::shared_ptr<const endpoint>;

} // namespace switchboard::broker
