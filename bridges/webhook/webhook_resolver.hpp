// Looks up names on threads of its own: the system's resolver blocks, and one customer's slow name server must not hold
// up the deliveries of others. So each customer has one look-up under way, and who waits for his second look-up waits
// behind his own first one.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include "base/expected.hpp"

namespace switchboard::webhook {

class resolver {
public:
  using endpoints = std::vector<boost::asio::ip::tcp::endpoint>;

  /// A look-up for somebody. `is_wanted` false when its turn comes: it is dropped, without an answer.
  struct question {
    std::string customer_id;
    std::string host;
    std::uint16_t port = 0;
    std::function<bool()> is_wanted;
    std::function<void(expected<endpoints>)> done;
  };

  /// Answers on `home`, which outlives this object.
  resolver(boost::asio::io_context& home, std::size_t threads) : home_(home), pool_(threads) {}
  ~resolver(); ///< waits for look-ups under way, a few seconds at most

  /// On `home`'s thread. Every address of the host, once. An address in text is not looked up.
  void resolve(question what);

private:
  void look_up(question what);
  void look_up_next(const std::string& customer_id);

  boost::asio::io_context& home_;
  std::unordered_map<std::string, std::deque<question>> waiting_;          ///< by customer who has a look-up under way
  const std::shared_ptr<const int> alive_ = std::make_shared<const int>(); ///< answers on their way may outlive us
  boost::asio::thread_pool pool_;
};

} // namespace switchboard::webhook
