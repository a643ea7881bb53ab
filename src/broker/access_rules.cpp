// The map of this file: records as JSON, asking, changing users, changing vhosts, restoring.
#include "broker/access_rules.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace switchboard::broker {

namespace {

using access_json = nlohmann::ordered_json;

constexpr int access_record_version = 1;
constexpr std::size_t access_name_bytes_max = 255; // AMQP's short string
constexpr std::string_view user_kind = "user/";
constexpr std::string_view vhost_kind = "vhost/";
constexpr std::string_view user_limits[] = {"max-connections", "max-channels"};
constexpr std::string_view vhost_limits[] = {"max-connections", "max-queues"};

// -- records --------------------------------------------------------------------------------------------------------

std::string record_key(std::string_view kind, std::string_view name) { return std::string{kind}.append(name); }

/// What is not could not be written.
bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(access_json(std::string{text}).dump());
    return true;
  } catch (const access_json::type_error&) {
    return false;
  }
}

record_change user_change(const user& of) {
  auto permissions = access_json::array();
  for (const auto& [vhost, held] : of.permissions)
    permissions.push_back({{"vhost", vhost},
                           {"configure", held.configure.text()},
                           {"write", held.write.text()},
                           {"read", held.read.text()}});
  auto topics = access_json::array();
  for (const auto& [vhost, by_exchange] : of.topic_permissions)
    for (const auto& [exchange, held] : by_exchange)
      topics.push_back(
          {{"vhost", vhost}, {"exchange", exchange}, {"write", held.write_text}, {"read", held.read_text}});
  const access_json record{{"version", access_record_version},
                           {"password_hash", of.password.hash},
                           {"hashing_algorithm", of.password.algorithm},
                           {"tags", of.tags},
                           {"limits", of.limits},
                           {"permissions", std::move(permissions)},
                           {"topic_permissions", std::move(topics)}};
  return {record_key(user_kind, of.name), record.dump()};
}

record_change vhost_change(const vhost_settings& of) {
  const access_json record{
      {"version", access_record_version}, {"description", of.description}, {"tags", of.tags}, {"limits", of.limits}};
  return {record_key(vhost_kind, of.name), record.dump()};
}

error no_such(std::string_view kind, std::string_view name) {
  return {errc::not_found, "no " + std::string{kind} + " '" + std::string{name} + "'"};
}

expected<void> check_access_name(std::string_view kind, std::string_view name) {
  if (name.empty() || name.size() > access_name_bytes_max)
    return {errc::bad_format, "the name of a " + std::string{kind} + " has 1 to 255 bytes"};
  if (!is_utf8(name))
    return {errc::bad_format, "the name of a " + std::string{kind} + " must be UTF-8"};
  return {};
}

expected<void> check_access_text(std::string_view text) {
  return is_utf8(text) ? expected<void>{} : expected<void>{errc::bad_format, "a text must be UTF-8"};
}

template <std::size_t N>
expected<void> change_limit(limit_map& limits, std::string_view limit, std::optional<std::int64_t> value,
                            const std::string_view (&known)[N]) {
  if (std::find(std::begin(known), std::end(known), limit) == std::end(known))
    return {errc::bad_format, "unknown limit '" + std::string{limit} + "'"};
  if (value)
    limits.insert_or_assign(std::string{limit}, *value);
  else
    limits.erase(std::string{limit});
  return {};
}

expected<permission> make_permission(std::string configure, std::string write, std::string read) {
  for (const auto* each : {&configure, &write, &read})
    if (auto good = check_access_text(*each); !good)
      return good.error();
  auto first = name_pattern::make(std::move(configure));
  auto second = name_pattern::make(std::move(write));
  auto third = name_pattern::make(std::move(read));
  for (const auto* each : {&first, &second, &third})
    if (!*each)
      return each->error();
  return permission{*std::move(first), *std::move(second), *std::move(third)};
}

/// {username} and {vhost} stand for themselves in a topic permission (RabbitMQ, "Topic Authorisation").
std::string filled_in(std::string text, std::string_view name, std::string_view vhost) {
  for (const auto& [variable, value] : {std::pair{std::string_view{"{username}"}, name}, {"{vhost}", vhost}})
    for (auto at = text.find(variable); at != text.npos; at = text.find(variable, at + value.size()))
      text.replace(at, variable.size(), value);
  return text;
}

expected<topic_permission> make_topic_permission(std::string_view name, std::string_view vhost, std::string write,
                                                 std::string read) {
  for (const auto* each : {&write, &read})
    if (auto good = check_access_text(*each); !good)
      return good.error();
  auto writes = name_pattern::make(filled_in(write, name, vhost));
  auto reads = name_pattern::make(filled_in(read, name, vhost));
  for (const auto* each : {&writes, &reads})
    if (!*each)
      return each->error();
  return topic_permission{*std::move(writes), *std::move(reads), std::move(write), std::move(read)};
}

} // namespace

std::optional<std::int64_t> limit_of(const limit_map& limits, std::string_view name) {
  const auto found = limits.find(name);
  return found == limits.end() || found->second < 0 ? std::nullopt : std::optional{found->second};
}

bool user::has_tag(std::string_view tag) const noexcept {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

// -- asking ---------------------------------------------------------------------------------------------------------

const user* access_rules::find_user(std::string_view name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : &found->second;
}

const vhost_settings* access_rules::find_vhost(std::string_view name) const {
  const auto found = vhosts_.find(name);
  return found == vhosts_.end() ? nullptr : &found->second;
}

const user* access_rules::authenticate(std::string_view name, std::string_view password) const {
  const auto* who = find_user(name);
  return who && is_password(password, who->password) ? who : nullptr;
}

bool access_rules::may_enter(std::string_view name, std::string_view vhost) const {
  const auto* who = find_user(name);
  return who && who->permissions.contains(vhost);
}

bool access_rules::may(std::string_view name, std::string_view vhost, action what, std::string_view resource) const {
  const auto* who = find_user(name);
  if (!who)
    return false;
  const auto held = who->permissions.find(vhost);
  if (held == who->permissions.end())
    return false;
  const auto& [configure, write, read] = held->second;
  return (what == action::configure ? configure : what == action::write ? write : read).matches(resource);
}

bool access_rules::may_topic(std::string_view name, std::string_view vhost, action what, std::string_view exchange,
                             std::string_view routing_key) const {
  const auto* who = find_user(name);
  if (!who)
    return false;
  const auto in_vhost = who->topic_permissions.find(vhost);
  if (in_vhost == who->topic_permissions.end())
    return true;
  const auto held = in_vhost->second.find(exchange);
  if (held == in_vhost->second.end())
    return true;
  return (what == action::write ? held->second.write : held->second.read).matches(routing_key);
}

// -- users ----------------------------------------------------------------------------------------------------------

expected<record_changes> access_rules::put_user(std::string name, password_hash password,
                                                std::vector<std::string> tags) {
  if (auto good = check_access_name("user", name); !good)
    return good.error();
  if (auto good = check_password_hash(password); !good)
    return good.error();
  for (const auto& tag : tags)
    if (auto good = check_access_text(tag); !good)
      return good.error();
  auto& who = users_[name];
  who.name = std::move(name);
  who.password = std::move(password);
  who.tags = std::move(tags);
  return record_changes{user_change(who)};
}

expected<record_changes> access_rules::delete_user(std::string_view name) {
  const auto found = users_.find(name);
  if (found == users_.end())
    return no_such("user", name);
  record_changes changes{{record_key(user_kind, name), std::nullopt}};
  users_.erase(found);
  return changes;
}

expected<record_changes> access_rules::set_permission(std::string_view name, std::string_view vhost,
                                                      std::string configure, std::string write, std::string read) {
  const auto found = users_.find(name);
  if (found == users_.end())
    return no_such("user", name);
  if (!find_vhost(vhost))
    return no_such("vhost", vhost);
  auto made = make_permission(std::move(configure), std::move(write), std::move(read));
  if (!made)
    return made.error();
  found->second.permissions.insert_or_assign(std::string{vhost}, *std::move(made));
  return record_changes{user_change(found->second)};
}

expected<record_changes> access_rules::clear_permission(std::string_view name, std::string_view vhost) {
  const auto found = users_.find(name);
  if (found == users_.end())
    return no_such("user", name);
  if (!find_vhost(vhost))
    return no_such("vhost", vhost);
  found->second.permissions.erase(std::string{vhost});
  return record_changes{user_change(found->second)};
}

expected<record_changes> access_rules::set_topic_permission(std::string_view name, std::string_view vhost,
                                                            std::string exchange, std::string write, std::string read) {
  const auto found = users_.find(name);
  if (found == users_.end())
    return no_such("user", name);
  if (!find_vhost(vhost))
    return no_such("vhost", vhost);
  if (auto good = check_access_text(exchange); !good)
    return good.error();
  auto made = make_topic_permission(name, vhost, std::move(write), std::move(read));
  if (!made)
    return made.error();
  found->second.topic_permissions[std::string{vhost}].insert_or_assign(std::move(exchange), *std::move(made));
  return record_changes{user_change(found->second)};
}

expected<record_changes> access_rules::clear_topic_permission(std::string_view name, std::string_view vhost,
                                                              std::optional<std::string_view> exchange) {
  const auto found = users_.find(name);
  if (found == users_.end())
    return no_such("user", name);
  auto& all = found->second.topic_permissions;
  if (const auto in_vhost = all.find(vhost); in_vhost != all.end()) {
    if (exchange)
      in_vhost->second.erase(std::string{*exchange});
    if (!exchange || in_vhost->second.empty())
      all.erase(in_vhost);
  }
  return record_changes{user_change(found->second)};
}

expected<record_changes> access_rules::set_user_limit(std::string_view name, std::string_view limit,
                                                      std::optional<std::int64_t> value) {
  const auto found = users_.find(name);
  if (found == users_.end())
    return no_such("user", name);
  if (auto good = change_limit(found->second.limits, limit, value, user_limits); !good)
    return good.error();
  return record_changes{user_change(found->second)};
}

// -- vhosts ---------------------------------------------------------------------------------------------------------

expected<record_changes> access_rules::put_vhost(std::string name, std::string description,
                                                 std::vector<std::string> tags) {
  if (auto good = check_access_name("vhost", name); !good)
    return good.error();
  if (auto good = check_access_text(description); !good)
    return good.error();
  for (const auto& tag : tags)
    if (auto good = check_access_text(tag); !good)
      return good.error();
  auto& settings = vhosts_[name];
  settings.name = std::move(name);
  settings.description = std::move(description);
  settings.tags = std::move(tags);
  return record_changes{vhost_change(settings)};
}

expected<record_changes> access_rules::delete_vhost(std::string_view name) {
  const auto found = vhosts_.find(name);
  if (found == vhosts_.end())
    return no_such("vhost", name);
  record_changes changes{{record_key(vhost_kind, name), std::nullopt}};
  for (auto& [user_name, who] : users_) {
    const auto permissions = who.permissions.erase(std::string{name});
    const auto topics = who.topic_permissions.erase(std::string{name});
    if (permissions + topics > 0)
      changes.push_back(user_change(who));
  }
  vhosts_.erase(found);
  return changes;
}

expected<record_changes> access_rules::set_vhost_limit(std::string_view name, std::string_view limit,
                                                       std::optional<std::int64_t> value) {
  const auto found = vhosts_.find(name);
  if (found == vhosts_.end())
    return no_such("vhost", name);
  if (auto good = change_limit(found->second.limits, limit, value, vhost_limits); !good)
    return good.error();
  return record_changes{vhost_change(found->second)};
}

// -- restoring ------------------------------------------------------------------------------------------------------

bool access_rules::is_record(std::string_view key) noexcept {
  return key.starts_with(user_kind) || key.starts_with(vhost_kind);
}

expected<void> access_rules::restore(std::string_view key, std::string_view bytes) {
  const auto corrupt = [&](std::string_view why) {
    return expected<void>{errc::corrupt, "record '" + std::string{key} + "': " + std::string{why}};
  };
  const auto record = access_json::parse(bytes, nullptr, false);
  if (!record.is_object())
    return corrupt("not a JSON object");
  try {
    if (record.at("version") != access_record_version)
      return corrupt("not a record of version 1");
    if (key.starts_with(vhost_kind)) {
      vhost_settings read;
      read.name = key.substr(vhost_kind.size());
      read.description = record.at("description");
      read.tags = record.at("tags").get<std::vector<std::string>>();
      read.limits = record.at("limits").get<limit_map>();
      vhosts_.insert_or_assign(read.name, std::move(read));
      return {};
    }
    user read;
    read.name = key.substr(user_kind.size());
    read.password = {record.at("password_hash"), record.at("hashing_algorithm")};
    read.tags = record.at("tags").get<std::vector<std::string>>();
    read.limits = record.at("limits").get<limit_map>();
    for (const auto& each : record.at("permissions")) {
      auto made = make_permission(each.at("configure"), each.at("write"), each.at("read"));
      if (!made)
        return corrupt(made.error().what);
      read.permissions.insert_or_assign(each.at("vhost").get<std::string>(), *std::move(made));
    }
    for (const auto& each : record.at("topic_permissions")) {
      const std::string vhost = each.at("vhost");
      auto made = make_topic_permission(read.name, vhost, each.at("write"), each.at("read"));
      if (!made)
        return corrupt(made.error().what);
      read.topic_permissions[vhost].insert_or_assign(each.at("exchange").get<std::string>(), *std::move(made));
    }
    users_.insert_or_assign(read.name, std::move(read));
    return {};
  } catch (const access_json::exception& wrong) {
    return corrupt(wrong.what());
  }
}

} // namespace switchboard::broker
