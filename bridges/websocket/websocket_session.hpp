// One WebSocket connection: frames in, frames out, keep-alive, a bounded outbox. It knows no topics; its hub does.
// Beast stays behind this header: it is included by the hub and the tests, and Beast's WebSocket costs 15 s to compile.
//
//   accept ──101──> open ──close()──> closing ──handshake or write_timeout──> gone
//                    └── peer closes, silence, a write that takes too long ──────┘
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "bridges/websocket/websocket_index.hpp"
#include "bridges/websocket/websocket_options.hpp"
#include "runtime/jwt.hpp"
#include "runtime/upgrade.hpp"

namespace switchboard::websocket {

using steady_time = std::chrono::steady_clock::time_point;
/// One frame's text, shared by all connections that get it.
using frame_ptr = std::shared_ptr<const std::string>;

/// Close codes we send (RFC 6455 7.4.1; 4000.. is for applications). Beast itself sends 1002, 1007 and 1009.
enum class close_reason : std::uint16_t {
  going_away = 1001,    ///< the node drains; reconnect, subscribe again
  unknown_data = 1003,  ///< a binary message
  slow_consumer = 4008, ///< the outbox was full: events would be missing
  token_expired = 4401, ///< reconnect with a fresh token
};

class session;

/// Who owns sessions: the hub. All calls come on the I/O thread of the session.
class session_owner {
public:
  virtual ~session_owner() = default;
  virtual void on_open(session& who) = 0;
  /// A text message; `text` is good during the call.
  virtual void on_text(session& who, std::string_view text) = 0;
  /// The session is going to be closed for this reason, by us.
  virtual void on_closing(session& who, close_reason why) = 0;
  /// The last call of a session: nothing of it is under way any more.
  virtual void on_gone(session& who) = 0;
};

/// Used on its I/O thread only. Holds its owner weakly; lives while operations are under way or somebody holds it.
class session : public subscriber {
public:
  virtual ~session() = default;
  /// Answers 101 and begins to read. Once.
  virtual void accept(runtime::upgrade what) = 0;
  /// Queues a text message. Over the bound of the outbox the session closes instead; once closing it is dropped.
  virtual void push(frame_ptr frame) = 0;
  /// Begins the closing handshake; what is queued is dropped. Idempotent.
  virtual void close(close_reason why) = 0;
  /// Keep-alive and deadlines: to be called a few times per shortest interval of the options.
  virtual void check(steady_time now, time_point wall) = 0;
  /// Cuts the connection. Idempotent.
  virtual void abort() = 0;

  const runtime::claims& who() const noexcept { return who_; }
  /// The hub's: what this connection has subscribed to.
  std::vector<topic_pattern> topics;

protected:
  explicit session(runtime::claims who) : who_(std::move(who)) { customer_id = who_.customer_id; }

private:
  const runtime::claims who_;
};

std::shared_ptr<session> make_session(std::weak_ptr<session_owner> owner, std::shared_ptr<const options> how,
                                      runtime::claims who, boost::asio::ip::tcp::socket socket);

/// Answers an upgrade with an HTTP error and a JSON body, then closes.
void refuse(runtime::upgrade what, int status, std::string_view reason, std::string_view message);

} // namespace switchboard::websocket
