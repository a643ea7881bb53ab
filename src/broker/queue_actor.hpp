// The actor of one message queue: carries protocol.hpp's messages to the pure message_queue and its effects to
// consumers, publishers and the log. Spawned by the topology actor; pinned to an I/O thread.
#pragma once

#include <memory>

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/actor_system.hpp>
#include <caf/message.hpp>

#include "broker/broker.hpp"
#include "broker/message_queue.hpp"
#include "broker/protocol.hpp"

namespace switchboard::broker {

/// From the clock to topology: pass `tick` on to the queue, if it still is.
struct wake_queue {
  caf::actor_addr queue; ///< doesn't keep it
  caf::message tick;
};

/// Parts of the log for messages that a deep queue has put away until their turn comes: for as long as the node lives.
/// Under pages_of(queue), by position; under page_list stands, by queue number, who has any.
inline constexpr queue_number page_list = queue_number{1} << 63;
constexpr queue_number pages_of(queue_number queue) { return page_list | queue; }
/// What of one queue's ready messages may be in memory now: less if all messages together take much.
std::size_t resident_bytes_max(const limits& bounds) noexcept;
/// What an earlier life of the node left there goes. Before any queue starts.
expected<void> drop_pages(durable_log& log);

struct queue_setup {
  std::string vhost;
  queue_spec spec;
  field_table effective; ///< arguments and policies together
  queue_number number = 0;
  std::weak_ptr<broker> owner; ///< dead letters are published there
  std::shared_ptr<durable_log> log;
  caf::actor topology;
  limits bounds;
  message_queue queue; ///< with what the log holds of it
};

} // namespace switchboard::broker

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::wake_queue)

namespace switchboard::broker {

caf::actor spawn_queue(caf::actor_system& system, caf::execution_unit* home, queue_setup setup);

} // namespace switchboard::broker
