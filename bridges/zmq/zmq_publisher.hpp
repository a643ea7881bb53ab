// The PUB socket; in fact XPUB, which is PUB that says who subscribes. Not thread-safe: made and bound on one thread,
// then handed to the one that sends (a ZeroMQ socket may move between threads, not be shared).
#pragma once

#include <cstdint>
#include <string>

#include <zmq.hpp>

#include "base/expected.hpp"
#include "bridges/zmq/zmq_options.hpp"
#include "messages/zmq_topic.hpp"

namespace switchboard::zmq_stream {

class publisher {
public:
  explicit publisher(const options& how);

  /// The address with the real port; errc::io_failed with address and cause.
  expected<std::string> bind();

  /// What became of a message.
  enum class sent {
    to_all,          ///< every subscriber of the topic has room for it, or there is none
    dropped_for_some ///< at least one was over its high water mark: it misses this message, the others don't
  };
  /// Somebody subscribes to something, or did once: libzmq hands on ends of subscriptions that never were (a peer may
  /// send any), so they can't be counted.
  bool has_subscribers();
  /// Never waits.
  sent send(const zmq_message& what);

private:
  bool send_frames(const zmq_message& what);

  const options how_;
  ::zmq::context_t context_;
  ::zmq::socket_t socket_;
  bool has_subscribers_ = false;
};

} // namespace switchboard::zmq_stream
