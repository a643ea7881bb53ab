#include "runtime/actor_threads.hpp"

namespace switchboard::runtime {

namespace {

thread_local bool marked = false;

} // namespace

void mark_actor_thread() noexcept { marked = true; }

bool runs_actors() noexcept { return marked; }

} // namespace switchboard::runtime
