// What travels between services, subscribers, timers and entity hosts. Plain structs, local to one process.
//
//   service / subscriber --entity_work--> entity_host --(commit)--> work_done --> service / subscriber
//   timer_service, outbox of another entity --entity_work--> entity_host          (nobody waits)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "broker/endpoint.hpp"
#include "messages/envelope.hpp"
#include "runtime/entity_instance.hpp"
#include "runtime/timer_table.hpp"

namespace switchboard::runtime {

/// How a request is answered.
struct reply_terms {
  std::string reply_to; ///< empty: nobody waits for the answer
  std::string correlation_id;
  std::string message_id; ///< of the request's envelope
  std::string scope;      ///< the service's queue: where the reply is stored; empty: no message id, not stored
  std::string domain;     ///< service, in error objects
  switchboard::dialect dialect = dialect::documented;
  bool persistent = false; ///< as the request was: then its answer survives too
  bool replayed = false;   ///< from the dead letters: nobody waits for the answer, nor counts the time
};

/// One message for one entity.
struct entity_work {
  entity_message what;
  bool may_create = false; ///< an entity that does not exist may come to be by it
  bool again = false;      ///< a request that was delivered before: whoever had it then may have passed it on
  std::optional<reply_terms> answer;

  caf::actor from; ///< gets work_done with `token`; null: nobody
  std::uint64_t token = 0;
  /// Where the message lies in the log: deleted in the entity's own commit. 0: not in the log.
  broker::queue_number queue = 0;
  broker::position at = 0;
  std::string queue_name;             ///< it came from; empty: from no queue
  message_ptr source;                 ///< as it came from there
  std::optional<time_point> deadline; ///< of a request: after it nobody wants the answer, so it is not begun
  std::uint64_t outbox = 0;           ///< number of the outbox record this came from; deleted in the commit
  timer_token timer = 0;              ///< the arming that fired
  unsigned attempt = 1;
  std::string first_error; ///< of the first attempt, if that failed
};
using entity_work_ptr = std::shared_ptr<entity_work>;

/// CAF message to an entity host. One owner at a time; shared only so that CAF can move it.
struct do_work {
  entity_work_ptr work;
};

/// CAF message to an entity host: nothing came for a while; unless it waits for something, it leaves memory.
struct leave_if_idle {};

/// CAF message to an entity host: another version of its type serves; go over to it, even if nothing is to be decided.
struct move_over {};

/// CAF message to an entity host: the node stops, so what waits for another attempt goes back.
struct give_back_work {};

/// The work is over. After a commit everything of it is durable and has left.
struct work_done {
  std::uint64_t token = 0;
  bool committed = false; ///< false: nothing was kept, and the sender answers and acknowledges
  int status = 200;
  std::shared_ptr<const std::string> reply; ///< the encoded response of a request
  bool later = false; ///< not now, but soon or at the next start: the queue keeps it and brings it again
};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::do_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::leave_if_idle)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::move_over)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::give_back_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::work_done)
