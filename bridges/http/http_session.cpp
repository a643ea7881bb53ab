#include "bridges/http/http_session.hpp"

#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "runtime/bearer_token.hpp"
#include "runtime/log.hpp"

namespace switchboard::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using beast::error_code;
using field = beast::http::field;
using parser = beast::http::request_parser<beast::http::string_body>;
using wire_answer = beast::http::response<beast::http::string_body>;

namespace {

constexpr std::size_t read_bytes = 4096;
constexpr std::size_t idle_buffer_bytes_max = 16'384; // what a quiet connection may keep
/// After a refusal the client may still be sending: read that away, so that the answer is not lost to a reset.
constexpr std::chrono::seconds linger_timeout{2};
constexpr std::size_t linger_bytes_max = 8u << 20;

std::string_view text_of(beast::string_view view) { return {view.data(), view.size()}; }

/// What a request that could not be read is told; nothing if the client is simply gone.
std::optional<http_answer> answer_of(error_code error) {
  namespace http_error = beast::http;
  if (error == http_error::error::header_limit)
    return error_answer(431, text(errc::too_large), "the header is too large");
  if (error == http_error::error::body_limit)
    return error_answer(413, text(errc::too_large), "the body is too large");
  if (error == http_error::error::end_of_stream || error == http_error::error::partial_message ||
      error.category() != make_error_code(http_error::error::bad_version).category())
    return std::nullopt;
  return error_answer(400, text(errc::bad_format), "not HTTP/1.1: " + error.message());
}

bool is_loopback(const tcp::socket& socket) {
  error_code error;
  const auto peer = socket.remote_endpoint(error);
  if (error)
    return false;
  const auto address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
  return address.is_loopback();
}

class beast_session final : public session, public std::enable_shared_from_this<beast_session> {
public:
  beast_session(std::shared_ptr<listener_state> state, tcp::socket socket, runtime::asio_unit& home)
      : state_(std::move(state)), home_(home), from_loopback_(is_loopback(socket)), stream_(std::move(socket)),
        buffer_(state_->how.header_bytes_max + state_->how.body_bytes_max) {
    error_code ignored;
    stream_.socket().set_option(tcp::no_delay{true}, ignored);
  }
  ~beast_session() override { state_->on_gone(this); }

  void start() override { await_request(state_->how.read_timeout); }

  void end(bool busy_too) override {
    asio::post(stream_.get_executor(), [self = shared_from_this(), busy_too] {
      if (busy_too || self->idle_)
        self->close();
    });
  }

private:
  // -- reading ------------------------------------------------------------------------------------------------------

  void await_request(std::chrono::milliseconds patience) {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(state_->how.header_bytes_max));
    parser_->body_limit(state_->how.body_bytes_max);
    if (buffer_.size() > 0)
      return read_header(); // the client did not wait for the last answer
    if (state_->draining)
      return close();
    if (buffer_.capacity() > idle_buffer_bytes_max)
      buffer_.shrink_to_fit();
    idle_ = true;
    stream_.expires_after(patience);
    stream_.async_read_some(buffer_.prepare(read_bytes), [self = shared_from_this()](error_code error, std::size_t n) {
      self->idle_ = false;
      if (error)
        return self->close();
      self->buffer_.commit(n);
      self->read_header();
    });
  }

  void read_header() {
    stream_.expires_after(state_->how.read_timeout); // for the whole request: a trickle does not extend it
    beast::http::async_read_header(stream_, buffer_, *parser_,
                                   [self = shared_from_this()](error_code error, std::size_t) {
                                     if (error)
                                       return self->on_unreadable(error);
                                     self->on_header();
                                   });
  }

  void on_header() {
    const auto& head = parser_->get();
    if (beast::iequals(head[field::expect], "100-continue"))
      return write_continue();
    read_body();
  }

  /// The client waits for leave to send its body. A body that is too large was refused with its header already.
  void write_continue() {
    static constexpr std::string_view leave = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(leave), [self = shared_from_this()](error_code error, std::size_t) {
      if (error)
        return self->close();
      self->read_body();
    });
  }

  void read_body() {
    beast::http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error)
        return self->on_unreadable(error);
      self->on_request();
    });
  }

  void on_unreadable(error_code error) {
    auto answer = answer_of(error);
    if (!answer)
      return close();
    keep_alive_ = false;
    write(*std::move(answer));
  }

  // -- answering ----------------------------------------------------------------------------------------------------

  void on_request() {
    auto message = parser_->release();
    if (state_->upgrade && beast::websocket::is_upgrade(message) &&
        runtime::path_of(text_of(message.target())) == websocket_path)
      return hand_over(std::move(message));
    keep_alive_ = message.keep_alive();
    version_ = message.version();
    http_request what;
    what.method = std::string{text_of(message.method_string())};
    what.target = std::string{text_of(message.target())};
    for (const auto& line : message)
      what.headers.emplace_back(text_of(line.name_string()), text_of(line.value()));
    what.body = std::move(message.body());
    what.from_loopback = from_loopback_;
    head_only_ = what.method == "HEAD";
    stream_.expires_never(); // the application has its own timeouts
    state_->serves->handle(std::move(what), home_,
                           [self = shared_from_this()](http_answer answer) { self->write(std::move(answer)); });
  }

  void hand_over(beast::http::request<beast::http::string_body> message) {
    if (buffer_.size() > 0) { // RFC 6455 4.1: the client waits for the answer
      keep_alive_ = false;
      return write(error_answer(400, text(errc::bad_format), "bytes before the upgrade was answered"));
    }
    state_->count_request(101);
    stream_.expires_never();
    state_->upgrade({stream_.release_socket(), std::move(message), home_});
  }

  void write(http_answer from) {
    keep_alive_ = keep_alive_ && !state_->draining;
    state_->count_request(from.status);
    answer_ = {};
    answer_.version(version_);
    answer_.result(static_cast<unsigned>(from.status));
    answer_.set(field::server, "switchboard");
    answer_.set("X-Content-Type-Options", "nosniff");
    answer_.set(field::cache_control, "no-store");
    if (!from.content_type.empty())
      answer_.set(field::content_type, from.content_type);
    for (const auto& [name, value] : from.headers)
      answer_.set(name, value);
    answer_.keep_alive(keep_alive_);
    if (from.status != 204 && from.status != 304)
      answer_.content_length(from.body.size());
    if (!head_only_)
      answer_.body() = std::move(from.body);
    stream_.expires_after(state_->how.write_timeout);
    beast::http::async_write(stream_, answer_, [self = shared_from_this()](error_code error, std::size_t) {
      if (error)
        return self->close();
      self->on_written();
    });
  }

  void on_written() {
    answer_ = {};
    head_only_ = false;
    if (keep_alive_)
      return await_request(state_->how.idle_timeout);
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(linger_timeout);
    linger();
  }

  void linger() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(read_bytes), [self = shared_from_this()](error_code error, std::size_t n) {
      self->lingered_ += n;
      if (error || self->lingered_ > linger_bytes_max)
        return self->close();
      self->linger();
    });
  }

  void close() { stream_.close(); }

  const std::shared_ptr<listener_state> state_;
  runtime::asio_unit& home_;
  const bool from_loopback_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<parser> parser_;
  wire_answer answer_;
  unsigned version_ = 11;
  std::size_t lingered_ = 0;
  bool idle_ = false;
  bool keep_alive_ = false;
  bool head_only_ = false;
};

} // namespace

std::shared_ptr<session> make_session(std::shared_ptr<listener_state> state, tcp::socket socket,
                                      runtime::asio_unit& home) {
  return std::make_shared<beast_session>(std::move(state), std::move(socket), home);
}

// -- the listener's state -------------------------------------------------------------------------------------------

listener_state::listener_state(runtime::node_context& where, options with, std::shared_ptr<application> what,
                               runtime::upgrade_handler hand_over)
    : node(where), how(std::move(with)), serves(std::move(what)), upgrade(std::move(hand_over)),
      connections_(node.metrics.connections.Add({{"bridge", how.name}})) {}

void listener_state::begin(tcp::socket socket, runtime::asio_unit& home) {
  std::shared_ptr<session> made;
  {
    std::lock_guard hold{mutex_};
    if (sessions_.size() < how.connections_max) {
      made = make_session(shared_from_this(), std::move(socket), home);
      sessions_.emplace(made.get(), made);
    }
  }
  if (!made) {
    node.metrics.connections_refused.Add({{"bridge", how.name}, {"reason", "limit"}}).Increment();
    return; // the socket closes
  }
  connections_.Increment();
  asio::post(home.context(), [made] { made->start(); });
}

void listener_state::on_gone(session* which) {
  {
    std::lock_guard hold{mutex_};
    sessions_.erase(which);
    changed_.notify_all();
  }
  connections_.Decrement();
}

void listener_state::end_all(bool busy_too) {
  std::vector<std::shared_ptr<session>> left; // held outside the lock: the last holder ends in on_gone
  {
    std::lock_guard hold{mutex_};
    for (const auto& [at, one] : sessions_)
      if (auto held = one.lock())
        left.push_back(std::move(held));
  }
  for (const auto& one : left)
    one->end(busy_too);
}

bool listener_state::wait_none(milliseconds grace) {
  std::unique_lock hold{mutex_};
  return changed_.wait_for(hold, grace, [this] { return sessions_.empty(); });
}

void listener_state::count_request(int status) {
  node.metrics.http_requests.Add({{"listener", how.name}, {"status", std::to_string(status)}}).Increment();
}

} // namespace switchboard::http
