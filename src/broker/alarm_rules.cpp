#include "broker/alarm_rules.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace switchboard::broker {

namespace {

using namespace std::chrono_literals;

/// Bytes that may be written in a millisecond: RabbitMQ's FAST_RATE of rabbit_disk_monitor.
constexpr std::int64_t bytes_per_ms = 250'000;

constexpr auto look_soonest = 20ms;  // RabbitMQ has 100 ms: its look starts a program
constexpr auto look_latest = 1000ms; // RabbitMQ has 10 s; here publishers go on within a second

/// A raised alarm ends once that part of the mark is left.
constexpr std::uint64_t clear_share = 16;

headroom unlimited() { return {std::numeric_limits<std::int64_t>::max(), 0}; }

std::int64_t signed_bytes(std::uint64_t bytes) {
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(bytes, std::uint64_t{std::numeric_limits<std::int64_t>::max()} / 4));
}

} // namespace

std::string_view name(alarm which) {
  switch (which) {
  case alarm::memory:
    return "memory";
  case alarm::disk:
    return "disk";
  case alarm::store:
    return "store";
  }
  return {};
}

std::string blocked_reason(alarm_set raised) {
  const bool disk = raised.has(alarm::disk) || raised.has(alarm::store);
  if (disk && raised.has(alarm::memory))
    return "low on disk & memory";
  return disk ? "low on disk" : "low on memory";
}

std::string names_of(alarm_set raised) {
  std::string all;
  for (const auto which : all_alarms)
    if (raised.has(which)) {
      all += all.empty() ? "" : ", ";
      all += name(which);
    }
  return all;
}

headroom memory_headroom(std::uint64_t used, std::uint64_t most) {
  return {signed_bytes(most) - signed_bytes(used), signed_bytes(most / clear_share)};
}

headroom disk_headroom(disk_space now, std::uint64_t least) {
  if (least == 0)
    return unlimited();
  const auto to_come = signed_bytes(now.log_to_come) + signed_bytes(now.lump);
  const auto left = signed_bytes(now.free) + signed_bytes(now.reusable / 2) - to_come - signed_bytes(least);
  const bool is_log_too_large = now.log_to_come > now.free;
  return {is_log_too_large ? std::min<std::int64_t>(left, -1) : left, signed_bytes(least / clear_share)};
}

headroom store_headroom(std::uint64_t used, std::uint64_t most, bool is_full) {
  const auto left = signed_bytes(store_mark(most)) - signed_bytes(used);
  return {is_full ? std::min<std::int64_t>(left, -1) : left, signed_bytes(most / clear_share)};
}

bool is_short(bool was, headroom now) { return was ? now.left < now.to_clear : now.left < 0; }

std::chrono::milliseconds next_look(std::span<const headroom> all) {
  auto soonest = look_latest;
  for (const auto& one : all) {
    const auto distance = one.left < 0 ? -one.left : one.left;
    soonest = std::min(soonest, std::chrono::milliseconds{distance / bytes_per_ms});
  }
  return std::max(soonest, look_soonest);
}

} // namespace switchboard::broker
