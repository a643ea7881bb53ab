// What a power loss may leave of the files that disk.hpp's disk has seen: all that was synced, and of what was only
// written any sectors, or none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "disk.hpp"

namespace switchboard::store {

/// Contents by path.
using files = std::map<std::string, std::string>;

/// Of a directory whose store is closed.
inline files read_store_files(const std::string& directory) {
  files found;
  for (const auto* name : {"/data.mdb", "/write_ahead.log"}) {
    std::ifstream in{directory + name, std::ios::binary};
    found[directory + name] = {std::istreambuf_iterator<char>{in}, {}};
  }
  return found;
}

/// Under the same names into another directory.
inline void write_store_files(const files& disk, const std::string& directory) {
  for (const auto& [path, bytes] : disk)
    std::ofstream{directory / std::filesystem::path{path}.filename(), std::ios::binary} << bytes;
}

inline void write_into(std::string& file, std::uint64_t at, std::string_view bytes) {
  if (file.size() < at + bytes.size())
    file.resize(at + bytes.size(), '\0');
  file.replace(at, bytes.size(), bytes);
}

/// Any sectors of the write, or none.
inline void write_some(std::string& file, const disk_event& write, std::mt19937& dice) {
  constexpr std::size_t sector = 512; // what a disk writes whole
  if (dice() % 3 == 0)
    return;
  const bool whole = dice() % 2 == 0;
  for (std::size_t done = 0; done < write.bytes.size(); done += sector)
    if (whole || dice() % 2 == 0)
      write_into(file, write.at + done, std::string_view{write.bytes}.substr(done, sector));
}

/// The disk after the first `count` events.
inline files after_power_loss(const files& before, const std::vector<disk_event>& events, std::size_t count,
                              std::mt19937& dice) {
  files disk = before;
  std::map<std::string, std::size_t> synced; // events of the file up to here are on the disk
  for (std::size_t i = 0; i < count; ++i)
    if (events[i].bytes.empty())
      synced[events[i].path] = i;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& event = events[i];
    if (event.bytes.empty())
      continue;
    if (event.is_synced || i < synced[event.path])
      write_into(disk[event.path], event.at, event.bytes);
    else
      write_some(disk[event.path], event, dice);
  }
  return disk;
}

} // namespace switchboard::store
