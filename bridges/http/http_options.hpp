// What can be set about an HTTP listener. One struct for both listeners: they differ in what they serve.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace switchboard::http {

struct options {
  std::string name = "http"; ///< metric label and log: "http", "admin"
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080; ///< 0: any free port
  std::size_t header_bytes_max = 8192;
  std::size_t body_bytes_max = 1u << 20;
  std::chrono::milliseconds read_timeout{10'000};  ///< from the first byte of a request to its last; also for the first
                                                   ///< byte of a connection
  std::chrono::milliseconds idle_timeout{60'000};  ///< between two requests of a connection
  std::chrono::milliseconds write_timeout{30'000}; ///< of one answer
  std::size_t connections_max = 10'000;
};

} // namespace switchboard::http
