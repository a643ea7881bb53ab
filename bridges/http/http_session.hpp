// One HTTP/1.1 connection: reads a request within limits of size and time, asks the application, writes its answer, and
// so on while the client keeps it alive. Beast stays behind this header; only http_session.cpp pays for it.
//
//   idle ──first byte──> reading ──whole──> answering ──done──> writing ──> idle, or lingering ──> closed
//                           └─ too large, malformed ──────────────^   (upgrade: the socket goes to another bridge)
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "bridges/http/http_application.hpp"
#include "bridges/http/http_options.hpp"
#include "runtime/node_context.hpp"
#include "runtime/upgrade.hpp"

namespace switchboard::http {

class session;

/// What the connections of one listener share. Thread-safe. Connections that are left when the listener goes keep it.
class listener_state : public std::enable_shared_from_this<listener_state> {
public:
  listener_state(runtime::node_context& node, options how, std::shared_ptr<application> serves,
                 runtime::upgrade_handler upgrade);

  runtime::node_context& node;
  const options how;
  const std::shared_ptr<application> serves;
  const runtime::upgrade_handler upgrade; ///< for /ws; may be empty
  std::atomic<bool> draining{false};      ///< connections close after the answer under way

  /// Takes a connection in, on any thread; refuses over connections_max.
  void begin(boost::asio::ip::tcp::socket socket, runtime::asio_unit& home);
  /// Ends connections: those that are idle, or all of them.
  void end_all(bool busy_too);
  /// True if none is left within `grace`.
  bool wait_none(milliseconds grace);

  void count_request(int status);
  void on_gone(session* which);

private:
  prometheus::Gauge& connections_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<session*, std::weak_ptr<session>> sessions_;
};

/// Used on the thread of its home, but for end().
class session {
public:
  virtual ~session() = default;
  virtual void start() = 0;
  /// Thread-safe. Closes at once if idle or if `busy_too`.
  virtual void end(bool busy_too) = 0;
};

std::shared_ptr<session> make_session(std::shared_ptr<listener_state> state, boost::asio::ip::tcp::socket socket,
                                      runtime::asio_unit& home);

} // namespace switchboard::http
