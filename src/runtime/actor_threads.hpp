// Which threads run actors: CAF's workers and the I/O threads. Such a thread must never wait until an actor has room:
// the actor may need this very thread to make some.
#pragma once

#include <caf/thread_hook.hpp>

namespace switchboard::runtime {

/// From now on the calling thread counts as one that runs actors.
void mark_actor_thread() noexcept;
/// True on a thread that was marked.
bool runs_actors() noexcept;

/// For actor_system_config::add_thread_hook: marks every thread that CAF starts.
class actor_thread_hook final : public caf::thread_hook {
public:
  void init(caf::actor_system&) override {}
  void thread_started() override { mark_actor_thread(); }
  void thread_terminates() override {}
};

} // namespace switchboard::runtime
