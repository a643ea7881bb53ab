// Loads plugins: shared objects that speak the C ABI of sdk/abi.h. Everything that can be known without running code of
// the file is checked first: who owns it, who may write it, what its manifest says. A plugin is never unloaded, since
// pointers into it live in entities.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "sdk/abi.h"

namespace switchboard::runtime {

/// What a plugin says of itself in its ELF section, readable without loading.
struct plugin_manifest {
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor = 0;
  std::string name;
  std::string version;

  friend bool operator==(const plugin_manifest&, const plugin_manifest&) = default;
};

/// Lines "key=value"; unknown keys are skipped. errc::bad_format names what is missing or wrong.
expected<plugin_manifest> parse_manifest(std::string_view text);

/// errc::not_implemented if this host can't serve a plugin of that ABI.
expected<void> check_abi(std::uint32_t major, std::uint32_t minor);

/// Checks what a loaded plugin describes: sizes, functions, names, routes, and that no two of these are the same.
/// errc::bad_format, errc::precondition_failed.
expected<void> check_plugin(const sb_plugin& what, const plugin_manifest& promised);

/// errc::precondition_failed if it brings a type, or a route of a service, that is there already. Not for a plugin that
/// takes the place of another one's types.
expected<void> check_beside(const sb_plugin& what, const std::vector<const sb_entity_type*>& hosted);

struct loaded_plugin {
  plugin_manifest manifest;
  const sb_plugin* entry = nullptr; ///< lives as long as the process
};

/// All that can be known without running code of the file: its owner, who may write it, its manifest and ABI.
expected<plugin_manifest> inspect_plugin(const std::string& path);

/// The file's bytes, at most 256 MiB. errc::too_large, errc::not_found.
expected<std::string> read_plugin(const std::string& path);

/// Every refusal is one line: path and reason. Thread-safe, also while other plugins decide. Runs code of the file as
/// soon as it has passed what can be seen from outside; plugin_trial.hpp lets another process try that first.
expected<loaded_plugin> load_plugin(const std::string& path);

} // namespace switchboard::runtime
