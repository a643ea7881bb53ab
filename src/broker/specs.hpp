// Exchanges, queues and bindings as AMQP declares them (0-9-1 section 3.1, RabbitMQ's extensions).
#pragma once

#include <string>

#include "messages/field_table.hpp"

namespace switchboard::broker {

struct exchange_spec {
  std::string name;
  std::string type; ///< direct, fanout, topic, headers, x-consistent-hash, x-delayed-message
  bool durable = false;
  bool auto_delete = false; ///< goes when its last binding goes
  bool internal = false;    ///< no client may publish to it
  field_table arguments;
};

struct queue_spec {
  std::string name; ///< empty: the broker makes one, amq.gen-…
  bool durable = false;
  bool exclusive = false;   ///< of one connection, gone with it
  bool auto_delete = false; ///< goes when its last consumer goes
  field_table arguments;
  /// Connection (or local component) that declares; owner if exclusive. Never empty.
  std::string owner;
};

struct binding_spec {
  std::string source;      ///< exchange
  std::string destination; ///< queue, or exchange if to_exchange
  bool to_exchange = false;
  std::string routing_key;
  field_table arguments;
};

} // namespace switchboard::broker
