#include "base/fail_point.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace switchboard {

namespace {

constexpr std::array<std::string_view, fail_point_count> fail_point_names{
    "log.before_write",           "log.after_write",           "log.after_sync",
    "checkpoint.before_commit",   "checkpoint.after_commit",   "recovery.before_commit",
    "recovery.after_commit",      "queue.before_deletions",    "queue.after_deletions",
    "dead_letters.before_commit", "dead_letters.after_commit", "entity.before_commit",
    "entity.submitted",           "entity.committed"};

} // namespace

std::string_view text(fail_point where) noexcept { return fail_point_names[static_cast<std::size_t>(where)]; }

expected<fail_plan> parse_fail_plan(std::string_view text) {
  fail_plan plan{};
  while (true) {
    const auto comma = text.find(',');
    const auto item = text.substr(0, comma);
    const auto colon = item.find(':');
    const auto name = std::find(fail_point_names.begin(), fail_point_names.end(), item.substr(0, colon));
    if (name == fail_point_names.end())
      return {errc::bad_format, "no such fail point: " + std::string{item.substr(0, colon)}};
    const auto number = colon == std::string_view::npos ? std::string_view{} : item.substr(colon + 1);
    std::uint32_t passes = 0;
    const auto [end, bad] = std::from_chars(number.data(), number.data() + number.size(), passes);
    if (bad != std::errc{} || end != number.data() + number.size() || passes == 0)
      return {errc::bad_format, "a fail point is written name:pass, the pass from 1 on: " + std::string{item}};
    plan[static_cast<std::size_t>(name - fail_point_names.begin())] = passes;
    if (comma == std::string_view::npos)
      return plan;
    text.remove_prefix(comma + 1);
  }
}

void fail_points::arm(const fail_plan& plan) noexcept {
  for (std::size_t i = 0; i < plan.size(); ++i)
    left_[i].store(plan[i], std::memory_order_relaxed);
  armed_.store(true, std::memory_order_relaxed);
}

bool fail_points::is_over(fail_point where) noexcept {
  auto& left = left_[static_cast<std::size_t>(where)];
  auto now = left.load(std::memory_order_relaxed);
  while (now > 0 && !left.compare_exchange_weak(now, now - 1, std::memory_order_relaxed)) {
  }
  return now == 1;
}

void end_by_sigkill() noexcept {
  ::kill(::getpid(), SIGKILL);
  for (;;) // until it has come
    ::pause();
}

} // namespace switchboard
