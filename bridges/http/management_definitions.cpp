#include "bridges/http/management_definitions.hpp"

#include <algorithm>

namespace switchboard::http {

namespace {

bool is_predeclared_exchange(std::string_view name) { return name.empty() || name.starts_with("amq."); }

/// true, "true" and 1 are all sent by tools.
bool flag_of(const ordered_json& from, const char* name, bool otherwise) {
  const auto found = from.find(name);
  if (found == from.end() || found->is_null())
    return otherwise;
  if (found->is_string())
    return *found == "true";
  return found->get<bool>();
}

expected<field_table> arguments_of(const ordered_json& body, const char* name = "arguments") {
  const auto found = body.find(name);
  if (found == body.end() || found->is_null() || (found->is_array() && found->empty()))
    return field_table{};
  return table_from_json(*found);
}

std::string text_of(const ordered_json& from, const char* name) { return from.at(name).get<std::string>(); }

void append(broker::record_changes& all, broker::record_changes more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

} // namespace

// -- single things --------------------------------------------------------------------------------------------------

expected<broker::exchange_spec> exchange_from_json(const ordered_json& body, const std::string& name) {
  auto arguments = arguments_of(body);
  if (!arguments)
    return arguments.error();
  broker::exchange_spec read;
  read.name = name;
  read.type = body.value("type", std::string{"direct"});
  read.durable = flag_of(body, "durable", true);
  read.auto_delete = flag_of(body, "auto_delete", false);
  read.internal = flag_of(body, "internal", false);
  read.arguments = *std::move(arguments);
  return read;
}

expected<broker::queue_spec> queue_from_json(const ordered_json& body, const std::string& name) {
  auto arguments = arguments_of(body);
  if (!arguments)
    return arguments.error();
  broker::queue_spec read;
  read.name = name;
  read.durable = flag_of(body, "durable", true);
  read.auto_delete = flag_of(body, "auto_delete", false);
  read.arguments = *std::move(arguments);
  read.owner = management_owner;
  return read;
}

expected<void> binding_from_json(const ordered_json& body, broker::binding_spec& into) {
  auto arguments = arguments_of(body);
  if (!arguments)
    return arguments.error();
  into.routing_key = body.value("routing_key", std::string{});
  into.arguments = *std::move(arguments);
  if (into.routing_key.size() > 255)
    return {errc::bad_format, "a routing key has at most 255 bytes"};
  return {};
}

expected<broker::policy> policy_from_json(const ordered_json& body, const std::string& name) {
  auto pattern = broker::name_pattern::make(text_of(body, "pattern"));
  if (!pattern)
    return pattern.error();
  auto definition = arguments_of(body, "definition");
  if (!definition)
    return definition.error();
  broker::policy read;
  read.name = name;
  read.pattern = *std::move(pattern);
  read.definition = *std::move(definition);
  if (const auto found = body.find("apply-to"); found != body.end() && !found->is_null())
    read.apply_to = found->get<std::string>();
  if (const auto found = body.find("priority"); found != body.end() && !found->is_null())
    read.priority = found->is_string() ? std::stoll(found->get<std::string>()) : found->get<std::int64_t>();
  return read;
}

expected<user_definition> user_from_json(const ordered_json& body, const broker::user* known) {
  auto tags = tags_from_json(body.value("tags", ordered_json{}));
  if (!tags)
    return tags.error();
  user_definition read;
  read.tags = *std::move(tags);
  if (body.contains("password_hash")) {
    read.password = {text_of(body, "password_hash"),
                     body.value("hashing_algorithm", std::string{broker::default_password_algorithm})};
    if (auto good = broker::check_password_hash(read.password); !good)
      return good.error();
  } else if (body.contains("password")) {
    read.password = broker::hash_password(text_of(body, "password"));
  } else if (known) {
    read.password = known->password;
  } else {
    return {errc::bad_format, "Must specify either password or password_hash when creating a user"};
  }
  return read;
}

// -- writing --------------------------------------------------------------------------------------------------------

namespace {

void export_access(ordered_json& into, const broker::access_rules& rules) {
  for (const auto& [name, who] : rules.users()) {
    into["users"].push_back(user_to_json(who));
    for (const auto& [vhost, held] : who.permissions)
      into["permissions"].push_back(permission_to_json(name, vhost, held));
    for (const auto& [vhost, by_exchange] : who.topic_permissions)
      for (const auto& [exchange, held] : by_exchange)
        into["topic_permissions"].push_back(topic_permission_to_json(name, vhost, exchange, held));
  }
  for (const auto& [name, settings] : rules.vhosts()) {
    into["vhosts"].push_back(vhost_to_json(settings));
    if (!settings.limits.empty())
      into["parameters"].push_back(
          {{"component", "vhost-limits"}, {"vhost", name}, {"name", "limits"}, {"value", settings.limits}});
  }
}

void export_topology(ordered_json& into, const std::string& vhost, const broker::topology_listing& all) {
  std::vector<std::string_view> queues;
  for (const auto& [name, each] : all.policies.all(broker::policy_kind::standard))
    into["policies"].push_back(policy_to_json(each, vhost));
  for (const auto& [name, each] : all.policies.all(broker::policy_kind::bounding)) {
    auto value = policy_to_json(each, vhost);
    value.erase("vhost");
    value.erase("name");
    into["parameters"].push_back(
        {{"component", "operator_policy"}, {"vhost", vhost}, {"name", name}, {"value", std::move(value)}});
  }
  for (const auto& each : all.queues) {
    if (!each.spec.durable || each.spec.exclusive)
      continue;
    queues.push_back(each.spec.name);
    into["queues"].push_back({{"name", each.spec.name},
                              {"vhost", vhost},
                              {"durable", true},
                              {"auto_delete", each.spec.auto_delete},
                              {"arguments", table_to_json(each.spec.arguments)}});
  }
  for (const auto& each : all.exchanges) {
    if (is_predeclared_exchange(each.spec.name))
      continue;
    auto made = exchange_to_json(each, vhost);
    made.erase("policy");
    into["exchanges"].push_back(std::move(made));
  }
  for (const auto& each : all.bindings) {
    if (!each.to_exchange && std::find(queues.begin(), queues.end(), each.destination) == queues.end())
      continue;
    auto made = binding_to_json(each, vhost);
    made.erase("properties_key");
    into["bindings"].push_back(std::move(made));
  }
}

} // namespace

ordered_json export_definitions(const broker::access_rules& rules,
                                const std::vector<std::pair<std::string, const broker::topology_listing*>>& vhosts,
                                bool whole, std::string_view version) {
  ordered_json made{{"rabbit_version", version}, {"rabbitmq_version", version}, {"product_name", "Switchboard"}};
  if (whole)
    for (const auto* list : {"users", "vhosts", "permissions", "topic_permissions", "global_parameters"})
      made[list] = ordered_json::array();
  for (const auto* list : {"parameters", "policies", "queues", "exchanges", "bindings"})
    made[list] = ordered_json::array();
  if (whole)
    export_access(made, rules);
  for (const auto& [vhost, all] : vhosts)
    export_topology(made, vhost, *all);
  return made;
}

// -- reading --------------------------------------------------------------------------------------------------------

namespace {

/// One list of a document; each of its things is read by `read`, which says what is wrong with it.
template <class Read>
expected<void> each_of(const ordered_json& from, const char* list, Read&& read) {
  const auto found = from.find(list);
  if (found == from.end())
    return {};
  std::size_t at = 0;
  for (const auto& each : *found) {
    const auto wrong = [&](std::string_view why) {
      return expected<void>{errc::bad_format, std::string{list} + "[" + std::to_string(at) + "]: " + std::string{why}};
    };
    try {
      if (auto done = read(each); !done)
        return wrong(done.error().what);
    } catch (const std::exception& trouble) {
      return wrong(trouble.what());
    }
    ++at;
  }
  return {};
}

class definitions_reader {
public:
  explicit definitions_reader(std::optional<std::string> vhost) : vhost_(std::move(vhost)) {}

  expected<management_definitions> operator()(const ordered_json& from) {
    using step = expected<void> (definitions_reader::*)(const ordered_json&);
    const std::pair<const char*, step> access[] = {{"users", &definitions_reader::user},
                                                   {"vhosts", &definitions_reader::vhost},
                                                   {"permissions", &definitions_reader::permission},
                                                   {"topic_permissions", &definitions_reader::topic_permission}};
    const std::pair<const char*, step> topology[] = {{"parameters", &definitions_reader::parameter},
                                                     {"policies", &definitions_reader::policy},
                                                     {"exchanges", &definitions_reader::exchange},
                                                     {"queues", &definitions_reader::queue},
                                                     {"bindings", &definitions_reader::binding}};
    const auto run = [&](const auto& steps) {
      expected<void> outcome;
      for (const auto& [list, read] : steps)
        if (outcome)
          outcome = each_of(from, list, [&, read = read](const ordered_json& each) { return (this->*read)(each); });
      return outcome;
    };
    if (!vhost_)
      if (auto good = run(access); !good)
        return good.error();
    if (auto good = run(topology); !good)
      return good.error();
    return std::move(read_);
  }

private:
  std::string vhost_of(const ordered_json& from) const { return vhost_ ? *vhost_ : text_of(from, "vhost"); }

  expected<void> user(const ordered_json& from) {
    auto made = user_from_json(from, nullptr);
    if (!made)
      return made.error();
    made->name = text_of(from, "name");
    read_.users.push_back(*std::move(made));
    return {};
  }
  expected<void> vhost(const ordered_json& from) {
    auto tags = tags_from_json(from.value("tags", ordered_json::array()));
    if (!tags)
      return tags.error();
    read_.vhosts.push_back({text_of(from, "name"), from.value("description", std::string{}), *std::move(tags), {}});
    return {};
  }
  expected<void> permission(const ordered_json& from) {
    read_.permissions.push_back({text_of(from, "user"), text_of(from, "vhost"), text_of(from, "configure"),
                                 text_of(from, "write"), text_of(from, "read")});
    return {};
  }
  expected<void> topic_permission(const ordered_json& from) {
    read_.topic_permissions.push_back({text_of(from, "user"), text_of(from, "vhost"), text_of(from, "exchange"),
                                       text_of(from, "write"), text_of(from, "read")});
    return {};
  }
  /// Limits and operator policies; parameters of plugins that are not here are passed over.
  expected<void> parameter(const ordered_json& from) {
    const auto component = text_of(from, "component");
    if (component == "vhost-limits") {
      for (const auto& [limit, value] : from.at("value").items())
        read_.limits.push_back({vhost_of(from), limit, value.get<std::int64_t>()});
      return {};
    }
    if (component != "operator_policy")
      return {};
    auto made = policy_from_json(from.at("value"), text_of(from, "name"));
    if (!made)
      return made.error();
    read_.topology.push_back({vhost_of(from), broker::put_policy{broker::policy_kind::bounding, *std::move(made)}});
    return {};
  }
  expected<void> policy(const ordered_json& from) {
    auto made = policy_from_json(from, text_of(from, "name"));
    if (!made)
      return made.error();
    read_.topology.push_back({vhost_of(from), broker::put_policy{broker::policy_kind::standard, *std::move(made)}});
    return {};
  }
  expected<void> exchange(const ordered_json& from) {
    auto made = exchange_from_json(from, text_of(from, "name"));
    if (!made)
      return made.error();
    if (!is_predeclared_exchange(made->name))
      read_.topology.push_back({vhost_of(from), broker::declare_exchange{*std::move(made), false}});
    return {};
  }
  expected<void> queue(const ordered_json& from) {
    auto made = queue_from_json(from, text_of(from, "name"));
    if (!made)
      return made.error();
    read_.topology.push_back({vhost_of(from), broker::declare_queue{*std::move(made), false, {}}});
    return {};
  }
  expected<void> binding(const ordered_json& from) {
    broker::binding_spec made{text_of(from, "source"),
                              text_of(from, "destination"),
                              from.value("destination_type", std::string{"queue"}) == "exchange",
                              "",
                              {}};
    if (auto good = binding_from_json(from, made); !good)
      return good;
    if (!made.source.empty())
      read_.topology.push_back({vhost_of(from), broker::bind{std::move(made), std::string{management_owner}}});
    return {};
  }

  const std::optional<std::string> vhost_;
  management_definitions read_;
};

} // namespace

expected<management_definitions> read_definitions(const ordered_json& from, std::optional<std::string> vhost) {
  return definitions_reader{std::move(vhost)}(from);
}

expected<broker::record_changes> apply_access(broker::access_rules& rules, const management_definitions& what) {
  broker::record_changes all;
  expected<void> outcome;
  const auto take = [&](expected<broker::record_changes> changes) {
    if (changes)
      append(all, *std::move(changes));
    else if (outcome)
      outcome = changes.error();
  };
  for (const auto& each : what.users)
    take(rules.put_user(each.name, each.password, each.tags));
  for (const auto& each : what.permissions)
    take(rules.set_permission(each.user, each.vhost, each.configure, each.write, each.read));
  for (const auto& each : what.topic_permissions)
    take(rules.set_topic_permission(each.user, each.vhost, each.exchange, each.write, each.read));
  for (const auto& each : what.limits)
    take(rules.set_vhost_limit(each.vhost, each.limit, each.value));
  if (!outcome)
    return outcome.error();
  return all;
}

} // namespace switchboard::http
