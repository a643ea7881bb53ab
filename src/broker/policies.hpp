// Policies: arguments of queues and exchanges given from outside, by a pattern of names (RabbitMQ 3.10, "Parameters and
// Policies"). Of each kind the one with the highest priority counts; an operator policy bounds what the other and the
// declaration say. Plain values; topology keeps and applies them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "broker/name_pattern.hpp"
#include "messages/field_table.hpp"

namespace switchboard::broker {

enum class policy_kind : std::uint8_t {
  standard, ///< "policy"
  bounding, ///< "operator_policy"
};

enum class policy_target : std::uint8_t { queues, exchanges };

struct policy {
  std::string name;
  name_pattern pattern;
  std::string apply_to = "all"; ///< "all", "queues", "exchanges"
  std::int64_t priority = 0;
  field_table definition; ///< by the names of policies: "message-ttl", not "x-message-ttl"
};

/// errc::bad_format in RabbitMQ's words for a key that no policy of that kind knows, or a value of the wrong type.
expected<void> check_policy(policy_kind kind, const policy& what);

class policy_set {
public:
  /// Replaces one of the same name.
  void put(policy_kind kind, policy what);
  /// False if there was none.
  bool remove(policy_kind kind, std::string_view name);
  const std::map<std::string, policy, std::less<>>& all(policy_kind kind) const noexcept {
    return by_name_[static_cast<std::size_t>(kind)];
  }
  bool empty() const noexcept { return by_name_[0].empty() && by_name_[1].empty(); }

  /// The one that counts for that name; null if none does. Of two with the same priority, the first by name.
  const policy* match(policy_kind kind, policy_target target, std::string_view name) const;

  /// What a declaration comes to: of two numbers the smaller counts, otherwise what was declared, then the policy.
  field_table effective(policy_target target, std::string_view name, const field_table& declared) const;

private:
  std::map<std::string, policy, std::less<>> by_name_[2];
};

} // namespace switchboard::broker
