#include "broker/reply_directory.hpp"

#include <random>

namespace switchboard::broker {

namespace {

/// 128 bits of the operating system's randomness as 22 characters of base64url.
std::string random_name() {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  thread_local std::random_device source;
  std::string text;
  for (int word = 0; word < 5; ++word) {
    auto bits = source();
    for (int digit = 0; digit < 5 && text.size() < 22; ++digit, bits >>= 6)
      text.push_back(digits[bits & 63]);
  }
  return text;
}

} // namespace

reply_directory::shard& reply_directory::shard_of(std::string_view name) const {
  return shards_[std::hash<std::string_view>{}(name) % shards_.size()];
}

std::string reply_directory::add(caf::actor owner, std::uint32_t key) {
  auto name = std::string{reply_to_prefix} + random_name();
  auto& home = shard_of(name);
  std::lock_guard guard{home.mutex};
  home.names.insert_or_assign(name, target{std::move(owner), key});
  return name;
}

void reply_directory::remove(std::string_view name) {
  auto& home = shard_of(name);
  std::lock_guard guard{home.mutex};
  if (auto found = home.names.find(name); found != home.names.end())
    home.names.erase(found);
}

std::optional<reply_directory::target> reply_directory::find(std::string_view name) const {
  auto& home = shard_of(name);
  std::lock_guard guard{home.mutex};
  auto found = home.names.find(name);
  if (found == home.names.end())
    return std::nullopt;
  return found->second;
}

} // namespace switchboard::broker
