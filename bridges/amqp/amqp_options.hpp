// What can be set about the AMQP listener. Defaults are RabbitMQ 3.10's unless a reason is given.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "bridges/amqp/amqp_tls.hpp"

namespace switchboard::amqp {

struct options {
  std::string host = "localhost"; ///< an address, or this: 127.0.0.1 and, where there is IPv6, ::1
  std::uint16_t port = 5672;      ///< 0: any free port
  std::uint16_t tls_port = 5671;  ///< the same
  tls_options tls;                ///< without a certificate there is no AMQPS
  /// This user may log in from loopback peers only, as RabbitMQ has it for guest; empty: none.
  std::string loopback_user = "guest";
  std::uint16_t channel_max = 2047;
  std::uint32_t frame_max_bytes = 131072;
  std::uint16_t heartbeat_s = 60;                                        ///< proposed; the client's figure counts
  std::chrono::milliseconds handshake{10'000};                           ///< from accept to connection.open
  std::uint64_t message_bytes_max = 128u << 20;                          ///< body; RabbitMQ 3.10's default
  std::chrono::milliseconds consumer_timeout = std::chrono::minutes{30}; ///< for an acknowledgement; 0: for ever
  std::size_t connections_max = 20'000;
  std::size_t connections_per_address_max = 0; ///< of one peer address; 0: connections_max alone counts
  std::size_t consumers_per_channel_max = 0;   ///< 0: as many as a client likes, as in RabbitMQ
  std::size_t publish_bytes_max = 4u << 20; ///< per connection: on the way to queues and log, then we stop reading it
  /// Bodies announced but not complete, all channels of a connection together; one body alone may be larger.
  std::size_t assembly_bytes_max = 64u << 20;
  std::size_t unsent_bytes_max = 16u << 20; ///< per connection: answers the client doesn't read; then we don't read it
  std::size_t outbox_bytes_max = 1u << 20;  ///< unsent bytes above which consumers of a connection get no new credit
};

} // namespace switchboard::amqp
