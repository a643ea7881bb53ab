// A supervisor: starts children in order, watches them, and starts them again as `supervision` decides. A child may be
// a supervisor itself, so supervisors form a tree. It never ends the node: a child that keeps failing is parked,
// counted and logged, and the rest serves on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "base/expected.hpp"
#include "runtime/node_context.hpp"
#include "runtime/supervision.hpp"

namespace switchboard::runtime {

/// How to make one child. `start` runs in the supervisor's actor; an error counts as a failure of the child.
struct child_spec {
  std::string name; ///< unique among its siblings
  std::string kind; ///< metric label, from a small fixed set
  restart_policy restart = restart_policy::permanent;
  std::function<expected<caf::actor>()> start;
};

struct supervisor_options {
  std::string path; ///< "/services"
  restart_strategy strategy = restart_strategy::one_for_one;
  restart_limits limits{};
};

/// CAF request: start a child after the others. Response: child_added, or what `start` said (then it is not kept).
struct add_child {
  child_spec spec;
};
struct child_added {};
/// CAF request: response child_state; errc::not_found.
struct inspect_child {
  std::string name;
};
struct child_state {
  caf::actor actor; ///< null while it waits or is parked
  bool parked = false;
  unsigned restarts = 0;
};
/// CAF request: start a parked child again, its history forgotten. Response: child_state.
struct revive_child {
  std::string name;
};
/// CAF request: end all children, last first, each before the next. Response: children_stopped; then the supervisor
/// ends.
struct stop_children {};
struct children_stopped {};

/// Owned by whoever stops it. An exit message does the same as stop_children.
caf::actor spawn_supervisor(node_context& node, supervisor_options options);

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::add_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::child_added)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::inspect_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::child_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::revive_child)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::stop_children)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::children_stopped)
