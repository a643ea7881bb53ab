#include "runtime/watchdog.hpp"

#include <algorithm>

#include "base/handler_section.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

watchdog::watchdog(milliseconds handler_max, metrics& counts)
    : handler_max_(handler_max), metrics_(counts), thread_([this] { watch(); }) {}

watchdog::~watchdog() {
  {
    const std::lock_guard hold{mutex_};
    stop_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

void watchdog::watch() {
  const auto pause = std::max(handler_max_ / 4, milliseconds{1});
  std::unique_lock hold{mutex_};
  while (!stopped_.wait_for(hold, pause, [this] { return stop_; }))
    look();
}

void watchdog::look() {
  for (const auto& seen : look_for_slow_handlers(handler_max_)) {
    log::warning("handler_slow", {{"actor", seen.who.path},
                                  {"message", seen.message},
                                  {"ms", seen.took.count()},
                                  {"state", seen.ended ? "ended" : "running"}});
    if (!seen.ended)
      metrics_.handlers_slow.Add({{"kind", seen.who.kind}}).Increment();
  }
}

} // namespace switchboard::runtime
