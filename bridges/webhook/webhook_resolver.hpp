// Looks up names on threads of its own: the system's resolver blocks, and one customer's slow name server must not hold
// up the deliveries of others.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/expected.hpp"

namespace switchboard::webhook {

class resolver {
public:
  using endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

  /// Answers on `home`, which outlives this object.
  resolver(boost::asio::io_context& home, std::size_t threads) : home_(home), pool_(threads) {}
  ~resolver(); ///< waits for look-ups under way, a few seconds at most

  /// Every address of the host, once. An address in text is not looked up.
  void resolve(const std::string& host, std::uint16_t port, std::function<void(expected<endpoints>)> done);

private:
  boost::asio::io_context& home_;
  boost::asio::thread_pool pool_;
};

} // namespace switchboard::webhook
