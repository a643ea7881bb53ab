#include "node/plugin_project.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <sys/stat.h>

#include "node/plugin_templates.hpp"

namespace switchboard::node {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t name_bytes_max = 32;

/// Each example's own word, which the new name takes the place of.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kinds{
    {{"entity", "ticket"}, {"worker", "tariff"}, {"subscriber", "lookout"}}};

/// Targets that CMake keeps for itself, and words that are none in C++, where the name stands in the tests.
constexpr std::array<std::string_view, 12> taken{"all",   "clean",   "depend",  "edit_cache",
                                                 "help",  "install", "local",   "package",
                                                 "ninja", "test",    "plugins", "rebuild_cache"};

bool is_letter(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_name_character(char c) noexcept { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; }

std::string in_quotes(std::string_view text) { return std::string{"'"}.append(text).append("'"); }

std::string replaced(std::string_view text, std::string_view what, std::string_view by) {
  std::string made;
  for (std::size_t at = 0; at < text.size();) {
    const auto found = std::min(text.find(what, at), text.size());
    made += text.substr(at, found - at);
    if (found < text.size())
      made += by;
    at = found + what.size();
  }
  return made;
}

/// As its routes say it: tickets, boxes, parties; rates stays. Any noun would be found, since the table says it.
std::string plural(std::string_view noun) {
  const auto ends = [&](std::string_view with) { return noun.ends_with(with); };
  std::string made{noun};
  if (ends("s"))
    return made;
  if (ends("x") || ends("z") || ends("ch") || ends("sh"))
    return made + "es";
  const bool by_vowel = noun.size() > 1 && std::string_view{"aeiou"}.find(noun[noun.size() - 2]) != noun.npos;
  if (!ends("y") || by_vowel)
    return made + "s";
  made.pop_back();
  return made + "ies";
}

/// An example's text for a plugin of another name.
std::string renamed(std::string_view text, std::string_view word, std::string_view name) {
  const auto route = std::string{"/v1/"}.append(word).append("s");
  return replaced(replaced(text, route, "/v1/" + plural(name)), word, name);
}

} // namespace

expected<void> check_plugin_name(std::string_view name) {
  const bool proper = !name.empty() && name.size() <= name_bytes_max && is_letter(name.front()) &&
                      std::all_of(name.begin(), name.end(), is_name_character);
  if (!proper)
    return {errc::bad_format, in_quotes(name).append(" is no name for a plugin: a lower-case letter, then up to 31 "
                                                     "lower-case letters, digits and underscores")};
  if (std::find(taken.begin(), taken.end(), name) != taken.end())
    return {errc::bad_format, in_quotes(name).append(" is a word of CMake's; choose another name")};
  return {};
}

expected<std::vector<project_file>> make_plugin_project(std::string_view name, std::string_view kind,
                                                        std::string_view prefix) {
  if (auto good = check_plugin_name(name); !good)
    return good.error();
  const auto* const known =
      std::find_if(kinds.begin(), kinds.end(), [&](const auto& one) { return one.first == kind; });
  if (known == kinds.end())
    return {errc::bad_format, in_quotes(kind).append(" is no kind of plugin: entity, worker or subscriber")};
  std::vector<project_file> files;
  for (const auto& one : plugin_template_files())
    if (one.kind == kind)
      files.push_back({replaced(one.path, known->second, name),
                       replaced(renamed(one.text, known->second, name), "@SWITCHBOARD_PREFIX@", prefix)});
  return files;
}

expected<void> write_plugin_project(const std::string& folder, const std::vector<project_file>& files) {
  if (::mkdir(folder.c_str(), 0755) != 0)
    return {errno == EEXIST ? errc::precondition_failed : errc::io_failed,
            folder + ": " + (errno == EEXIST ? "exists already" : std::strerror(errno))};
  for (const auto& one : files) {
    const auto path = fs::path{folder} / one.path;
    std::error_code failed;
    fs::create_directories(path.parent_path(), failed);
    std::ofstream file{path, std::ios::binary};
    file << one.text;
    file.close();
    if (!file)
      return {errc::io_failed, path.string() + ": " + std::strerror(errno)};
  }
  return {};
}

std::string package_prefix() {
  std::error_code ignored;
  const auto here = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const auto* const package = "lib/cmake/Switchboard/SwitchboardConfig.cmake";
  return (fs::exists(here.parent_path() / package, ignored) ? here.parent_path() : here).string();
}

runtime::plugin_trial own_plugin_trial() { return {{"/proc/self/exe", "plugin", "try"}, milliseconds{10'000}}; }

} // namespace switchboard::node
