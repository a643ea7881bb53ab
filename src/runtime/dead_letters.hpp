// What becomes of work that failed for good: a dead letter that says why, in a queue beside the one it came from, from
// where it can be replayed (seed 000, "Dead Letter Queue"). Pure.
//
//   bin-manager.call.request   -> bin-manager.call.request.dead     a request
//   switchboard.call.subscribe -> switchboard.call.subscribe.dead   an event
//   switchboard.call.work      -> switchboard.call.work.dead        a timer, or a message of another entity
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "base/time.hpp"
#include "messages/message.hpp"
#include "runtime/entity_commit.hpp"

namespace switchboard::runtime {

/// Where replayed timers and messages of entities of that type come back: "switchboard.call.work".
std::string work_queue(std::string_view type);

/// The queue that the work comes back to when it is replayed: the one it came from, or work_queue().
std::string home_queue(std::string_view type, const entity_work& what);

/// Why and how often.
struct failure {
  std::string first_error;
  std::string last_error;
  std::uint64_t attempts = 1;
  std::string trace_id;     ///< empty: not known
  std::string queue{};      ///< the dead letter goes to; empty: `<queue>.dead`
  std::string message_id{}; ///< of the envelope: the letter's, if the message has no such property
};
/// For the queue of dead letters, with x-death, x-retry-attempts, x-first-error, x-last-error and x-trace-id.
message_ptr make_dead_letter(const message& what, std::string_view queue, const failure& how, time_point now);
/// The same of an entity's work: the message as it came, or made for it.
message_ptr make_dead_letter(const addressed_work& what, const error& last, time_point now);

/// A timer or a message for an entity as one for its work_queue(): how what is no entity tells one something durably.
message_ptr make_work_message(const addressed_work& what);
/// What stands in work_queue(): errc::bad_format if it is nothing of ours.
expected<addressed_work> read_work(const message& what);

} // namespace switchboard::runtime
