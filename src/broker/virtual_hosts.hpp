// The node's virtual hosts: each a broker of its own, and the rules of who may use which. Services and actors live in
// "/"; AMQP clients choose theirs. Thread-safe but for start().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "broker/access_control.hpp"
#include "broker/broker.hpp"

namespace switchboard::broker {

/// The vhost that is always there.
inline constexpr std::string_view default_vhost = "/";

class virtual_hosts {
public:
  /// Reads everything back from the log and starts a broker for each vhost. Blocking; call before any listener.
  static expected<std::unique_ptr<virtual_hosts>> start(caf::actor_system& system, homes where,
                                                        std::shared_ptr<durable_log> log, limits bounds);
  /// The broker of "/". Never null.
  const broker_ptr& standard() const noexcept { return standard_; }
  /// Null if there is no such vhost.
  broker_ptr find(std::string_view name) const;
  std::vector<broker_ptr> all() const;

  access_control& access() noexcept { return *access_; }
  const access_control& access() const noexcept { return *access_; }

  /// Called with every broker, those that are there and those that come.
  void each_started(std::function<void(const broker_ptr&)> see);

  /// Makes the vhost, or changes what is said of it. Blocking for a moment, so not from an I/O thread. `stored` as in
  /// access_control::change.
  expected<void> put(std::string name, std::string description, std::vector<std::string> tags,
                     std::function<void()> stored = {});
  /// Its queues go with their messages; who is connected to it must be told by the caller, before. Blocking like put.
  /// "/" may go as little as an unknown one (errc::access_refused, errc::not_found).
  expected<void> remove(std::string_view name, std::function<void()> stored = {});

private:
  virtual_hosts() = default;
  expected<broker_ptr> start_one(std::string name, std::vector<topology_record> records);
  expected<void> empty(const broker& gone);

  caf::actor_system* system_ = nullptr;
  homes where_;
  std::shared_ptr<durable_log> log_;
  limits bounds_;
  broker_ptr standard_;
  std::unique_ptr<access_control> access_;
  std::mutex changing_; ///< one put or remove at a time
  mutable std::mutex mutex_;
  std::map<std::string, broker_ptr, std::less<>> brokers_; ///< under mutex_
  std::function<void(const broker_ptr&)> see_;             ///< under changing_
};

} // namespace switchboard::broker
