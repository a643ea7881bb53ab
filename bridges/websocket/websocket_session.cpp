#include "bridges/websocket/websocket_session.hpp"

#include <deque>

#include <boost/asio/dispatch.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "messages/envelope.hpp"

namespace switchboard::websocket {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using beast::error_code;

namespace {

constexpr std::size_t idle_buffer_bytes_max = 4096; // what a quiet connection may keep of its read buffer
constexpr std::chrono::seconds refusal_timeout{5};

std::string_view sentence_of(close_reason why) {
  switch (why) {
  case close_reason::going_away:
    return "the node is stopping; connect again";
  case close_reason::unknown_data:
    return "text messages only";
  case close_reason::slow_consumer:
    return "events came faster than they were read";
  case close_reason::token_expired:
    return "the token has expired";
  }
  return {};
}

class beast_session final : public session, public std::enable_shared_from_this<beast_session> {
public:
  beast_session(std::weak_ptr<session_owner> owner, std::shared_ptr<const options> how, runtime::claims who,
                tcp::socket socket)
      : session(std::move(who)), owner_(std::move(owner)), how_(std::move(how)), stream_(std::move(socket)) {
    error_code ignored;
    beast::get_lowest_layer(stream_).set_option(tcp::no_delay{true}, ignored);
    stream_.set_option(
        beast::websocket::stream_base::timeout{how_->write_timeout, beast::websocket::stream_base::none(), false});
    stream_.set_option(beast::websocket::stream_base::decorator(
        [](beast::websocket::response_type& answer) { answer.set(http::field::server, "switchboard"); }));
    stream_.read_message_max(how_->message_bytes_max);
    stream_.auto_fragment(false); // a shared frame goes out in one gathered write, uncopied
    stream_.text(true);
    stream_.control_callback([this](beast::websocket::frame_type, beast::string_view) { heard(); });
  }

  void accept(runtime::upgrade what) override {
    heard();
    pinged_ = heard_;
    // Beast reads the request while it accepts, so it lives as long as the operation.
    auto request = std::make_shared<http::request<http::string_body>>(std::move(what.request));
    ++pending_;
    stream_.async_accept(*request, [self = shared_from_this(), request](error_code error) { self->on_accept(error); });
  }

  void push(frame_ptr frame) override {
    if (!open_ || closing_)
      return;
    outbox_bytes_ += frame->size();
    outbox_.push_back(std::move(frame));
    if (outbox_bytes_ > how_->outbox_bytes_max || outbox_.size() > how_->outbox_messages_max)
      close(close_reason::slow_consumer);
    else if (!writing_)
      write();
  }

  void close(close_reason why) override {
    if (closing_ || ended_)
      return;
    closing_ = true;
    deadline_ = std::chrono::steady_clock::now() + how_->write_timeout;
    if (const auto owner = owner_.lock())
      owner->on_closing(*this, why);
    drop_queued();
    reason_ = why;
    if (open_) // else on_accept() does: a client that got its 101 is told why it goes
      shake();
  }

  void check(steady_time now, time_point wall) override {
    const bool late = (writing_ && now - written_ > how_->write_timeout) || ((closing_ || ended_) && now > deadline_);
    if (late || now - heard_ > how_->pong_timeout)
      return abort();
    if (!open_ || closing_)
      return;
    if (wall >= who().expires)
      return close(close_reason::token_expired);
    if (now - pinged_ >= how_->ping_interval && !pinging_)
      ping(now);
  }

  void abort() override {
    error_code ignored;
    beast::get_lowest_layer(stream_).close(ignored);
  }

private:
  void heard() { heard_ = std::chrono::steady_clock::now(); }

  void on_accept(error_code error) {
    --pending_;
    if (error)
      return end();
    open_ = true;
    if (closing_)
      shake();
    else if (const auto owner = owner_.lock())
      owner->on_open(*this);
    read();
  }

  /// Sends the close frame; Beast does once the write in flight, if any, is through.
  void shake() {
    ++pending_;
    const auto sentence = sentence_of(reason_);
    const beast::websocket::close_reason reason{static_cast<beast::websocket::close_code>(reason_),
                                                beast::string_view{sentence.data(), sentence.size()}};
    stream_.async_close(reason, [self = shared_from_this()](error_code) { self->on_closed(); });
  }

  void read() {
    ++pending_;
    stream_.async_read(buffer_, [self = shared_from_this()](error_code error, std::size_t) { self->on_read(error); });
  }

  void on_read(error_code error) {
    --pending_;
    if (error)
      return end();
    heard();
    if (!stream_.got_text())
      close(close_reason::unknown_data);
    const auto owner = owner_.lock();
    if (owner && !closing_) {
      const auto bytes = buffer_.cdata();
      owner->on_text(*this, {static_cast<const char*>(bytes.data()), bytes.size()});
    }
    buffer_.consume(buffer_.size());
    if (buffer_.capacity() > idle_buffer_bytes_max)
      buffer_.shrink_to_fit();
    read(); // also while closing: the peer's close frame comes this way
  }

  void write() {
    writing_ = true;
    written_ = std::chrono::steady_clock::now();
    ++pending_;
    const auto& frame = outbox_.front();
    stream_.async_write(asio::buffer(*frame),
                        [self = shared_from_this()](error_code error, std::size_t) { self->on_write(error); });
  }

  void on_write(error_code error) {
    --pending_;
    writing_ = false;
    outbox_bytes_ -= outbox_.front()->size();
    outbox_.pop_front();
    if (error || ended_)
      return after_operation();
    if (!outbox_.empty())
      write();
  }

  void ping(steady_time now) {
    pinged_ = now;
    pinging_ = true;
    ++pending_;
    stream_.async_ping({}, [self = shared_from_this()](error_code) {
      --self->pending_;
      self->pinging_ = false;
      self->after_operation();
    });
  }

  void on_closed() {
    --pending_;
    end();
  }

  /// The connection is over; operations under way come back with errors.
  void end() {
    if (!std::exchange(ended_, true)) {
      deadline_ = std::chrono::steady_clock::now() + how_->write_timeout;
      drop_queued();
    }
    if (pending_ == 0 || !closing_)
      abort();
    after_operation();
  }

  void after_operation() {
    if (!ended_ || pending_ > 0 || gone_)
      return;
    gone_ = true;
    abort();
    if (const auto owner = owner_.lock())
      owner->on_gone(*this);
  }

  /// What is being written stays until it is written.
  void drop_queued() {
    const std::size_t kept = writing_ ? 1 : 0;
    while (outbox_.size() > kept) {
      outbox_bytes_ -= outbox_.back()->size();
      outbox_.pop_back();
    }
  }

  std::weak_ptr<session_owner> owner_;
  const std::shared_ptr<const options> how_;
  beast::websocket::stream<tcp::socket, false> stream_;
  beast::flat_buffer buffer_;
  std::deque<frame_ptr> outbox_; // the front is being written if writing_
  std::size_t outbox_bytes_ = 0;
  steady_time heard_{};
  steady_time pinged_{};
  steady_time written_{};
  steady_time deadline_{}; // of the closing handshake
  int pending_ = 0;        // operations under way
  bool open_ = false;
  bool writing_ = false;
  bool pinging_ = false;
  bool closing_ = false;
  close_reason reason_ = close_reason::going_away; ///< if closing_
  bool ended_ = false;
  bool gone_ = false;
};

} // namespace

std::shared_ptr<session> make_session(std::weak_ptr<session_owner> owner, std::shared_ptr<const options> how,
                                      runtime::claims who, tcp::socket socket) {
  return std::make_shared<beast_session>(std::move(owner), std::move(how), std::move(who), std::move(socket));
}

void refuse(runtime::upgrade what, int status, std::string_view reason, std::string_view message) {
  struct refusal {
    beast::tcp_stream stream;
    http::response<http::string_body> answer;
  };
  const auto held = std::make_shared<refusal>(refusal{beast::tcp_stream{std::move(what.socket)}, {}});
  held->answer.version(what.request.version());
  held->answer.result(static_cast<unsigned>(status));
  held->answer.set(http::field::server, "switchboard");
  held->answer.set(http::field::content_type, "application/json");
  if (status == 401)
    held->answer.set(http::field::www_authenticate, "Bearer");
  if (status == 503)
    held->answer.set(http::field::retry_after, "1");
  held->answer.keep_alive(false);
  auto error = error_object(status, reason, "", message);
  error.erase("domain"); // as the HTTP gateway writes it
  held->answer.body() = json{{"error", std::move(error)}}.dump();
  held->answer.prepare_payload();
  held->stream.expires_after(refusal_timeout);
  http::async_write(held->stream, held->answer, [held](error_code, std::size_t) {
    error_code ignored;
    held->stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
  });
}

} // namespace switchboard::websocket
