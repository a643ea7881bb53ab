// What to do when an actor has ended: start it again, after how long, or park it. Pure decisions; `supervisor` carries
// them out for the node's own actors, `entity_host` for the plugin instance it holds.
//
//   exit --> finished, or not to be restarted ------------------------> forget
//        --> failed, few times lately ------> restart after 0.1 → 30 s
//        --> failed more than `most` times within `within` -----------> park (a person, or time, revives it)
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/back_off.hpp"
#include "base/time.hpp"

namespace switchboard::runtime {

enum class restart_policy {
  permanent, ///< always started again
  transient, ///< only after a failure
  temporary, ///< never
};

/// Who else restarts with a failed child. Children are in start order: later ones may use earlier ones.
enum class restart_strategy {
  one_for_one,  ///< nobody
  one_for_all,  ///< all its siblings
  rest_for_one, ///< those started after it
};

struct restart_limits {
  unsigned most = 5;           ///< failures within `within` that are answered by a restart
  milliseconds within{10'000}; ///< a child that lived this long starts its back-off anew
  back_off wait{};             ///< 0.1 s, doubling to 30 s
};

enum class after_exit {
  restart, ///< start again after `wait`
  park,    ///< leave it stopped: it fails too often to be of use
  forget,  ///< its work is over
};
struct exit_decision {
  after_exit what = after_exit::forget;
  milliseconds wait{0};

  friend bool operator==(const exit_decision&, const exit_decision&) = default;
};

/// The failures of one child. Not thread-safe.
class restart_history {
public:
  /// `random`: any 64 random bits, for the jitter. Times must not decrease; if the clock does, old failures count on.
  exit_decision on_exit(restart_policy policy, bool failed, const restart_limits& limits, time_point now,
                        std::uint64_t random);
  /// Forgets everything: the child was revived by hand.
  void clear();

private:
  std::vector<time_point> recent_; ///< failures within the window; few
  unsigned in_a_row_ = 0;          ///< failures without a long life between them
  time_point last_{};
};

/// The children first..last (inclusive) that restart together when child `failed` of `count` does.
struct child_range {
  std::size_t first = 0;
  std::size_t last = 0;

  friend bool operator==(const child_range&, const child_range&) = default;
};
/// Precondition: failed < count.
child_range restarted_with(restart_strategy strategy, std::size_t failed, std::size_t count) noexcept;

} // namespace switchboard::runtime
