// Routes: which queues get a message published to an exchange with a key and headers. An immutable snapshot: readers
// keep a shared_ptr and route without a lock; the topology makes the next snapshot by changing a copy that shares
// structure (a declare or bind costs O(log n), not a copy of the table).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/endpoint.hpp"
#include "broker/specs.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

class routing_table {
public:
  virtual ~routing_table() = default;

  enum class result { found, no_exchange, internal };

  /// Appends each queue that gets the message by its key or one of `more_keys`, once each. `headers` is the message's
  /// header table (bytes without length, may be empty). Follows exchange-to-exchange bindings and alternate-exchange.
  /// Pointers live as long as this table. `from_client` false allows internal exchanges. `what` is the message itself:
  /// some exchanges choose by its properties or its first key. May be null.
  virtual result route(std::string_view exchange, std::string_view routing_key, std::string_view headers,
                       std::vector<const endpoint*>& out, bool from_client = true,
                       const std::vector<std::string>& more_keys = {}, const message* what = nullptr) const = 0;

  /// nullptr if there is none.
  virtual endpoint_ptr find_queue(std::string_view name) const = 0;
  virtual bool has_exchange(std::string_view name) const = 0;
  virtual bool is_topic(std::string_view exchange) const = 0;
};

} // namespace switchboard::broker
