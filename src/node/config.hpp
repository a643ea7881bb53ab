// The configuration of a node as plain values. Where an option comes from and what it means: config_options.def, the
// one place where each is declared. Reading files: here as well, but no parser leaks through this header.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"

namespace switchboard::node {

using std::chrono::milliseconds;
using name_list = std::vector<std::string>;

/// A number of bytes; a type of its own so that "64MiB" is read where, and only where, bytes are meant.
struct byte_count {
  std::uint64_t value = 0;
  constexpr operator std::uint64_t() const noexcept { return value; }
};
constexpr byte_count kibibytes(std::uint64_t n) noexcept { return {n << 10}; }
constexpr byte_count mebibytes(std::uint64_t n) noexcept { return {n << 20}; }
constexpr byte_count gibibytes(std::uint64_t n) noexcept { return {n << 30}; }

/// One member per section, one member of that per option, e.g. `settings.amqp.port`.
struct config {
#define SECTION(name, sentence) struct name##_options {
#define OPTION(type, name, check, sentence, ...) type name = __VA_ARGS__;
#define END(name)                                                                                                      \
  }                                                                                                                    \
  name;
#include "node/config_options.def"
#undef SECTION
#undef OPTION
#undef END

  /// [plugin.<name>] tables as JSON objects in text, by plugin name. Handed to the plugin as its settings, unread.
  std::map<std::string, std::string> plugin_settings;

  /// Settings of one plugin; "{}" if it has none.
  std::string settings_of(std::string_view plugin) const;
  /// jwt.hs256_secret_file, or where it lies if that is empty.
  std::string hs256_secret_path() const;
};

/// Defaults, then the file, then each "section.key=value" of `overrides`. Every error is errc::bad_format whose text is
/// the one line to print: "file:line: section.key: cause", "--set section.key: cause" or "file: cause".
expected<config> load_config(const std::string& file, const std::vector<std::string>& overrides);

/// Without a file: defaults and overrides.
expected<config> default_config(const std::vector<std::string>& overrides);

/// The same from text; `name` stands for the file in errors.
expected<config> parse_config(std::string_view text, std::string_view name, const std::vector<std::string>& overrides);

/// A whole configuration file: every option with sentence, unit, limits and its value in `settings`. With a default
/// config this is config/standalone.toml.
std::string to_toml(const config& settings);

} // namespace switchboard::node
