// RabbitMQ's management API in JSON: how exchanges, queues, users … are written and read there (its "HTTP API", 3.10).
// Pure: values in, JSON out, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "broker/access_rules.hpp"
#include "broker/protocol.hpp"
#include "broker/specs.hpp"
#include "messages/properties.hpp"
#include "runtime/connections.hpp"

namespace switchboard::http {

using ordered_json = nlohmann::ordered_json;

/// Arguments and headers: the type of a number is lost, as in RabbitMQ.
ordered_json table_to_json(const field_table& table);
/// errc::bad_format if it is no object, or nested deeper than a field table may be.
expected<field_table> table_from_json(const ordered_json& from);

ordered_json exchange_to_json(const broker::topology_listing::exchange& of, std::string_view vhost);
ordered_json queue_to_json(const broker::topology_listing::queue& of, const broker::queue_status& now,
                           std::string_view vhost, std::string_view node);
ordered_json binding_to_json(const broker::binding_spec& of, std::string_view vhost);
/// What names a binding between two ends: its key, and a mark of its arguments if it has any.
std::string properties_key(const broker::binding_spec& of);
ordered_json user_to_json(const broker::user& of);
ordered_json vhost_to_json(const broker::vhost_settings& of);
ordered_json permission_to_json(std::string_view user, std::string_view vhost, const broker::permission& of);
ordered_json topic_permission_to_json(std::string_view user, std::string_view vhost, std::string_view exchange,
                                      const broker::topic_permission& of);
ordered_json policy_to_json(const broker::policy& of, std::string_view vhost);
ordered_json connection_to_json(const runtime::connection_card& of, std::string_view node);
ordered_json channel_to_json(const runtime::channel_report& of, const runtime::connection_facts& in,
                             std::string_view node);
ordered_json consumer_to_json(const runtime::consumer_report& of, const runtime::channel_report& at,
                              const runtime::connection_facts& in, std::string_view node);

ordered_json properties_to_json(const basic_properties& of);
/// errc::bad_format names the property that is wrong.
expected<basic_properties> properties_from_json(const ordered_json& from);

/// "administrator,monitoring" or a list of texts.
expected<std::vector<std::string>> tags_from_json(const ordered_json& from);

/// Keeps only the columns asked for ("name", "message_stats.publish"), of an object or of each object of a list.
ordered_json only_columns(const ordered_json& from, std::string_view columns);

} // namespace switchboard::http
