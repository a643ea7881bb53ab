// The options of config_options.def as a table that a program can walk: what the parser, --set, the printer and the
// tests share. Private to the configuration.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/expected.hpp"
#include "node/config.hpp"

namespace switchboard::node {

/// Text whose type is not known yet (--set): the option it is meant for decides how to read it.
struct bare_text {
  std::string text;
};
/// A value no option takes (a date, a table, …), by what it is called.
struct other_value {
  std::string what;
};
/// A value as it was written, before the option has looked at it.
using written_value = std::variant<bool, std::int64_t, double, std::string, name_list, bare_text, other_value>;

struct option {
  std::string_view section;
  std::string_view key;
  std::string_view sentence;
  std::string type_and_limits; ///< for people: "integer, 0..65535"
  /// Reads, checks and stores; the error text is the cause alone.
  std::function<expected<void>(config&, const written_value&)> assign;
  /// The value as TOML.
  std::function<std::string(const config&)> show;

  std::string name() const { return std::string{section} + "." + std::string{key}; }
};

struct section {
  std::string_view name;
  std::string_view sentence;
};

/// In the order of declaration; the same for the life of the process.
const std::vector<section>& sections();
const std::vector<option>& options();

/// Null if there is no such option.
const option* find_option(std::string_view section, std::string_view key);
/// "; did you mean amqp.port?" for a name that is nearly right, else empty.
std::string hint_for(std::string_view section, std::string_view key);

} // namespace switchboard::node
