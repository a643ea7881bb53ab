// The AMQP listener: accepts connections and starts a session for each on the I/O threads in turn.
// Guarantee: at least once for persistent messages with confirms and acknowledgements, as AMQP has it.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bridges/amqp/amqp_options.hpp"
#include "runtime/bridge.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::amqp {

class amqp_bridge final : public runtime::bridge {
public:
  amqp_bridge(runtime::node_context& node, options how);
  ~amqp_bridge() override;

  expected<void> start() override;
  void drain() override;
  void stop(std::chrono::milliseconds grace) override;
  std::string address() const override;
  std::uint16_t port() const noexcept { return port_; }

private:
  void accept();
  void on_accept(boost::asio::ip::tcp::socket socket, std::size_t home);
  /// Counts one connection of that address; false if there may be no more. Under mutex_.
  bool admit(const boost::asio::ip::address& peer);
  void forget(const boost::asio::ip::address& peer);
  void start_session(boost::asio::ip::tcp::socket socket, const boost::asio::ip::address& peer, std::size_t home,
                     std::uint64_t number);

  runtime::node_context& node_;
  const options how_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_; ///< on the acceptor's thread
  std::uint16_t port_ = 0;
  std::uint64_t accepted_ = 0;

  // Sessions that live, for stop(): entered by the accepting thread, left by CAF's clean-up on any thread.
  std::mutex mutex_;
  std::condition_variable all_gone_;
  std::unordered_map<caf::actor_id, caf::actor> sessions_;
  std::map<boost::asio::ip::address, std::size_t> by_address_; ///< connections; empty if they are not limited
  std::size_t starting_ = 0;                                   ///< accepted, on their way to their threads
  bool stopping_ = false;
};

} // namespace switchboard::amqp
