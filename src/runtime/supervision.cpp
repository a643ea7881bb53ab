#include "runtime/supervision.hpp"

namespace switchboard::runtime {

exit_decision restart_history::on_exit(restart_policy policy, bool failed, const restart_limits& limits, time_point now,
                                       std::uint64_t random) {
  if (policy == restart_policy::temporary || (policy == restart_policy::transient && !failed))
    return {after_exit::forget, {}};
  std::erase_if(recent_, [&](time_point failed_at) { return now - failed_at >= limits.within; });
  if (in_a_row_ > 0 && now - last_ >= limits.within + limits.wait.delay(in_a_row_ - 1, 0))
    in_a_row_ = 0;
  recent_.push_back(now);
  last_ = now;
  if (recent_.size() > limits.most)
    return {after_exit::park, {}};
  return {after_exit::restart, limits.wait.delay(in_a_row_++, random)};
}

void restart_history::clear() { *this = {}; }

child_range restarted_with(restart_strategy strategy, std::size_t failed, std::size_t count) noexcept {
  switch (strategy) {
  case restart_strategy::one_for_one:
    break;
  case restart_strategy::one_for_all:
    return {0, count - 1};
  case restart_strategy::rest_for_one:
    return {failed, count - 1};
  }
  return {failed, failed};
}

} // namespace switchboard::runtime
