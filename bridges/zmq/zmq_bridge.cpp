#include "bridges/zmq/zmq_bridge.hpp"

#include "bridges/zmq/zmq_publisher.hpp"
#include "runtime/log.hpp"

namespace switchboard::zmq_stream {

zmq_bridge::zmq_bridge(runtime::node_context& node, options how) : node_(node), how_(std::move(how)) {}

zmq_bridge::~zmq_bridge() { stop(std::chrono::milliseconds{0}); }

expected<void> zmq_bridge::start() {
  const auto stream = std::make_shared<publisher>(how_);
  auto bound = stream->bind();
  if (!bound)
    return bound.error();
  address_ = *std::move(bound);
  auto& pushed = node_.metrics.pushed.Add({{"bridge", "zmq"}});
  auto& dropped = node_.metrics.dropped.Add({{"bridge", "zmq"}, {"reason", "slow_consumer"}});
  auto started = runtime::event_feed::start(node_, node_.io.next(),
                                            {"zmq", how_.exchanges, [stream] { return stream->has_subscribers(); }},
                                            [stream, &pushed, &dropped](const runtime::event_batch_ptr& batch) {
                                              for (const auto& what : batch->events)
                                                for (const auto& message : zmq_messages(what)) {
                                                  pushed.Increment();
                                                  if (stream->send(message) == publisher::sent::dropped_for_some)
                                                    dropped.Increment();
                                                }
                                            });
  if (!started)
    return started.error();
  feed_ = *std::move(started);
  return {};
}

void zmq_bridge::stop(std::chrono::milliseconds grace) {
  // The feed lets go of the socket on its own thread; that closes it and waits for `linger` at most.
  if (feed_ && !feed_->stop(grace) && grace.count() > 0)
    runtime::log::warning("zmq_stop_late");
  feed_.reset();
}

} // namespace switchboard::zmq_stream
