// The entity types a node serves, and of each all versions that were ever loaded. One of them serves: it decides. The
// others stay for the entities they still have to decide for, for taking an upgrade back, and for replaying what they
// decided. Nothing here is ever freed before the node ends, so what is found may be kept.
//
//   hosted_types  "call" -> served_type --now--> hosted_type (call 2.0.0)
//                                       `------- hosted_type (call 1.0.0)
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "runtime/entity_instance.hpp"
#include "sdk/abi.h"

namespace switchboard::runtime {

/// One version of one entity type. Constant but for its counters, which anybody may count.
struct hosted_type {
  hosted_type(const sb_entity_type& described, std::string settings_json, std::string plugin_name,
              std::string plugin_version);

  const sb_entity_type* abi;
  const std::string settings; ///< JSON object of its plugin
  const std::string plugin;
  const std::string version;       ///< of the plugin
  const std::string settings_hash; ///< 16 hex digits
  const std::string stamp;         ///< JSON object: who decided, as journal lines say it

  mutable std::atomic<std::int64_t> live{0};     ///< entities in memory that it decides for
  mutable std::atomic<std::uint64_t> decided{0}; ///< decisions that were committed
  mutable std::atomic<std::uint64_t> failed{0};  ///< decisions that failed
};

/// Thread-safe; reading `now` costs one atomic load.
class served_type {
public:
  explicit served_type(std::string name) : name_(std::move(name)) {}

  const std::string& name() const noexcept { return name_; }
  const hosted_type& now() const noexcept { return *now_.load(std::memory_order_acquire); }
  /// Latest first, in the order in which they served.
  std::vector<const hosted_type*> versions() const;
  /// From now on that one serves. It must be of this type and live as long as this.
  void serve(const hosted_type& version);

private:
  const std::string name_;
  std::atomic<const hosted_type*> now_{nullptr};
  mutable std::mutex mutex_;
  std::vector<const hosted_type*> versions_; ///< under mutex_; earliest first
};

/// Thread-safe. A lookup takes no lock: the map is a snapshot, replaced when a type comes.
class hosted_types {
public:
  served_type* find(const std::string& type) const;
  /// By name.
  std::vector<served_type*> all() const;
  /// Makes a version known; nothing serves it yet.
  const hosted_type& add_version(const sb_entity_type& described, std::string settings, std::string plugin,
                                 std::string version);
  /// From now on that version serves its type, which may be new.
  void serve(const hosted_type& version);

private:
  using snapshot = std::map<std::string, served_type*>;

  mutable std::mutex mutex_;
  std::deque<hosted_type> versions_;
  std::deque<served_type> types_;
  std::deque<snapshot> snapshots_{1}; ///< old ones stay: somebody may read one
  std::atomic<const snapshot*> now_{&snapshots_.front()};
};

/// A saved state of an entity. Empty bytes: it does not exist yet.
struct saved_state {
  std::string bytes;
  std::uint32_t version = 0;
};

/// Its live instance, who opened it, and what it was opened from if that is not what was saved.
struct opened_state {
  entity_instance instance;
  const hosted_type* by;
  std::optional<saved_state> downgraded;
  std::string refusal; ///< why the version that serves could not open it; empty: it did
};

/// Opened by that version alone: by itself, or if the state is of a newer version, after one of `others` downgraded it.
expected<opened_state> open_by(const hosted_type& version, const std::vector<const hosted_type*>& others,
                               const saved_state& saved);

/// Opened by the version that serves; if it can't, by the latest one that can, which then goes on deciding for this
/// entity. The error is that of the version that serves.
expected<opened_state> open_saved(const served_type& type, const saved_state& saved);

/// The state as one of `versions` says an earlier version would have saved it; errc::not_implemented if none can.
expected<saved_state> downgraded(const std::vector<const hosted_type*>& versions, const saved_state& saved,
                                 std::uint32_t older);

} // namespace switchboard::runtime
