// Definitions: everything that is declared, as one JSON document of RabbitMQ's form, written and read; and the bodies
// of single declarations. Pure; the desk carries out what was read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bridges/http/management_json.hpp"

namespace switchboard::http {

/// Who declares what comes through the management API.
inline constexpr std::string_view management_owner = "management";

expected<broker::exchange_spec> exchange_from_json(const ordered_json& body, const std::string& name);
expected<broker::queue_spec> queue_from_json(const ordered_json& body, const std::string& name);
/// Key and arguments; the ends stay.
expected<void> binding_from_json(const ordered_json& body, broker::binding_spec& into);
expected<broker::policy> policy_from_json(const ordered_json& body, const std::string& name);

struct user_definition {
  std::string name;
  broker::password_hash password;
  std::vector<std::string> tags;
};
/// `known`: the user as he is, whose password stays if none is given.
expected<user_definition> user_from_json(const ordered_json& body, const broker::user* known);

struct permission_definition {
  std::string user, vhost, configure, write, read;
};
struct topic_permission_definition {
  std::string user, vhost, exchange, write, read;
};
struct limit_definition {
  std::string vhost, limit;
  std::int64_t value = 0;
};
struct topology_definition {
  std::string vhost;
  std::variant<broker::put_policy, broker::declare_exchange, broker::declare_queue, broker::bind> what;
};
struct management_definitions {
  std::vector<user_definition> users;
  std::vector<broker::vhost_settings> vhosts;
  std::vector<permission_definition> permissions;
  std::vector<topic_permission_definition> topic_permissions;
  std::vector<limit_definition> limits;
  std::vector<topology_definition> topology; ///< in the order in which they can be declared
};

/// What is durable and not exclusive; users, vhosts and permissions only if `whole`.
ordered_json export_definitions(const broker::access_rules& rules,
                                const std::vector<std::pair<std::string, const broker::topology_listing*>>& vhosts,
                                bool whole, std::string_view version);

/// `vhost`: the one that all of it goes to; then users, vhosts and permissions are not read. errc::bad_format says
/// where the document is not what it should be; nothing of it has been carried out then.
expected<management_definitions> read_definitions(const ordered_json& from, std::optional<std::string> vhost);

/// Users, permissions and limits of a document, into the rules.
expected<broker::record_changes> apply_access(broker::access_rules& rules, const management_definitions& what);

} // namespace switchboard::http
