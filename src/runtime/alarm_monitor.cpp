#include "runtime/alarm_monitor.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <optional>

#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

/// Bytes that the node may still write there. Nothing if the system doesn't say.
std::optional<std::uint64_t> free_bytes(const std::string& directory) {
  struct statvfs is {};
  if (::statvfs(directory.c_str(), &is) != 0)
    return std::nullopt;
  return std::uint64_t{is.f_bavail} * is.f_frsize;
}

} // namespace

alarm_monitor::alarm_monitor(node_context& node, std::shared_ptr<store::environment> store, settings how)
    : node_(node), store_(std::move(store)), how_(std::move(how)) {
  node_.alarms->disk_free_min = how_.disk_free_min;
  thread_ = std::thread{[this, first = look()] { run(first); }};
}

alarm_monitor::~alarm_monitor() {
  {
    const std::lock_guard hold{mutex_};
    stopping_ = true;
  }
  stop_.notify_one();
  thread_.join();
}

void alarm_monitor::run(milliseconds first) {
  std::unique_lock hold{mutex_};
  for (auto wait = first; !stop_.wait_for(hold, wait, [this] { return stopping_; });) {
    hold.unlock();
    wait = look();
    hold.lock();
  }
}

/// How long until the next one.
milliseconds alarm_monitor::look() {
  auto& alarms = *node_.alarms;
  if (const auto free = free_bytes(how_.directory)) // else what was seen last counts
    alarms.disk_free = *free;
  const auto store = store_->stats();
  const auto coming = store.waiting_bytes + store.lump_bytes;
  const std::array headrooms{
      broker::memory_headroom(static_cast<std::uint64_t>(message::resident_bytes()), alarms.memory_bytes_max()),
      broker::disk_headroom({.free = alarms.disk_free,
                             .reusable = store.map_bytes_file - std::min(store.map_bytes_file, store.map_bytes_used),
                             .log_to_come = store.log_bytes_to_come,
                             .lump = how_.log_bytes_max},
                            how_.disk_free_min),
      broker::store_headroom(store.map_bytes_used + coming, store.map_bytes_max, store.is_full)};
  const auto before = alarms.known(); // sessions may have raised that of memory, and may do so any time
  for (const auto which : broker::all_alarms) {
    const bool is_short = broker::is_short(before.has(which), headrooms[static_cast<std::size_t>(which)]);
    if (is_short != before.has(which))
      alarms.set(which, is_short);
  }
  const auto now = alarms.known();
  for (const auto which : broker::all_alarms)
    if (now.has(which) != told_.has(which))
      say(which, now.has(which), headrooms[static_cast<std::size_t>(which)]);
  // Also for one that came and went between two looks: a session may wait for its end.
  if (before != now || told_ != now)
    node_.connections.tell_alarms_changed();
  told_ = now;
  return broker::next_look(headrooms);
}

void alarm_monitor::say(broker::alarm which, bool raised, broker::headroom at) const {
  const auto bytes_left = at.left;
  if (raised)
    log::warning("alarm_raised", {{"alarm", name(which)}, {"bytes_left", bytes_left}, {"means", "publishers wait"}});
  else
    log::info("alarm_cleared", {{"alarm", name(which)}, {"bytes_left", bytes_left}});
}

} // namespace switchboard::runtime
