// One live instance of a plugin's entity, as a C++ value: opens saved bytes, asks for a decision, collects what the
// plugin calls back into plain data. No CAF, no store, no clock: this is the pure side of the entity host.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/expected.hpp"
#include "base/time.hpp"
#include "sdk/abi.h"

namespace switchboard::runtime {

/// What an entity is told: sb_message with its own memory.
struct entity_message {
  sb_message_kind kind = SB_MESSAGE;
  std::string message_id;
  std::string customer_id;
  std::string name;
  std::string route;
  std::string query;
  std::string from_type;
  std::string from_id;
  std::string headers; ///< JSON object or empty
  std::string body;    ///< JSON or empty
};

/// What a plugin wants done, in the order it said so.
struct decision {
  struct answer {
    int status = 200;
    std::string body;   ///< JSON; of a reply
    std::string reason; ///< not empty: a refusal
    std::string text;
  };
  struct new_state {
    std::uint32_t version = 0;
    std::string customer_id;
    std::string bytes;
  };
  struct event {
    std::string type;
    std::string customer_id;
    std::string resource_id;
    std::string data; ///< JSON
  };
  struct send {
    std::string to_type;
    std::string to_id;
    std::string name;
    std::string body; ///< JSON
  };
  struct timer_change {
    std::string name;
    std::optional<milliseconds> delay; ///< empty: cancel
    std::string payload;               ///< JSON
  };

  std::optional<answer> reply;
  std::optional<new_state> state; ///< empty: unchanged
  bool ended = false;
  std::vector<event> events;
  std::vector<send> sends;
  std::vector<timer_change> timers;
};

/// Owns the plugin's instance. Not thread-safe; may move between threads.
class entity_instance {
public:
  /// `state` empty: an entity that does not exist yet. Never throws, whatever the plugin does.
  static expected<entity_instance> open(const sb_entity_type& type, std::string_view state, std::uint32_t version);

  /// If it failed, the plugin's reason under errc::unavailable (it may succeed later), errc::bad_format (it never will)
  /// or errc::internal (who knows); then open a new one from the last good state.
  expected<decision> decide(const entity_message& what, std::string_view entity_id, time_point now,
                            std::uint64_t random, std::string_view settings);
  /// The public JSON of the resource.
  expected<std::string> view();

private:
  struct closer {
    const sb_entity_type* type;
    void operator()(void* instance) const noexcept;
  };
  entity_instance(const sb_entity_type& type, void* instance) : instance_(instance, closer{&type}) {}
  const sb_entity_type& type() const noexcept { return *instance_.get_deleter().type; }

  std::unique_ptr<void, closer> instance_;
};

inline constexpr std::size_t state_bytes_max = std::size_t{16} << 20;
inline constexpr std::size_t effects_max = 10'000; ///< events, messages and timers of one decision

/// The type's own downgrade of a saved state. Precondition: it has one.
expected<std::string> downgrade_state(const sb_entity_type& type, std::string_view state, std::uint32_t version,
                                      std::uint32_t older);

/// Every JSON text of a decision can be read within the envelope's limits, and names are proper; errc::internal.
expected<void> check_decision(const decision& made);

} // namespace switchboard::runtime
