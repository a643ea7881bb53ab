// What routing knows of a message queue: its identity and nothing of the actor behind it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

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

/// One message queue as routing sees it. Immutable; the actor layer derives from it and adds the handle.
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
};
using endpoint_ptr = std::shared_ptr<const endpoint>;

} // namespace switchboard::broker
