// The actor of one queue of type stream: appends what it is sent, writes it into the log itself, and sends consumers
// what they have not read, from the log if they are far behind. Spawned by the topology actor; pinned to an I/O thread.
//
// In the log, all under the stream's queue number, by position:
//   from 0            what another transaction put here and that has no offset yet
//   from chunk_base   the chunks' records (stream_log), by first offset
//   from message_base the messages, by offset, with header x-stream-offset
//
// A message has its offset for ever once that is synced; only then is it sent to anybody, and its publisher answered.
#pragma once

#include <memory>

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>

#include "broker/durable_log.hpp"
#include "broker/protocol.hpp"
#include "broker/stream_arguments.hpp"

namespace switchboard::broker {

inline constexpr position chunk_base = position{1} << 62;
inline constexpr position message_base = position{1} << 63;

struct stream_setup {
  std::string vhost;
  queue_spec spec;
  field_table effective; ///< arguments and policies together
  queue_number number = 0;
  std::shared_ptr<durable_log> log; ///< what it holds of this stream is read as the actor starts
};

/// Takes what a queue takes (protocol.hpp); get and purge fail.
caf::actor spawn_stream(caf::actor_system& system, caf::execution_unit* home, stream_setup setup);

/// The message as it stands in a stream.
message_ptr with_stream_offset(const message& what, stream_offset at);

} // namespace switchboard::broker
