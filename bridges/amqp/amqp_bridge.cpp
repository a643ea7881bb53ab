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

} // namespace

amqp_bridge::amqp_bridge(runtime::node_context& node, options how)
    : node_(node), how_(std::move(how)), plain_(node.io.home(0).context()), secure_(node.io.home(0).context()) {}

amqp_bridge::~amqp_bridge() { stop(std::chrono::milliseconds{0}); }

expected<void> amqp_bridge::start() {
  if (!how_.tls.certificate_file.empty()) {
    auto made = tls_context::make(how_.tls);
    if (!made)
      return made.error();
    secure_.tls = *std::move(made);
  }
  if (auto done = listen(plain_, how_.port); !done)
    return done;
  if (secure_.tls)
    if (auto done = listen(secure_, how_.tls_port); !done)
      return done;
  started_ = true;
  accept(plain_);
  if (secure_.tls)
    accept(secure_);
  return {};
}

expected<void> amqp_bridge::listen(listener& at, std::uint16_t port) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(how_.host, error);
  const auto failed = [&] {
    return expected<void>{errc::io_failed, std::string{at.tls ? "amqps://" : "amqp://"} + how_.host + ":" +
                                               std::to_string(port) + ": " + error.message()};
  };
  if (error)
    return failed();
  const tcp::endpoint where{address, port};
  if (at.acceptor.open(where.protocol(), error); error)
    return failed();
  at.acceptor.set_option(tcp::acceptor::reuse_address{true}, error);
  if (at.acceptor.bind(where, error); error)
    return failed();
  if (at.acceptor.listen(4096, error); error)
    return failed();
  at.port = at.acceptor.local_endpoint(error).port();
  return {};
}

std::string amqp_bridge::address() const {
  auto text = "amqp://" + how_.host + ":" + std::to_string(plain_.port);
  if (secure_.port != 0)
    text += " amqps://" + how_.host + ":" + std::to_string(secure_.port);
  return text;
}

void amqp_bridge::accept(listener& at) {
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
                               if (!cancelled && at.acceptor.is_open())
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
  asio::post(plain_.acceptor.get_executor(), [&] {
    boost::system::error_code ignored;
    for (auto* at : {&plain_, &secure_}) {
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
