// All events of the node as parsed values, for bridges that push them to whoever listens now (WebSocket, ZeroMQ).
// Guarantee: at most once; events published while nobody consumes are not for this feed. An exclusive, transient,
// auto-delete message queue bound to the event exchanges, consumed without acknowledgement.
//
//   call.events ─┐                                   credit back when the last holder drops the batch
//   agent.events ┼─> queue ─deliver─> feed actor ─event_batch─> sink ─> … ┘
//   …            ┘
//
// Parsing happens once per event, however many clients get it, and not at all while nobody listens. Who keeps a batch
// slows the feed and, in the end, the publishers: pass on or drop, don't hoard.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "messages/envelope.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::runtime {

/// Events in the order of their queue.
struct event_batch {
  std::vector<event> events;
};
using event_batch_ptr = std::shared_ptr<const event_batch>;

struct event_feed_options {
  std::string owner; ///< bridge: owner of the queue, metric label, directory path
  /// Declared as durable fanouts, as the runtime declares them.
  std::vector<std::string> exchanges{"call.events", "conference.events", "agent.events", "queue.events"};
  /// Asked before a batch is parsed, on the thread of the feed's home; false: nobody listens now, the batch goes.
  std::function<bool()> wanted = [] { return true; };
  bool of_all_types = false; ///< also the exchanges of every hosted type, as types come
};

/// Thread-safe but for start() and stop(), which one thread calls.
class event_feed {
public:
  /// Runs on the thread of the feed's home, one call at a time. Released on that thread when the feed ends.
  using sink = std::function<void(event_batch_ptr)>;

  /// Blocks until the feed consumes: every event published after it returned is seen. The error of the broker
  /// otherwise, e.g. errc::precondition_failed if an exchange exists with another type.
  static expected<std::unique_ptr<event_feed>> start(node_context& node, asio_unit& home, event_feed_options how,
                                                     sink to);
  ~event_feed(); ///< stop(0)

  /// Ends the feed. True if it has ended (its sink is released) within `grace`.
  bool stop(milliseconds grace);

private:
  struct ending;
  event_feed(caf::actor actor, std::shared_ptr<ending> over);

  caf::actor actor_;
  std::shared_ptr<ending> over_;
};

} // namespace switchboard::runtime
