// The broker's whole message vocabulary, grouped by who receives it. Plain structs, local to one process.
//
//   publisher --enqueue_batch--> queue --deliver--> consumer          "consumer": any actor: an AMQP session, a
//   service,
//       ^---------enqueued---------'  ^---settle------'                the WebSocket hub, the ZeroMQ bridge …
//                                     ^---grant-------'
//   anyone --declare_queue, bind, …--> topology                 answers are CAF responses or a caf::error of our errc
//
// Two credits bound memory. A publisher counts the bytes it has sent and stops reading its source until `enqueued`
// comes back; a queue with consumers that is too deep holds `enqueued` back. A queue sends a consumer at most
// `link_messages_max` / `link_bytes_max` that have not been granted back, whatever its prefetch is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "broker/endpoint.hpp"
#include "broker/policies.hpp"
#include "broker/specs.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

/// A message queue with its actor: what a route resolves to.
struct queue_handle final : endpoint {
  queue_handle(queue_number n, std::string text, bool survives, caf::actor behind,
               endpoint_kind what = endpoint_kind::queue)
      : endpoint(n, std::move(text), survives, what), actor(std::move(behind)) {}
  const caf::actor actor;
};
using queue_ptr = std::shared_ptr<const queue_handle>;

/// A consumer within its actor: chosen by the actor that consumes, unique among its consumers.
using consumer_key = std::uint32_t;
/// The n-th message given to a consumer, from 1. Both sides count, so acknowledgements are ranges.
using delivery_number = std::uint64_t;

inline constexpr std::size_t link_messages_max = 2048;
inline constexpr std::size_t link_bytes_max = 1 << 20;

/// One message on its way into or out of a queue.
struct queued {
  message_ptr message;
  position at = 0; ///< in the log; 0 for transient, and on the way to what keeps itself (endpoint)
  bool redelivered = false;
  std::uint32_t ordinal = 0; ///< on its way in: the publisher's count since its last batch
};

// -- to a queue -----------------------------------------------------------------------------------------------------

/// Take these, in order. Answered by `enqueued` to `publisher` (if any) with the same token.
struct enqueue_batch {
  std::vector<queued> items;
  caf::actor publisher;
  std::uint64_t token = 0;
};

/// Start a consumer. CAF response: consume_ok, or errc::access_refused (exclusive use).
struct start_consumer {
  caf::actor consumer;
  consumer_key key = 0;
  std::string tag; ///< for inspection
  bool no_ack = false;
  bool exclusive = false;
  std::uint32_t prefetch = 0; ///< unacknowledged messages at once; 0: no limit
  std::int32_t priority = 0;  ///< x-priority
  std::string owner;          ///< connection, for exclusive queues
  /// What basic.qos asked of this consumer alone: streams insist on it. `prefetch` may be the channel's.
  std::uint32_t own_prefetch = 0;
  field_table arguments; ///< as the client gave them
};
struct consume_ok {
  consumer_key key = 0;
};

/// Stop delivering. Messages out remain the consumer's until settled or released. Response: cancel_ok.
struct cancel_consumer {
  caf::actor consumer;
  consumer_key key = 0;
};
struct cancel_ok {
  consumer_key key = 0;
};

/// Forget the consumer; what it has out goes back to its place, marked redelivered.
struct release_consumer {
  caf::actor consumer;
  consumer_key key = 0;
  bool more = false; ///< another one follows: hand nothing out before all that comes back is back
};

/// basic.qos on a whole channel changes the prefetch of consumers that run already.
struct change_prefetch {
  caf::actor_id consumer = 0;
  consumer_key key = 0;
  std::uint32_t prefetch = 0; ///< 0: no limit
};

enum class verdict : std::uint8_t {
  ack,     ///< done with
  requeue, ///< back to its place, redelivered
  reject,  ///< dropped (dead-lettered where the queue says so)
  settled, ///< done with, and the caller has already deleted it from the log in its own transaction
};
/// Deliveries first..last of a consumer, inclusive. Unknown or settled numbers are skipped.
struct settle {
  caf::actor_id consumer = 0;
  consumer_key key = 0;
  delivery_number first = 0;
  delivery_number last = 0;
  verdict what = verdict::ack;
  bool more = false; ///< as in release_consumer
};

/// The consumer has passed on this much: the queue may send as much again.
struct grant {
  caf::actor_id consumer = 0;
  consumer_key key = 0;
  std::size_t messages = 0;
  std::size_t bytes = 0;
};

/// One message at once (basic.get). With no_ack false it counts as delivery of consumer `key`, which needs no
/// `start_consumer`. Response: got.
struct get {
  caf::actor consumer;
  consumer_key key = 0;
  bool no_ack = false;
};
struct got {
  bool empty = true;
  queued item;
  delivery_number number = 0;
  std::uint64_t remaining = 0; ///< ready messages left
};

/// Drop all ready messages. Response: purged.
struct purge {};
struct purged {
  std::uint64_t messages = 0;
};

/// Shows ready messages, from the head on, and leaves them where they are. Response: browsed, or the log's error.
struct browse {
  std::uint64_t skip = 0;
  std::uint64_t count = 100; ///< at most; fewer if they are large (browse_bytes_max)
  position only = 0;         ///< the one there; 0: any
};
inline constexpr std::size_t browse_bytes_max = 16u << 20;
struct browsed {
  std::vector<queued> messages;
  bool more = false; ///< there are some behind these
};

/// Dead letters go back to the queues where they died, each in one transaction with its deletion here; those whose
/// queue is gone, and what is no dead letter, stay. At most a thousand at a time. Response: replayed, or the log's
/// error.
struct replay {
  std::vector<position> which; ///< empty: all
  std::uint64_t skip = 0;      ///< ready ones that are known to stay
};
struct replayed {
  std::uint64_t messages = 0;
  std::uint64_t kept = 0; ///< looked at, and left
  bool more = false;      ///< there are some behind these: ask again, and skip those kept
};

/// Drop these ready messages. Response: purged.
struct purge_some {
  std::vector<position> which;
};

/// Response: queue_status.
struct inspect_queue {
  bool used = false; ///< a client declares it, passively or not: x-expires begins anew
};
struct queue_status {
  std::uint64_t ready = 0;
  std::uint64_t unacked = 0;
  std::uint64_t ready_bytes = 0;
  std::uint32_t consumers = 0;
  std::uint64_t waiting = 0; ///< for their next attempt (retry.hpp): neither ready nor unacknowledged
};

/// A policy has changed what is asked of the queue: arguments and policies together. Sent by topology only.
struct change_arguments {
  field_table effective;
};

/// The queue is deleted: consumers are told, messages dropped; the actor then only answers, until nobody holds it. Sent
/// by topology only.
struct shut_queue {
  bool stopping = false; ///< the node stops: nothing is deleted and the actor ends at once
};

// -- to a publisher -------------------------------------------------------------------------------------------------

/// The queue has taken the batch `token`, but for those it refused because it is full (x-overflow), by ordinal.
struct enqueued {
  queue_number queue = 0;
  std::uint64_t token = 0;
  std::vector<std::uint32_t> refused;
};

// -- to a consumer --------------------------------------------------------------------------------------------------

/// Messages for consumer `key`; the first has number `first`, the others follow without a gap.
struct deliver {
  consumer_key key = 0;
  delivery_number first = 0;
  std::vector<queued> items;
};

/// The queue is gone; nothing more comes, what is out need not be settled.
struct consumer_cancelled {
  consumer_key key = 0;
};

/// Direct replies (amq.rabbitmq.reply-to) for the consumer registered under `key` in the reply_directory, in order.
struct direct_reply {
  consumer_key key = 0;
  std::vector<message_ptr> messages;
};

// -- to topology ----------------------------------------------------------------------------------------------------

/// Response: exchange_ok.
struct declare_exchange {
  exchange_spec spec;
  bool passive = false;
};
struct delete_exchange {
  std::string name;
  bool if_unused = false;
};
struct exchange_ok {};

/// Response: queue_ok.
struct declare_queue {
  queue_spec spec;
  bool passive = false;
  std::optional<std::uint64_t> queues_max; ///< of the vhost
};
struct queue_ok {
  queue_ptr queue;
  std::uint64_t messages = 0;
  std::uint32_t consumers = 0;
};
/// Response: queue_deleted. A queue that does not exist counts as deleted.
struct delete_queue {
  std::string name;
  std::string owner;
  bool if_unused = false;
  bool if_empty = false;
};
struct queue_deleted {
  std::uint64_t messages = 0;
};

/// Response: bound.
struct bind {
  binding_spec spec;
  std::string owner;
};
struct unbind {
  binding_spec spec;
  std::string owner;
};
struct bound {};

/// Finds a queue for a client's use; errc::not_found or errc::resource_locked. Response: queue_ok without counts.
struct find_queue {
  std::string name;
  std::string owner;
};

/// Response: policy_ok; errc::bad_format, errc::not_found.
struct put_policy {
  policy_kind kind = policy_kind::standard;
  policy what;
};
struct remove_policy {
  policy_kind kind = policy_kind::standard;
  std::string name;
};
struct policy_ok {};

/// Everything there is, for people and tools. Response: topology_listing.
struct list_topology {};
struct topology_listing {
  struct exchange {
    exchange_spec spec;
    std::string policy; ///< that counts for it; empty: none
  };
  struct queue {
    queue_spec spec;
    queue_ptr handle;
    std::string policy;
    std::string operator_policy;
    field_table effective; ///< arguments and policies together
  };
  std::vector<exchange> exchanges;
  std::vector<queue> queues;
  std::vector<binding_spec> bindings; ///< without those of the default exchange
  policy_set policies;
};

/// The vhost is deleted: everything in it goes, then the topology actor ends. Response once the log has it:
/// everything_deleted.
struct delete_everything {};
struct everything_deleted {};

/// A connection has ended: its exclusive queues go.
struct owner_gone {
  std::string owner;
};

/// From a queue: its last consumer went and it is auto-delete, or nobody used it for its x-expires.
struct queue_unused {
  std::string name;
  queue_number number = 0;
};

} // namespace switchboard::broker

#define SWITCHBOARD_LOCAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::type)
SWITCHBOARD_LOCAL_MESSAGE(enqueue_batch)
SWITCHBOARD_LOCAL_MESSAGE(start_consumer)
SWITCHBOARD_LOCAL_MESSAGE(consume_ok)
SWITCHBOARD_LOCAL_MESSAGE(cancel_consumer)
SWITCHBOARD_LOCAL_MESSAGE(cancel_ok)
SWITCHBOARD_LOCAL_MESSAGE(release_consumer)
SWITCHBOARD_LOCAL_MESSAGE(settle)
SWITCHBOARD_LOCAL_MESSAGE(change_prefetch)
SWITCHBOARD_LOCAL_MESSAGE(grant)
SWITCHBOARD_LOCAL_MESSAGE(get)
SWITCHBOARD_LOCAL_MESSAGE(got)
SWITCHBOARD_LOCAL_MESSAGE(purge)
SWITCHBOARD_LOCAL_MESSAGE(purged)
SWITCHBOARD_LOCAL_MESSAGE(browse)
SWITCHBOARD_LOCAL_MESSAGE(browsed)
SWITCHBOARD_LOCAL_MESSAGE(replay)
SWITCHBOARD_LOCAL_MESSAGE(replayed)
SWITCHBOARD_LOCAL_MESSAGE(purge_some)
SWITCHBOARD_LOCAL_MESSAGE(inspect_queue)
SWITCHBOARD_LOCAL_MESSAGE(queue_status)
SWITCHBOARD_LOCAL_MESSAGE(shut_queue)
SWITCHBOARD_LOCAL_MESSAGE(enqueued)
SWITCHBOARD_LOCAL_MESSAGE(deliver)
SWITCHBOARD_LOCAL_MESSAGE(consumer_cancelled)
SWITCHBOARD_LOCAL_MESSAGE(direct_reply)
SWITCHBOARD_LOCAL_MESSAGE(declare_exchange)
SWITCHBOARD_LOCAL_MESSAGE(delete_exchange)
SWITCHBOARD_LOCAL_MESSAGE(exchange_ok)
SWITCHBOARD_LOCAL_MESSAGE(declare_queue)
SWITCHBOARD_LOCAL_MESSAGE(queue_ok)
SWITCHBOARD_LOCAL_MESSAGE(delete_queue)
SWITCHBOARD_LOCAL_MESSAGE(queue_deleted)
SWITCHBOARD_LOCAL_MESSAGE(bind)
SWITCHBOARD_LOCAL_MESSAGE(unbind)
SWITCHBOARD_LOCAL_MESSAGE(bound)
SWITCHBOARD_LOCAL_MESSAGE(find_queue)
SWITCHBOARD_LOCAL_MESSAGE(put_policy)
SWITCHBOARD_LOCAL_MESSAGE(remove_policy)
SWITCHBOARD_LOCAL_MESSAGE(policy_ok)
SWITCHBOARD_LOCAL_MESSAGE(list_topology)
SWITCHBOARD_LOCAL_MESSAGE(topology_listing)
SWITCHBOARD_LOCAL_MESSAGE(change_arguments)
SWITCHBOARD_LOCAL_MESSAGE(delete_everything)
SWITCHBOARD_LOCAL_MESSAGE(everything_deleted)
SWITCHBOARD_LOCAL_MESSAGE(owner_gone)
SWITCHBOARD_LOCAL_MESSAGE(queue_unused)
#undef SWITCHBOARD_LOCAL_MESSAGE
