// What an event looks like on the ZeroMQ stream (seed 000, "ZMQ Message Format"): the small live view of calls, agents
// and queues for dashboards. Pure; the zmq bridge sends each result as the two frames [topic][payload].
//
//   event                           topic              payload
//   call.created, ringing, …        call.state         call_id, status, timestamp, customer_id
//   call.metrics                    call.metrics       the event's data, and timestamp
//   agent.login, agent.logout       the same           agent_id, status, timestamp, customer_id; and agent.presence
//   agent.* with a status           agent.presence     agent_id, status, timestamp, customer_id
//   queue.stats                     queue.stats        queue_id, waiting, active
//   conference.*                    the same           conference_id, call_id and status if known, timestamp,
//   customer_id
#pragma once

#include <string>
#include <vector>

#include "messages/envelope.hpp"

namespace switchboard {

struct zmq_message {
  std::string topic;
  std::string payload; ///< JSON, one object

  friend bool operator==(const zmq_message&, const zmq_message&) = default;
};

/// Zero or more messages for one event, in the order to send them. Events without the data their topic needs give none.
std::vector<zmq_message> zmq_messages(const event& value);

} // namespace switchboard
