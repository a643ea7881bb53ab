// Reading: TOML and overrides into the table's options. The only file that includes toml++.
#include "node/config.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>
#include <toml++/toml.h>

#include "node/config_table.hpp"
#include "node/files.hpp"

namespace switchboard::node {
namespace {

using json = nlohmann::json;

std::string what_is(const toml::node& node) {
  switch (node.type()) {
  case toml::node_type::table:
    return "a table";
  case toml::node_type::array:
    return "a list";
  default:
    return "a date or time";
  }
}

written_value written(const toml::node& node) {
  if (const auto* flag = node.as_boolean())
    return flag->get();
  if (const auto* number = node.as_integer())
    return number->get();
  if (const auto* number = node.as_floating_point())
    return number->get();
  if (const auto* text = node.as_string())
    return text->get();
  const auto* list = node.as_array();
  if (!list || !(list->empty() || list->is_homogeneous<std::string>()))
    return other_value{list ? "a list of other things" : what_is(node)};
  name_list names;
  for (const auto& entry : *list)
    names.push_back(entry.as_string()->get());
  return names;
}

/// Plugin settings cross the C ABI as JSON. Depth is bounded by toml++'s own limit. Sets `bad` to the node that has no
/// counterpart.
json to_json(const toml::node& node, const toml::node*& bad) {
  if (const auto* table = node.as_table()) {
    auto object = json::object();
    for (const auto& [key, value] : *table)
      object[std::string{key.str()}] = to_json(value, bad);
    return object;
  }
  if (const auto* list = node.as_array()) {
    auto array = json::array();
    for (const auto& entry : *list)
      array.push_back(to_json(entry, bad));
    return array;
  }
  if (const auto* flag = node.as_boolean())
    return flag->get();
  if (const auto* number = node.as_integer())
    return number->get();
  if (const auto* number = node.as_floating_point(); number && std::isfinite(number->get()))
    return number->get();
  if (const auto* text = node.as_string())
    return text->get();
  bad = &node;
  return nullptr;
}

/// A configuration under construction, and who set what, so that every complaint can say where.
class loader {
public:
  explicit loader(std::string file) : file_(std::move(file)) {}

  expected<void> take(const toml::table& root) {
    for (const auto& [key, value] : root) {
      auto done = key.str() == "plugin" ? take_plugins(value) : take_section(key, value);
      if (!done)
        return done;
    }
    return {};
  }

  expected<void> take(const std::string& assignment) {
    const auto equals = assignment.find('=');
    const auto dot = assignment.find('.');
    if (equals == std::string::npos || dot > equals)
      return fail("--set " + assignment, "wants section.key=value");
    const auto section = assignment.substr(0, dot);
    const auto key = assignment.substr(dot + 1, equals - dot - 1);
    if (section == "plugin")
      return take_plugin_override(key, assignment.substr(equals + 1));
    return set("--set", section, key, bare_text{assignment.substr(equals + 1)});
  }

  /// What one option alone cannot know.
  expected<config> finish() && {
    const auto& ws = made_.websocket;
    if (ws.pong_timeout <= ws.ping_interval)
      return complain("websocket.pong_timeout", "must be longer than websocket.ping_interval");
    if (made_.amqp.user != "guest" && made_.amqp.password_file.empty())
      return complain("amqp.user", "a user other than guest wants amqp.password_file");
    for (const auto& [plugin, settings] : plugins_) {
      const auto& loaded = made_.node.plugins;
      if (std::find(loaded.begin(), loaded.end(), plugin) == loaded.end())
        return complain("plugin." + plugin, "this plugin is not in node.plugins");
      made_.plugin_settings[plugin] = settings.dump();
    }
    return std::move(made_);
  }

private:
  expected<void> fail(const std::string& where, const std::string& cause) {
    return {errc::bad_format, where + ": " + cause};
  }

  error complain(const std::string& name, const std::string& cause) {
    const auto found = where_.find(name);
    return {errc::bad_format, (found == where_.end() ? file_ : found->second) + ": " + name + ": " + cause};
  }

  std::string place(const toml::source_region& at) const { return file_ + ":" + std::to_string(at.begin.line); }

  expected<void> take_section(const toml::key& name, const toml::node& content) {
    const auto* table = content.as_table();
    const std::string section{name.str()};
    if (!table)
      return fail(place(name.source()), section + ": unknown key outside of any [section]");
    if (table->empty() && !known_section(section))
      return fail(place(name.source()), section + ": unknown section");
    for (const auto& [key, value] : *table)
      if (auto done = set(place(key.source()), section, std::string{key.str()}, written(value)); !done)
        return done;
    return {};
  }

  static bool known_section(std::string_view name) {
    for (const auto& part : sections())
      if (part.name == name)
        return true;
    return false;
  }

  expected<void> set(const std::string& where, const std::string& section, const std::string& key,
                     const written_value& value) {
    const auto name = section + "." + key;
    const auto* row = find_option(section, key);
    if (!row)
      return fail(where, name + ": unknown " + (known_section(section) ? "key" : "section") + hint_for(section, key));
    if (auto done = row->assign(made_, value); !done)
      return fail(where, name + ": " + done.error().what);
    where_[name] = where;
    return {};
  }

  expected<void> take_plugins(const toml::node& content) {
    const auto* plugins = content.as_table();
    if (!plugins)
      return fail(place(content.source()), "plugin: must be tables [plugin.<name>]");
    for (const auto& [name, settings] : *plugins) {
      const std::string plugin{name.str()}, full_name = "plugin." + plugin;
      if (!settings.is_table())
        return fail(place(name.source()), full_name + ": must be a table [" + full_name + "]");
      const toml::node* bad = nullptr;
      plugins_[plugin] = to_json(settings, bad);
      if (bad)
        return fail(place(bad->source()), full_name + ": dates, times and infinite numbers have no JSON form");
      where_[full_name] = place(name.source());
    }
    return {};
  }

  /// --set plugin.queue.wrap_up_ms=200: JSON where it reads as JSON, else text.
  expected<void> take_plugin_override(const std::string& path, const std::string& text) {
    const auto dot = path.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == path.size())
      return fail("--set plugin." + path, "wants plugin.<name>.<key>=value");
    auto value = json::parse(text, nullptr, false);
    const auto plugin = path.substr(0, dot);
    auto& settings = plugins_.try_emplace(plugin, json::object()).first->second;
    settings[path.substr(dot + 1)] = value.is_discarded() ? json(text) : std::move(value);
    where_["plugin." + plugin] = "--set";
    return {};
  }

  std::string file_;
  config made_;
  std::map<std::string, json> plugins_;
  std::map<std::string, std::string> where_;
};

expected<config> load(std::string_view text, std::string_view name, const std::vector<std::string>& overrides) {
  loader loading{std::string{name}};
  try {
    if (auto done = loading.take(toml::parse(text)); !done)
      return done.error();
  } catch (const toml::parse_error& problem) {
    return {errc::bad_format, std::string{name} + ":" + std::to_string(problem.source().begin.line) + ": " +
                                  std::string{problem.description()}};
  }
  for (const auto& assignment : overrides)
    if (auto done = loading.take(assignment); !done)
      return done.error();
  return std::move(loading).finish();
}

} // namespace

expected<config> parse_config(std::string_view text, std::string_view name, const std::vector<std::string>& overrides) {
  return load(text, name, overrides);
}

expected<config> default_config(const std::vector<std::string>& overrides) { return load("", "--set", overrides); }

expected<config> load_config(const std::string& file, const std::vector<std::string>& overrides) {
  const auto text = read_file(file);
  if (!text)
    return text.error();
  return load(*text, file, overrides);
}

} // namespace switchboard::node
