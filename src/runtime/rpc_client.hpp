// Requests to services from inside the node (HTTP gateway, CLI commands through it): publishes the request envelope to
// bin-manager.<service>.request with a direct reply-to of its own and matches the answers by correlation id.
#pragma once

#include <string>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "base/time.hpp"
#include "broker/broker.hpp"
#include "messages/envelope.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::runtime {

/// CAF request to the rpc client; CAF response: rpc_reply, always (errors are responses with a status):
/// 404 no such service (nothing is bound to its queue), 503 nobody consumes it or the node drains, 504 no answer in
/// time. A service that has not answered several times in a row is asked by one probe at a time and everybody else gets
/// 503 at once (runtime/circuits.hpp). The timeout travels as the header `deadline`, unless the request has one, and as
/// the message's expiration.
struct rpc_call {
  std::string service; ///< "call"
  request what;
  milliseconds timeout{3000}; ///< VoIPBIN's default, facts/voipbin 1.2
};
struct rpc_reply {
  response answer;
  milliseconds retry_after{0}; ///< with a 503: when it may help to ask again; 0 if unknown
};

/// One per node is enough; pinned to an I/O thread.
caf::actor spawn_rpc_client(node_context& node);

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::rpc_call)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::rpc_reply)
