// Event push to browsers and apps on /ws. Guarantee: at most once; a client that falls behind is cut off with 4008, so
// it knows that events are missing, instead of losing them in silence.
//
//   broker ─> event_feed ─batch─┬─> hub on I/O thread 0 ─frame─> sessions
//                               └─> hub on I/O thread 1 ─frame─> sessions
//   public HTTP listener ─upgrade─> hub of that connection's thread
#pragma once

#include <memory>
#include <vector>

#include "bridges/websocket/websocket_options.hpp"
#include "runtime/bridge.hpp"
#include "runtime/event_feed.hpp"
#include "runtime/jwt.hpp"
#include "runtime/upgrade.hpp"

namespace switchboard::websocket {

class hub;
class session_count;

class websocket_bridge final : public runtime::bridge {
public:
  /// `tokens` null: every connection is refused.
  websocket_bridge(runtime::node_context& node, options how, std::shared_ptr<const runtime::jwt_verifier> tokens);
  ~websocket_bridge() override;

  /// For the public HTTP listener. Good from construction on and, answering 503, after stop().
  runtime::upgrade_handler handler();

  expected<void> start() override;
  /// Refuses new connections and closes all with 1001: a stream has no end to wait for.
  void drain() override;
  void stop(std::chrono::milliseconds grace) override;
  /// It listens on the public HTTP listener's address, below this path.
  std::string address() const override { return "/ws"; }

private:
  runtime::node_context& node_;
  const std::shared_ptr<const options> how_;
  const std::shared_ptr<session_count> count_;
  std::vector<std::shared_ptr<hub>> hubs_; // one per I/O thread
  std::unique_ptr<runtime::event_feed> feed_;
};

} // namespace switchboard::websocket
