// What can be set about event push on WebSocket. Times are those of VoIPBIN's documentation (seed 000).
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "messages/service_names.hpp"

namespace switchboard::websocket {

struct options {
  std::chrono::milliseconds ping_interval{30'000}; ///< so that load balancers see traffic
  std::chrono::milliseconds pong_timeout{60'000};  ///< silence after which a client counts as gone
  std::chrono::milliseconds write_timeout{10'000}; ///< longest time one write, or the closing handshake, may take
  std::size_t outbox_bytes_max = 1u << 20;         ///< unsent bytes of one client; above it: close 4008
  std::size_t outbox_messages_max = 1024;          ///< likewise, messages
  std::size_t message_bytes_max = 64u << 10;       ///< one message of a client; above it: close 1009
  std::size_t topics_max = 100;                    ///< of one connection
  std::size_t connections_max = 20'000;            ///< of all I/O threads together, in equal shares
  /// Exchanges whose events are pushed, beside those of every hosted type.
  std::vector<std::string> exchanges = watched_exchanges();
};

} // namespace switchboard::websocket
