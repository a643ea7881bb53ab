// One decision as one store batch, and what may leave once that batch is durable. Everything an entity does goes
// through here, so this file is the exactly-once promise: state, stored reply, events, messages, timers and the
// acknowledgement of the cause are written together or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/container/flat_map.hpp>

#include "broker/publisher.hpp"
#include "runtime/entity_work.hpp"
#include "runtime/journal.hpp"
#include "store/store.hpp"

namespace switchboard::runtime {

/// An entity's armed timers by name.
using entity_timers = boost::container::flat_map<std::string, timer_token>;

/// The entity after the decision.
struct entity_after {
  store::entity_record record; ///< sequence already counted up
  bool existed = false;        ///< before the decision
  bool exists = false;         ///< after it
};

struct commit_tools {
  store::environment& store;
  broker::publisher& publisher; ///< empty; left empty
  timer_table& timers;
  milliseconds reply_window{std::chrono::hours{24}};
};

struct addressed_work {
  std::string type;
  std::string id;
  entity_work_ptr work;
};
struct timer_step {
  armed_timer timer;
  bool arm = false; ///< false: disarm
};

/// Leaves after the commit, in the order of the members.
struct outgoing {
  broker::publisher::handoff messages; ///< the reply, then the events
  std::vector<addressed_work> sends;
  std::vector<timer_step> timers;
  std::vector<std::string> event_types; ///< for metrics
  std::vector<std::string> unrouted;    ///< types of events whose exchange does not exist: they are lost
  std::shared_ptr<const std::string> reply;
  int status = 200;
};

struct outcome_commit {
  store::batch batch;
  outgoing leaving;
};

/// `armed`: before the decision. Nothing is submitted or sent here.
outcome_commit make_commit(const entity_after& entity, const entity_work& cause, const decision& made,
                           const entity_timers& armed, time_point now, const journal_terms& terms, commit_tools with);

/// The answer is all there is of it: nothing to remember but, of a command, that answer. Not an outcome that counts.
bool changes_nothing(const entity_work& cause, const decision& made);

/// The state as it is now in an older version's form: an upgrade was taken back. `terms.base` is that state.
store::batch make_move(const store::entity_record& moved, time_point now, const journal_terms& terms);

/// A batch that forgets `cause` without having done anything: no such entity, or it failed too often. Empty if there is
/// nothing to forget.
store::batch make_discard(const std::string& type, const std::string& id, const entity_work& cause);

/// What is left of `cause` when it has failed for good: it goes, and its dead letter, which says `why`, comes, in one
/// batch. Who asked gets `answer`; it is not stored, so that a repeat, or a replay, is done. errc::not_found if the
/// queue for dead letters isn't there.
expected<outcome_commit> make_burial(const addressed_work& cause, const error& why, const error& answer, time_point now,
                                     commit_tools with);

/// Where repeats of an event for one entity are remembered.
std::string event_scope(const std::string& type, const std::string& id);

/// An outbox record's bytes, and back. errc::corrupt.
std::string encode_outbox(const addressed_work& what);
expected<addressed_work> decode_outbox(const store::outbox_record& record);

} // namespace switchboard::runtime
