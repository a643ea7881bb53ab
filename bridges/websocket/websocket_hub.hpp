// The WebSocket sessions of one I/O thread and what they have subscribed to. Events come in as batches that all hubs
// share; each hub looks up who wants one and hands them one common frame.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>

#include <boost/asio/steady_timer.hpp>

#include "bridges/websocket/websocket_codec.hpp"
#include "bridges/websocket/websocket_session.hpp"
#include "runtime/event_feed.hpp"

namespace switchboard::websocket {

/// Counts the sessions of all hubs, so that stop() can wait for the last one. Thread-safe.
class session_count {
public:
  void add(int change);
  bool any() const noexcept { return sessions_ > 0; }
  /// True if there is none within `grace`.
  bool wait_none(milliseconds grace);

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<int> sessions_{0};
};

/// Owned by the bridge and by whatever is on its way to it. Used on its I/O thread only, but for the constructor.
class hub final : public session_owner, public std::enable_shared_from_this<hub> {
public:
  hub(runtime::node_context& node, runtime::asio_unit& home, std::shared_ptr<const options> how,
      std::shared_ptr<const runtime::jwt_verifier> tokens, std::shared_ptr<session_count> count);

  runtime::asio_unit& home() noexcept { return home_; }

  /// Checks the token and takes the connection, or refuses it before the upgrade (401, 503).
  void accept(runtime::upgrade what);
  void dispatch(const runtime::event_batch& batch);
  /// Refuses what comes and closes what is there with 1001.
  void drain();
  /// Cuts what is left.
  void abort();

  void on_open(session& who) override;
  void on_text(session& who, std::string_view text) override;
  void on_closing(session& who, close_reason why) override;
  void on_gone(session& who) override;

private:
  void refuse(runtime::upgrade what, int status, std::string_view reason, std::string_view message);
  void carry_out(session& who, const command& asked);
  /// Why the subscription is refused as a whole; nothing if it is not.
  std::optional<refusal> check(const session& who, const command& asked) const;
  void forget_topics(session& who);
  void arm();
  void sweep();

  runtime::node_context& node_;
  runtime::asio_unit& home_;
  const std::shared_ptr<const options> how_;
  const std::shared_ptr<const runtime::jwt_verifier> tokens_;
  const std::shared_ptr<session_count> count_;
  prometheus::Gauge& connections_;
  prometheus::Counter& pushed_;
  subscription_index index_;
  std::unordered_map<session*, std::shared_ptr<session>> sessions_;
  // One timer for all sessions, none while there are none: idle connections cost one comparison each per tick.
  boost::asio::steady_timer timer_;
  bool armed_ = false;
  bool draining_ = false;
};

} // namespace switchboard::websocket
