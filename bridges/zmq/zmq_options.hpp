// What can be set about the ZeroMQ stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace switchboard::zmq_stream {

struct options {
  /// Address to bind; "*" for all. Whoever reaches it reads the events of every customer.
  std::string host = "127.0.0.1";
  std::uint16_t port = 5555;                   ///< 0: any free port
  std::uint32_t send_high_water_mark = 10'000; ///< messages kept for one slow subscriber; more are dropped for it
  std::chrono::milliseconds handshake{10'000}; ///< a peer that has not said hello by then is cut off
  std::int64_t subscription_bytes_max = 1024;  ///< longest frame of a subscriber; they have only topics to send
  std::chrono::milliseconds linger{200};       ///< at stop: time for what is queued to leave
  /// Exchanges whose events are published.
  std::vector<std::string> exchanges{"call.events", "conference.events", "agent.events", "queue.events"};
};

} // namespace switchboard::zmq_stream
