#include "broker/reply_directory.hpp"

#include "base/random.hpp"

namespace switchboard::broker {

namespace {

/// Of the form of RabbitMQ's, which are base64 of a process, a dot and base64 of 16 random bytes: php-amqp's suite
/// wants the dot and the padding.
std::string new_address() { return std::string{reply_to_prefix} + random_name() + "." + random_name() + "=="; }

} // namespace

reply_directory::shard& reply_directory::shard_of(std::string_view name) const {
  return shards_[std::hash<std::string_view>{}(name) % shards_.size()];
}

std::string reply_directory::add(caf::actor owner, std::uint32_t key) {
  auto name = new_address();
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
