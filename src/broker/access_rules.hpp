// Who may do what: users, virtual hosts, permissions and limits, with RabbitMQ's meaning ("Access Control", "Virtual
// Hosts", "Topic Authorisation"). A plain value; access_control.hpp keeps the living one and writes the records.
//
// Every change returns the records to write; one that fails has changed nothing. Errors: errc::not_found for a user or
// vhost that isn't there, errc::bad_format for what can't be meant.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "broker/name_pattern.hpp"
#include "broker/password_hash.hpp"
#include "broker/topology_records.hpp"

namespace switchboard::broker {

/// What a permission is about (RabbitMQ, "How Permissions Work").
enum class action { configure, write, read };

struct permission {
  name_pattern configure, write, read;
};

/// Which routing keys of one topic exchange; an exchange without one is open to whoever may use it.
struct topic_permission {
  name_pattern write, read;          ///< as they are matched: with {username} and {vhost} filled in
  std::string write_text, read_text; ///< as they were given
};

/// By name: "max-connections", "max-channels" of a user, "max-connections", "max-queues" of a vhost. Negative: none.
using limit_map = std::map<std::string, std::int64_t, std::less<>>;
/// Empty if there is none.
std::optional<std::int64_t> limit_of(const limit_map& limits, std::string_view name);

struct user {
  std::string name;
  password_hash password;
  std::vector<std::string> tags; ///< "administrator", "monitoring", "policymaker", "management", or of one's own
  limit_map limits;
  std::map<std::string, permission, std::less<>> permissions; ///< by vhost
  /// By vhost, then by exchange.
  std::map<std::string, std::map<std::string, topic_permission, std::less<>>, std::less<>> topic_permissions;

  bool has_tag(std::string_view tag) const noexcept;
};

struct vhost_settings {
  std::string name;
  std::string description;
  std::vector<std::string> tags;
  limit_map limits;
};

class access_rules {
public:
  const user* find_user(std::string_view name) const;
  const vhost_settings* find_vhost(std::string_view name) const;
  const std::map<std::string, user, std::less<>>& users() const noexcept { return users_; }
  const std::map<std::string, vhost_settings, std::less<>>& vhosts() const noexcept { return vhosts_; }

  /// The user, if there is one of that name and password; one answer for all that is wrong.
  const user* authenticate(std::string_view name, std::string_view password) const;
  /// A user may enter where he has a permission, whatever it says.
  bool may_enter(std::string_view name, std::string_view vhost) const;
  /// The default exchange's name is "amq.default" here.
  bool may(std::string_view name, std::string_view vhost, action what, std::string_view resource) const;
  bool may_topic(std::string_view name, std::string_view vhost, action what, std::string_view exchange,
                 std::string_view routing_key) const;

  /// Replaces name, password and tags; permissions and limits of a user who is there stay.
  expected<record_changes> put_user(std::string name, password_hash password, std::vector<std::string> tags);
  expected<record_changes> delete_user(std::string_view name);
  expected<record_changes> set_permission(std::string_view name, std::string_view vhost, std::string configure,
                                          std::string write, std::string read);
  expected<record_changes> clear_permission(std::string_view name, std::string_view vhost);
  expected<record_changes> set_topic_permission(std::string_view name, std::string_view vhost, std::string exchange,
                                                std::string write, std::string read);
  /// Of all exchanges if `exchange` is not given.
  expected<record_changes> clear_topic_permission(std::string_view name, std::string_view vhost,
                                                  std::optional<std::string_view> exchange);
  expected<record_changes> set_user_limit(std::string_view name, std::string_view limit, std::optional<std::int64_t>);

  /// Limits of a vhost that is there stay.
  expected<record_changes> put_vhost(std::string name, std::string description, std::vector<std::string> tags);
  /// Its permissions go with it.
  expected<record_changes> delete_vhost(std::string_view name);
  expected<record_changes> set_vhost_limit(std::string_view name, std::string_view limit, std::optional<std::int64_t>);

  /// Whether a record of the log is one of these: "user/<name>" or "vhost/<name>".
  static bool is_record(std::string_view key) noexcept;
  /// Takes in one record. errc::corrupt names the key and what is wrong.
  expected<void> restore(std::string_view key, std::string_view bytes);

private:
  std::map<std::string, user, std::less<>> users_;
  std::map<std::string, vhost_settings, std::less<>> vhosts_;
};

} // namespace switchboard::broker
