// When a resource of the node counts as short, and when to look again. RabbitMQ's alarms ("Memory and Disk Alarms"),
// and one more: the store's map. Pure: figures in, decisions out.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace switchboard::broker {

/// While one of them is raised, nobody publishes.
enum class alarm : std::uint8_t {
  memory, ///< messages take more of it than `broker.memory_bytes_max`
  disk,   ///< the data directory's file system has less free than `store.disk_free_min`
  store,  ///< data.mdb is nearly at `store.map_bytes_max`
};
inline constexpr std::array all_alarms{alarm::memory, alarm::disk, alarm::store};

std::string_view name(alarm which);

/// Which alarms are raised. A value.
class alarm_set {
public:
  constexpr alarm_set() = default;
  constexpr explicit alarm_set(std::uint8_t bits) : bits_(bits) {}
  constexpr bool has(alarm which) const noexcept { return bits_ & bit(which); }
  constexpr bool any() const noexcept { return bits_ != 0; }
  constexpr void set(alarm which, bool on) noexcept {
    bits_ = static_cast<std::uint8_t>(on ? bits_ | bit(which) : bits_ & ~bit(which));
  }
  constexpr std::uint8_t bits() const noexcept { return bits_; }
  friend constexpr bool operator==(alarm_set, alarm_set) = default;

  static constexpr std::uint8_t bit(alarm which) noexcept {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(which));
  }

private:
  std::uint8_t bits_ = 0;
};

/// What connection.blocked says, in RabbitMQ's words; it knows no store, whose alarm is one of the disk.
std::string blocked_reason(alarm_set raised);
/// "disk, store": the names, for readiness and log.
std::string names_of(alarm_set raised);

/// How far a resource is from its mark.
struct headroom {
  std::int64_t left = 0;     ///< bytes to the mark; negative: past it
  std::int64_t to_clear = 0; ///< bytes that must be left for a raised alarm to end, so that it doesn't flap
};

/// `used` is of all messages; `most` is memory_bytes_max.
headroom memory_headroom(std::uint64_t used, std::uint64_t most);
struct disk_space {
  std::uint64_t free = 0;        ///< bytes of the file system
  std::uint64_t reusable = 0;    ///< bytes inside data.mdb that are free: it never shrinks, but takes new data there
  std::uint64_t log_to_come = 0; ///< by which the log's file will still grow
  std::uint64_t lump = 0;        ///< what the log may hold at most and data.mdb not yet
};
/// `least` is disk_free_min; 0: never short. What is free inside the store counts half: a large message may find no
/// place in it that is long enough, and what is freed can be used only two transactions later. Were it not counted, one
/// full disk would be the end of publishing, however much is taken out of the queues.
headroom disk_headroom(disk_space now, std::uint64_t least);
/// `used` with all that is on its way into the map; `most` is map_bytes_max. `is_full`: something waits for room
/// already.
headroom store_headroom(std::uint64_t used, std::uint64_t most, bool is_full);

/// From four fifths of the map on nobody publishes.
constexpr std::uint64_t store_mark(std::uint64_t most) { return most / 5 * 4; }
/// What may be written that needn't be durable, up to three quarters of the map; half of it, since pages aren't filled.
constexpr std::uint64_t room_for_pages(std::uint64_t used, std::uint64_t most) {
  const auto mark = most / 4 * 3;
  return used < mark ? (mark - used) / 2 : 0;
}

/// Whether the alarm is to be raised, given whether it was.
bool is_short(bool was, headroom now);

/// As RabbitMQ has it: the nearer one is to its mark, the sooner, but for what a fast disk can take in that time.
std::chrono::milliseconds next_look(std::span<const headroom> all);

} // namespace switchboard::broker
