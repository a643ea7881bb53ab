// The AMQP listeners, plain and TLS: accept connections and start a session for each on the I/O threads in turn.
// Guarantee: at least once for persistent messages with confirms and acknowledgements, as AMQP has it.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

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
  /// 0 if there is no AMQPS.
  std::uint16_t tls_port() const noexcept { return tls_port_; }

private:
  /// One address and port that is listened on. Touched by the first I/O thread only, once it has started.
  struct listener {
    explicit listener(boost::asio::io_context& where) : acceptor(where), retry(where) {}
    boost::asio::ip::tcp::acceptor acceptor;
    boost::asio::steady_timer retry;
    std::shared_ptr<const tls_context> tls; ///< null: plain
  };

  /// The port; that of the first address if there are several.
  expected<std::uint16_t> listen(std::uint16_t port, const std::shared_ptr<const tls_context>& tls);
  expected<std::uint16_t> listen(const boost::asio::ip::address& address, std::uint16_t port,
                                 const std::shared_ptr<const tls_context>& tls);
  error cannot_listen(std::uint16_t port, bool tls, const boost::system::error_code& why) const;
  void accept(listener& at);
  void on_accept(boost::asio::ip::tcp::socket socket, std::size_t home, std::shared_ptr<const tls_context> tls);
  /// Counts one connection of that address; false if there may be no more. Under mutex_.
  bool admit(const boost::asio::ip::address& peer);
  void forget(const boost::asio::ip::address& peer);
  void start_session(boost::asio::ip::tcp::socket socket, const boost::asio::ip::address& peer, std::size_t home,
                     std::uint64_t number, std::shared_ptr<const tls_context> tls);

  runtime::node_context& node_;
  const options how_;
  std::vector<std::unique_ptr<listener>> listeners_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  bool started_ = false;
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
