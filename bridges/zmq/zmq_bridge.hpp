// The fast event stream: a ZeroMQ PUB socket with two frames per message, [topic][JSON] (messages/zmq_topic.hpp).
// Guarantee: at most once. A subscriber that is slow or not there yet misses messages; the drops are counted. What must
// not be lost goes over AMQP.
//
//   broker ─> event_feed (on one I/O thread) ─> PUB socket, used on that thread only ─> libzmq's thread ─> subscribers
#pragma once

#include <memory>

#include "bridges/zmq/zmq_options.hpp"
#include "runtime/bridge.hpp"
#include "runtime/event_feed.hpp"

namespace switchboard::zmq_stream {

class zmq_bridge final : public runtime::bridge {
public:
  zmq_bridge(runtime::node_context& node, options how);
  ~zmq_bridge() override;

  expected<void> start() override;
  /// Subscribers have no requests to refuse: the stream ends with stop().
  void drain() override {}
  void stop(std::chrono::milliseconds grace) override;
  std::string address() const override { return address_; } ///< "tcp://127.0.0.1:5555"

private:
  runtime::node_context& node_;
  const options how_;
  std::string address_;
  std::unique_ptr<runtime::event_feed> feed_;
};

} // namespace switchboard::zmq_stream
