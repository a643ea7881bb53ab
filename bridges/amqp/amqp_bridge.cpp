#include "bridges/amqp/amqp_bridge.hpp"

#include <future>
#include <utility>

#include <boost/asio/post.hpp>
#include <caf/send.hpp>

#include "bridges/amqp/amqp_session.hpp"
#include "runtime/log.hpp"

namespace switchboard::amqp {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// Out of file descriptors or memory: asking again at once would only burn the thread.
constexpr auto accept_retry = std::chrono::milliseconds{100};

/// Most that sessions need to end which wait for nobody.
constexpr auto cut_time = std::chrono::seconds{2};

/// Clients that are told "localhost" try either address first.
constexpr std::string_view both_loopbacks = "localhost";

} // namespace

amqp_bridge::amqp_bridge(runtime::node_context& node, options how) : node_(node), how_(std::move(how)) {}

amqp_bridge::~amqp_bridge() { stop(std::chrono::milliseconds{0}); }

expected<void> amqp_bridge::start() {
  const auto plain = listen(how_.port, nullptr);
  if (!plain)
    return plain.error();
  port_ = *plain;
  if (!how_.tls.certificate_file.empty()) {
    auto made = tls_context::make(how_.tls);
    if (!made)
      return made.error();
    const auto secure = listen(how_.tls_port, *std::move(made));
    if (!secure)
      return secure.error();
    tls_port_ = *secure;
  }
  started_ = true;
  asio::post(node_.io.home(0).context(), [this] {
    for (const auto& at : listeners_)
      accept(*at);
  });
  return {};
}

expected<std::uint16_t> amqp_bridge::listen(std::uint16_t port, const std::shared_ptr<const tls_context>& tls) {
  boost::system::error_code error;
  if (how_.host != both_loopbacks) {
    const auto address = asio::ip::make_address(how_.host, error);
    if (error)
      return cannot_listen(port, tls != nullptr, error);
    return listen(address, port, tls);
  }
  auto done = listen(asio::ip::address_v4::loopback(), port, tls);
  if (!done)
    return done;
  // Not every machine has IPv6; and a port that the system chose for the first address may be taken on the second.
  tcp::acceptor probe{node_.io.home(0).context()};
  if (port == 0 || probe.open(tcp::v6(), error) || probe.bind({asio::ip::address_v6::loopback(), 0}, error))
    return done;
  return listen(asio::ip::address_v6::loopback(), port, tls);
}

expected<std::uint16_t> amqp_bridge::listen(const asio::ip::address& address, std::uint16_t port,
                                            const std::shared_ptr<const tls_context>& tls) {
  auto made = std::make_unique<listener>(node_.io.home(0).context());
  made->tls = tls;
  auto& acceptor = made->acceptor;
  boost::system::error_code error;
  const tcp::endpoint where{address, port};
  if (acceptor.open(where.protocol(), error); error)
    return cannot_listen(port, tls != nullptr, error);
  acceptor.set_option(tcp::acceptor::reuse_address{true}, error);
  if (acceptor.bind(where, error); error)
    return cannot_listen(port, tls != nullptr, error);
  if (acceptor.listen(4096, error); error)
    return cannot_listen(port, tls != nullptr, error);
  const auto got = acceptor.local_endpoint(error).port();
  listeners_.push_back(std::move(made));
  return got;
}

error amqp_bridge::cannot_listen(std::uint16_t port, bool tls, const boost::system::error_code& why) const {
  return {errc::io_failed,
          std::string{tls ? "amqps://" : "amqp://"} + how_.host + ":" + std::to_string(port) + ": " + why.message()};
}

std::string amqp_bridge::address() const {
  auto text = "amqp://" + how_.host + ":" + std::to_string(port_);
  if (tls_port_ != 0)
    text += " amqps://" + how_.host + ":" + std::to_string(tls_port_);
  return text;
}

void amqp_bridge::accept(listener& at) {
  if (!at.acceptor.is_open())
    return;
  const auto home = accepted_++ % node_.io.size();
  at.acceptor.async_accept(node_.io.home(home).context(),
                           [this, &at, home](boost::system::error_code error, tcp::socket socket) {
                             if (error == asio::error::operation_aborted)
                               return;
                             if (!error) {
                               on_accept(std::move(socket), home, at.tls);
                               return accept(at);
                             }
                             runtime::log::warning("amqp_accept_failed", {{"cause", error.message()}});
                             at.retry.expires_after(accept_retry);
                             at.retry.async_wait([this, &at](boost::system::error_code cancelled) {
                               if (!cancelled)
                                 accept(at);
                             });
                           });
}

void amqp_bridge::on_accept(tcp::socket socket, std::size_t home, std::shared_ptr<const tls_context> tls) {
  boost::system::error_code gone;
  const auto peer = socket.remote_endpoint(gone).address();
  {
    std::lock_guard guard{mutex_};
    if (sessions_.size() + starting_ >= how_.connections_max || !admit(peer)) {
      node_.metrics.connections_refused.Add({{"bridge", "amqp"}, {"reason", "limit"}}).Increment();
      return; // the socket closes
    }
    ++starting_;
  }
  // A session touches its socket from its own thread only, from its first step on.
  asio::post(node_.io.home(home).context(), [this, home, peer, tls = std::move(tls), number = accepted_,
                                             moved = std::make_shared<tcp::socket>(std::move(socket))] {
    start_session(std::move(*moved), peer, home, number, tls);
  });
}

bool amqp_bridge::admit(const asio::ip::address& peer) {
  if (how_.connections_per_address_max == 0)
    return true;
  auto& count = by_address_[peer];
  if (count >= how_.connections_per_address_max)
    return false;
  ++count;
  return true;
}

void amqp_bridge::forget(const asio::ip::address& peer) {
  if (auto found = by_address_.find(peer); found != by_address_.end() && --found->second == 0)
    by_address_.erase(found);
}

void amqp_bridge::start_session(tcp::socket socket, const asio::ip::address& peer, std::size_t home,
                                std::uint64_t number, std::shared_ptr<const tls_context> tls) {
  std::lock_guard guard{mutex_};
  --starting_;
  if (stopping_)
    return all_gone_.notify_all();
  auto made = node_.system.spawn<session>(static_cast<caf::execution_unit*>(&node_.io.home(home)), node_, how_,
                                          std::move(socket), number, std::move(tls));
  sessions_.emplace(made.id(), made);
  // It lives on this thread and has not run yet, so this can't be called back at once.
  made->attach_functor([this, peer, id = made.id()] {
    std::lock_guard inner{mutex_};
    sessions_.erase(id);
    forget(peer);
    all_gone_.notify_all();
  });
}

void amqp_bridge::drain() {
  if (!std::exchange(started_, false))
    return;
  std::promise<void> closed;
  asio::post(node_.io.home(0).context(), [&] {
    boost::system::error_code ignored;
    for (const auto& at : listeners_) {
      at->acceptor.close(ignored);
      at->retry.cancel();
    }
    closed.set_value();
  });
  closed.get_future().wait();
}

void amqp_bridge::stop(std::chrono::milliseconds grace) {
  drain();
  std::unique_lock lock{mutex_};
  stopping_ = true;
  const auto all_gone = [this] { return sessions_.empty() && starting_ == 0; };
  for (auto& [id, at] : sessions_)
    caf::anon_send(at, stop_session{});
  if (all_gone_.wait_for(lock, grace, all_gone))
    return;
  // Clients that never answer. Their sessions must not outlive the threads they run on.
  runtime::log::warning("amqp_sessions_cut", {{"count", sessions_.size()}});
  for (auto& [id, at] : sessions_)
    caf::anon_send(at, stop_session{/*at_once*/ true});
  if (!all_gone_.wait_for(lock, cut_time, all_gone))
    runtime::log::failure("amqp_sessions_left", {{"count", sessions_.size()}});
}

} // namespace switchboard::amqp
