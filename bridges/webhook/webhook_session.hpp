// One attempt to deliver: look up the name, check every address, connect to a checked one, TLS, POST, read the answer,
// close. One object for each attempt, on the courier's thread; `done` runs once, there.
//
//   resolve ─> check ─> connect ─> [handshake] ─> write ─> read ─> done
//      └──────────┴────────┴──── one timer over all of it ─────────┘
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "bridges/webhook/webhook_codec.hpp"
#include "bridges/webhook/webhook_options.hpp"
#include "bridges/webhook/webhook_resolver.hpp"

namespace switchboard::webhook {

/// What sessions have in common; outlives them.
struct session_tools {
  boost::asio::io_context& home;
  resolver& names;
  boost::asio::ssl::context& tls;
  const options& how;
};

struct post {
  std::string customer_id;
  http_url to;
  std::vector<http_field> fields;
  std::string body;
};

class session : public std::enable_shared_from_this<session> {
public:
  using done_handler = std::function<void(attempt)>;

  session(session_tools with, post what, done_handler done);

  void start();
  /// The node stops: ends it, without an outcome.
  void cancel();

private:
  using tcp = boost::asio::ip::tcp;

  void on_resolved(const expected<resolver::endpoints>& found);
  void on_connected(boost::system::error_code failed);
  void handshake();
  void write();
  void on_written(boost::system::error_code failed);
  void on_read(boost::system::error_code failed);
  void on_timeout();
  void fail(boost::system::error_code why);
  void finish(attempt outcome);
  void close();
  /// Calls with the stream that is spoken on.
  template <class Use>
  void with_stream(Use&& use);

  session_tools with_;
  done_handler done_; ///< empty once it is over
  boost::beast::tcp_stream stream_;
  std::optional<boost::asio::ssl::stream<boost::beast::tcp_stream&>> tls_;
  boost::asio::steady_timer timer_;
  const std::string customer_id_;
  http_url to_;
  resolver::endpoints addresses_;
  boost::beast::http::request<boost::beast::http::string_body> request_;
  boost::beast::flat_buffer buffer_;
  boost::beast::http::response_parser<boost::beast::http::string_body> answer_;
  const char* stage_ = "looking up the name"; ///< for errors
};

} // namespace switchboard::webhook
