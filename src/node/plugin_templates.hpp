// The files that `switchboard plugin new` writes: those of examples/<kind>, built in by cmake/package.cmake.
#pragma once

#include <string_view>
#include <vector>

namespace switchboard::node {

struct plugin_template_file {
  std::string_view kind; ///< "entity", "worker" or "subscriber"
  std::string_view path; ///< below the project's folder
  std::string_view text;
};

const std::vector<plugin_template_file>& plugin_template_files();

} // namespace switchboard::node
