// Direct reply-to (RabbitMQ: amq.rabbitmq.reply-to): names that lead straight to a waiting actor, without a queue. A
// name is random, so it can't be guessed or forged, and is good as long as its owner is registered.
// Thread-safe.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <caf/actor.hpp>

namespace switchboard::broker {

inline constexpr std::string_view reply_to_name = "amq.rabbitmq.reply-to";
inline constexpr std::string_view reply_to_prefix = "amq.rabbitmq.reply-to.";

class reply_directory {
public:
  struct target {
    caf::actor actor;
    std::uint32_t key = 0;
  };

  /// A new name for `owner`; direct replies to it arrive as direct_reply{key, …}.
  std::string add(caf::actor owner, std::uint32_t key);
  void remove(std::string_view name);
  std::optional<target> find(std::string_view name) const;

private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  struct shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, target, text_hash, std::equal_to<>> names;
  };
  shard& shard_of(std::string_view name) const;
  mutable std::array<shard, 16> shards_;
};

} // namespace switchboard::broker
