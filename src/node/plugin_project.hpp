// `switchboard plugin new`: a plugin's project, made of an example by another name. Pure but for
// write_plugin_project().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "runtime/plugin_trial.hpp"

namespace switchboard::node {

struct project_file {
  std::string path; ///< below the project's folder
  std::string text;
};

/// A plugin's name is the name of its file, its type, its service and its CMake target: a lower-case letter, then up to
/// 31 lower-case letters, digits and underscores. errc::bad_format.
expected<void> check_plugin_name(std::string_view name);

/// `kind` "entity", "worker" or "subscriber"; `prefix` is where CMake finds the package. errc::bad_format.
expected<std::vector<project_file>> make_plugin_project(std::string_view name, std::string_view kind,
                                                        std::string_view prefix);

/// Makes the folder, which must not exist yet; its parent must. errc::precondition_failed, errc::io_failed.
expected<void> write_plugin_project(const std::string& folder, const std::vector<project_file>& files);

/// Where the running program was installed, or built.
std::string package_prefix();

/// The running program as the one that tries plugins.
runtime::plugin_trial own_plugin_trial();

} // namespace switchboard::node
