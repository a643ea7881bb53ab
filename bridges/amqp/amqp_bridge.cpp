#include "bridges/amqp/amqp_bridge.hpp"

#include <future>

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
    : node_(node), how_(std::move(how)), acceptor_(node.io.home(0).context()), retry_(acceptor_.get_executor()) {}

amqp_bridge::~amqp_bridge() { stop(std::chrono::milliseconds{0}); }

expected<void> amqp_bridge::start() {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(how_.host, error);
  const auto failed = [&] {
    return expected<void>{errc::io_failed,
                          "amqp://" + how_.host + ":" + std::to_string(how_.port) + ": " + error.message()};
  };
  if (error)
    return failed();
  const tcp::endpoint where{address, how_.port};
  if (acceptor_.open(where.protocol(), error); error)
    return failed();
  acceptor_.set_option(tcp::acceptor::reuse_address{true}, error);
  if (acceptor_.bind(where, error); error)
    return failed();
  if (acceptor_.listen(4096, error); error)
    return failed();
  port_ = acceptor_.local_endpoint(error).port();
  accept();
  return {};
}

std::string amqp_bridge::address() const { return "amqp://" + how_.host + ":" + std::to_string(port_); }

void amqp_bridge::accept() {
  const auto home = accepted_++ % node_.io.size();
  acceptor_.async_accept(node_.io.home(home).context(),
                         [this, home](boost::system::error_code error, tcp::socket socket) {
                           if (error == asio::error::operation_aborted)
                             return;
                           if (!error) {
                             on_accept(std::move(socket), home);
                             return accept();
                           }
                           runtime::log::warning("amqp_accept_failed", {{"cause", error.message()}});
                           retry_.expires_after(accept_retry);
                           retry_.async_wait([this](boost::system::error_code cancelled) {
                             if (!cancelled && acceptor_.is_open())
                               accept();
                           });
                         });
}

void amqp_bridge::on_accept(tcp::socket socket, std::size_t home) {
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
  asio::post(node_.io.home(home).context(),
             [this, home, peer, number = accepted_, moved = std::make_shared<tcp::socket>(std::move(socket))] {
               start_session(std::move(*moved), peer, home, number);
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
                                std::uint64_t number) {
  std::lock_guard guard{mutex_};
  --starting_;
  if (stopping_)
    return all_gone_.notify_all();
  auto made = node_.system.spawn<session>(static_cast<caf::execution_unit*>(&node_.io.home(home)), node_, how_,
                                          std::move(socket), number);
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
  if (!acceptor_.is_open())
    return;
  std::promise<void> closed;
  asio::post(acceptor_.get_executor(), [&] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
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
