// Which thread handles what, and since when: so that one watcher finds a handler that takes too long while it still
// runs. It costs a message a few nanoseconds and no timer; a look costs as much as there are threads, not actors.
//
//   handler_section{*this, "POST"}  -->  slot of this thread: who, since  <--look()--  the watcher, some times a second
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace switchboard {

/// Whoever handles messages, as reports name it.
class watched_handler {
public:
  struct label {
    std::string path; ///< "/entities/call/1"
    std::string kind; ///< metric label, from a small fixed set
  };
  /// Called by the watcher's thread while the handler runs: read only what no handler changes.
  virtual label handler_label() const = 0;

protected:
  ~watched_handler() = default;
};

class handler_slot;

/// From here to the end of its scope this thread works for `who`. Sections nest: the outer one goes on, its time
/// counted anew, when the inner one ends. `who` and the text of `message` outlive it.
class handler_section {
public:
  explicit handler_section(const watched_handler& who, std::string_view message = {}) noexcept;
  ~handler_section();
  handler_section(const handler_section&) = delete;
  handler_section& operator=(const handler_section&) = delete;

private:
  handler_slot& slot_;
  const watched_handler* outer_;
  std::string_view outer_message_;
};

struct busy_handler {
  watched_handler::label who;
  std::string message; ///< what it handles; empty if unknown
  milliseconds took{}; ///< so far, or in all; right to 10 ms
  bool ended = false;
};

/// Handlers that have run for `least`, each told once while it runs and once when it has ended. Of several callers one
/// is told. Thread-safe.
std::vector<busy_handler> look_for_slow_handlers(milliseconds least);

/// Those that run now and have for `least`. Thread-safe; changes nothing for look_for_slow_handlers().
std::vector<busy_handler> running_handlers(milliseconds least);

} // namespace switchboard
