// The access rules of the running node: one snapshot that every session reads without a lock of its own, changed by
// whoever administers, each change written to the log. Thread-safe; shared by all.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "broker/access_rules.hpp"
#include "broker/durable_log.hpp"

namespace switchboard::broker {

class access_control {
public:
  access_control(std::shared_ptr<durable_log> log, access_rules restored)
      : log_(std::move(log)), rules_(std::make_shared<const access_rules>(std::move(restored))) {}

  /// Never null.
  std::shared_ptr<const access_rules> rules() const noexcept { return rules_.load(std::memory_order_acquire); }
  /// Changes with the rules: who keeps a snapshot looks here whether it is still the last.
  std::uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

  /// Carries out `edit` on a copy of the rules; if it succeeds, they are the rules from now on. `stored` runs on a
  /// thread of the log once the change is on disk, or at once if there is nothing to write.
  expected<void> change(const std::function<expected<record_changes>(access_rules&)>& edit,
                        std::function<void()> stored = {});

private:
  const std::shared_ptr<durable_log> log_;
  std::mutex changing_; ///< one change at a time
  std::atomic<std::shared_ptr<const access_rules>> rules_;
  std::atomic<std::uint64_t> version_{1};
};

/// One user's rights in one vhost, asked again and again by a session: remembers the last answers until the rules
/// change. Not thread-safe.
class access_view {
public:
  access_view(const access_control& from, std::string user, std::string vhost)
      : from_(from), user_(std::move(user)), vhost_(std::move(vhost)) {}

  /// Takes up changed rules; call it once per batch of questions.
  void refresh();
  bool may(action what, std::string_view resource);
  bool may_topic(action what, std::string_view exchange, std::string_view routing_key);

  /// As of the last refresh().
  const access_rules& rules() const noexcept { return *rules_; }
  const std::string& user() const noexcept { return user_; }
  const std::string& vhost() const noexcept { return vhost_; }

private:
  const access_control& from_;
  const std::string user_;
  const std::string vhost_;
  std::uint64_t version_ = 0;
  std::shared_ptr<const access_rules> rules_;
  bool everything_ = false; ///< nothing is forbidden: no need to look
  bool topics_ = false;     ///< there are topic permissions
  struct answer {
    std::string resource;
    bool allowed = false;
    bool known = false;
  };
  answer last_[3]; ///< by action
};

} // namespace switchboard::broker
