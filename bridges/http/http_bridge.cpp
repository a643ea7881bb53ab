#include "bridges/http/http_bridge.hpp"

#include <future>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bridges/http/http_session.hpp"
#include "runtime/log.hpp"

namespace switchboard::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int backlog = 4096;
/// Out of file descriptors: look again when some may be free, not a million times a second.
constexpr std::chrono::milliseconds accept_pause{100};

std::string url(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != host.npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

} // namespace

/// The listening socket, on the first I/O thread; lives on while an accept is under way.
class acceptor : public std::enable_shared_from_this<acceptor> {
public:
  explicit acceptor(std::shared_ptr<listener_state> state)
      : state_(std::move(state)), socket_(state_->node.io.home(0).context()), pause_(socket_.get_executor()) {}

  /// The real port.
  expected<std::uint16_t> listen() {
    const auto& how = state_->how;
    error_code error;
    const auto address = asio::ip::make_address(how.host, error);
    const tcp::endpoint where{address, how.port};
    if (!error)
      socket_.open(where.protocol(), error);
    if (!error)
      socket_.set_option(tcp::acceptor::reuse_address{true}, error);
    if (!error)
      socket_.bind(where, error);
    if (!error)
      socket_.listen(backlog, error);
    const auto port = error ? std::uint16_t{0} : socket_.local_endpoint(error).port();
    if (error) {
      error_code ignored;
      socket_.close(ignored);
      return {errc::io_failed, url(how.host, how.port) + ": " + error.message()};
    }
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->accept(); });
    return port;
  }

  /// `done` runs once the port is free.
  void close(std::function<void()> done) {
    asio::post(socket_.get_executor(), [self = shared_from_this(), done = std::move(done)] {
      error_code ignored;
      self->socket_.close(ignored);
      self->pause_.cancel();
      done();
    });
  }

private:
  void accept() {
    if (!socket_.is_open())
      return;
    auto& home = state_->node.io.next();
    socket_.async_accept(home.context(), [self = shared_from_this(), &home](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted)
        return;
      if (error)
        return self->on_failed(error);
      self->state_->begin(std::move(socket), home);
      self->accept();
    });
  }

  void on_failed(error_code error) {
    runtime::log::warning("http_accept_failed", {{"listener", state_->how.name}, {"cause", error.message()}});
    pause_.expires_after(accept_pause);
    pause_.async_wait([self = shared_from_this()](error_code) { self->accept(); });
  }

  const std::shared_ptr<listener_state> state_;
  tcp::acceptor socket_;
  asio::steady_timer pause_;
};

http_bridge::http_bridge(runtime::node_context& node, options how, std::shared_ptr<application> serves,
                         runtime::upgrade_handler upgrade)
    : state_(std::make_shared<listener_state>(node, std::move(how), std::move(serves), std::move(upgrade))),
      acceptor_(std::make_shared<acceptor>(state_)) {}

http_bridge::~http_bridge() { stop(std::chrono::milliseconds{0}); }

expected<void> http_bridge::start() {
  auto port = acceptor_->listen();
  if (!port)
    return port.error();
  port_ = *port;
  return {};
}

std::string http_bridge::address() const { return url(state_->how.host, port_); }

void http_bridge::drain() {
  state_->draining = true;
  acceptor_->close([state = state_] { state->end_all(false); });
}

void http_bridge::stop(std::chrono::milliseconds grace) {
  const auto closed = std::make_shared<std::promise<void>>();
  state_->draining = true;
  acceptor_->close([state = state_, closed] {
    state->end_all(false);
    closed->set_value();
  });
  closed->get_future().wait_for(grace);
  if (!state_->wait_none(grace))
    runtime::log::warning("http_connections_cut", {{"listener", state_->how.name}});
  state_->end_all(true);
}

} // namespace switchboard::http
