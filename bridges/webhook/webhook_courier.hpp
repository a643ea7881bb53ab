// Carries deliveries to customers: one thread with its own Asio loop, so that TLS with strangers takes no time from the
// node's own sessions. Who may go when is decided by turns; each attempt is a session.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bridges/webhook/webhook_session.hpp"
#include "bridges/webhook/webhook_targets.hpp"
#include "bridges/webhook/webhook_turns.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::webhook {

/// One attempt that is wanted.
struct parcel {
  target_ptr to;
  std::string event_id;
  std::string event_type;
  std::string body;
  unsigned attempt = 1;
};

/// Thread-safe but for start() and stop(), which one thread calls.
class courier {
public:
  using ticket = turns::ticket;
  /// Runs on the courier's thread, once; nothing: it was withdrawn before its turn came.
  using done_handler = std::function<void(std::optional<attempt>)>;

  courier(runtime::node_context& node, options how);
  ~courier(); ///< stop()

  /// errc::bad_format if the CA file can't be read.
  expected<void> start();
  /// What is under way ends without an outcome; no `done` runs any more.
  void stop();

  ticket send(parcel what, done_handler done);
  /// Unless it is under way.
  void withdraw(ticket which);

private:
  struct waiting {
    parcel what;
    done_handler done;
  };
  void take_turns();
  void begin(ticket which);
  void on_over(ticket which, attempt outcome, const done_handler& done);
  void look_again_when_due();
  static std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

  runtime::node_context& node_;
  const options how_;
  std::atomic<ticket> last_{0};
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_{context_.get_executor()};
  boost::asio::ssl::context tls_{boost::asio::ssl::context::tls_client};
  boost::asio::steady_timer look_again_{context_};
  // On the thread only:
  turns turns_;
  std::unordered_map<ticket, waiting> waiting_;
  std::unordered_map<ticket, std::shared_ptr<session>> under_way_;
  std::unique_ptr<resolver> names_;
  std::thread thread_;
};

} // namespace switchboard::webhook
