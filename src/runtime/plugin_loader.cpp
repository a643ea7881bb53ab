#include "runtime/plugin_loader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include <dlfcn.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/elf_section.hpp"
#include "runtime/route_table.hpp"

namespace switchboard::runtime {

namespace {

constexpr std::size_t file_bytes_max = 256u << 20;
constexpr std::size_t name_bytes_max = 64;
constexpr std::size_t types_max = 64;  // of one plugin
constexpr std::size_t rows_max = 1000; // routes, or subscriptions, of one type

bool is_name(const char* text) {
  if (!text)
    return false;
  const std::string_view name{text};
  return !name.empty() && name.size() <= name_bytes_max && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool is_event_type(const char* text) {
  const std::string_view name{text ? text : ""};
  const auto dot = name.find('.');
  return name.size() <= 2 * name_bytes_max && dot != std::string_view::npos &&
         is_name(std::string{name.substr(0, dot)}.c_str()) && dot + 1 < name.size();
}

bool read_number(std::string_view text, std::uint32_t& into) {
  const auto* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, into);
  return result.ec == std::errc{} && result.ptr == end;
}

bool read_abi(std::string_view text, plugin_manifest& into) {
  const auto dot = text.find('.');
  return dot != std::string_view::npos && read_number(text.substr(0, dot), into.abi_major) &&
         read_number(text.substr(dot + 1), into.abi_minor);
}

/// A user's own group, as many systems make one for each user: nobody else is in it.
bool is_private_group(gid_t group) {
  std::array<char, 4096> memory{};
  passwd user{};
  passwd* found_user = nullptr;
  if (::getpwuid_r(::geteuid(), &user, memory.data(), memory.size(), &found_user) != 0 || !found_user ||
      found_user->pw_gid != group)
    return false;
  const std::string user_name{found_user->pw_name};
  struct group members {};
  struct group* found = nullptr;
  std::vector<char> more(64 << 10);
  if (::getgrgid_r(group, &members, more.data(), more.size(), &found) != 0 || !found)
    return false;
  for (auto* const* one = found->gr_mem; *one; ++one)
    if (user_name != *one)
      return false;
  return user_name == found->gr_name;
}

/// Whoever may write the file may run code as us.
expected<void> check_owner(const std::string& path, bool directory) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0)
    return {errc::not_found, std::strerror(errno)};
  if (directory ? !S_ISDIR(found.st_mode) : !S_ISREG(found.st_mode))
    return {errc::bad_format, directory ? "its folder is not a folder" : "not a regular file"};
  if (found.st_uid != 0 && found.st_uid != ::geteuid())
    return {errc::access_refused, std::string{directory ? "its folder" : "the file"} + " belongs to another user"};
  // A sticky folder such as /tmp lets others add files but not replace ours.
  const bool sticky = directory && (found.st_mode & S_ISVTX) != 0;
  if ((found.st_mode & S_IWOTH) != 0 && !sticky)
    return {errc::access_refused, std::string{directory ? "its folder" : "the file"} + " may be written by everybody"};
  if ((found.st_mode & S_IWGRP) != 0 && !sticky && !is_private_group(found.st_gid))
    return {errc::access_refused, std::string{directory ? "its folder" : "the file"} + " may be written by its group"};
  return {};
}

/// The file and its folder, and where a link leads the real ones.
expected<void> check_owners(const std::string& path, const std::string& real) {
  for (const auto& each : {path, real}) {
    const auto folder = std::filesystem::path{each}.parent_path();
    if (auto good = check_owner(folder.empty() ? "." : folder.string(), true); !good)
      return good;
  }
  return check_owner(real, false);
}

expected<std::string> read_checked(const std::string& path) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  if (failed || size > file_bytes_max)
    return {errc::too_large, failed ? failed.message() : "larger than any plugin may be"};
  std::string bytes(size, '\0');
  std::ifstream file{path, std::ios::binary};
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size)))
    return {errc::not_found, "it can't be read"};
  return bytes;
}

expected<plugin_manifest> read_manifest(const std::string& path) {
  const auto bytes = read_checked(path);
  if (!bytes)
    return bytes.error();
  auto section = find_elf_section(*bytes, SWITCHBOARD_MANIFEST_SECTION);
  if (!section)
    return section.error();
  return parse_manifest(*section);
}

expected<void> check_type(const sb_entity_type& type) {
  if (type.size < offsetof(sb_entity_type, downgrade) || !is_name(type.type) ||
      (type.service && !is_name(type.service)))
    return {errc::bad_format, "an entity type has no proper size, name or service"};
  const std::string name{type.type};
  if (!type.open || !type.decide || !type.view || !type.close)
    return {errc::bad_format, "type '" + name + "' lacks a function"};
  if ((type.route_count && !type.routes) || (type.subscription_count && !type.subscriptions) ||
      type.route_count > rows_max || type.subscription_count > rows_max)
    return {errc::bad_format, "type '" + name + "' counts routes or subscriptions it doesn't have"};
  if (type.route_count && !type.service)
    return {errc::bad_format, "type '" + name + "' has routes and no service"};
  for (std::size_t index = 0; index < type.route_count; ++index)
    if (auto good = check_route(type.routes[index]); !good)
      return {errc::bad_format, "type '" + name + "': " + good.error().what};
  for (std::size_t index = 0; index < type.subscription_count; ++index)
    if (!is_event_type(type.subscriptions[index].event_type))
      return {errc::bad_format, "type '" + name + "': a subscription names no event type such as call.ended"};
  return {};
}

/// The route of `type` that fits the same requests as `wanted`.
const sb_route* find_same(const sb_entity_type& type, const sb_route& wanted) {
  for (std::size_t index = 0; index < type.route_count; ++index) {
    const auto& one = type.routes[index];
    if (&one != &wanted && std::string_view{one.method} == wanted.method && same_shape(one.pattern, wanted.pattern))
      return &one;
  }
  return nullptr;
}

expected<void> check_routes(const sb_entity_type& type, const sb_entity_type& other) {
  if (!type.service || !other.service || std::string_view{type.service} != other.service)
    return {};
  for (std::size_t index = 0; index < type.route_count; ++index)
    if (const auto* same = find_same(other, type.routes[index]))
      return {errc::precondition_failed, "type '" + std::string{type.type} + "': the route " +
                                             type.routes[index].method + " " + type.routes[index].pattern +
                                             " is served already, by type '" + other.type + "' as " + same->pattern};
  return {};
}

expected<void> check_pair(const sb_entity_type& type, const sb_entity_type& other) {
  const std::string name{type.type};
  if (name == other.type)
    return {errc::precondition_failed, "the entity type '" + name + "' is there already"};
  return check_routes(type, other);
}

/// RTLD_NOW: a missing symbol shows here and not in the middle of a call. Never closed. A constructor that throws ends
/// the process, here as in any program.
expected<void*> open_library(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return {errc::bad_format, ::dlerror()};
  return library;
}

expected<const sb_plugin*> describe(sb_plugin_entry entry) {
  try {
    if (const auto* plugin = entry())
      return plugin;
    return {errc::bad_format, SWITCHBOARD_PLUGIN_ENTRY " gives nothing"};
  } catch (const std::exception& thrown) {
    return {errc::bad_format, std::string{SWITCHBOARD_PLUGIN_ENTRY " throws: "} + thrown.what()};
  } catch (...) {
    return {errc::bad_format, SWITCHBOARD_PLUGIN_ENTRY " throws"};
  }
}

/// A file that passed all that can be seen from outside.
struct inspected {
  plugin_manifest manifest;
  std::string path; ///< without links
};

expected<inspected> inspect_checked(const std::string& path) {
  std::error_code failed;
  const auto real = std::filesystem::canonical(path, failed).string();
  if (failed)
    return {errc::not_found, failed.message()};
  if (auto good = check_owners(path, real); !good)
    return good.error();
  auto manifest = read_manifest(real);
  if (!manifest)
    return manifest.error();
  if (auto good = check_abi(manifest->abi_major, manifest->abi_minor); !good)
    return good.error();
  return inspected{std::move(*manifest), real};
}

expected<loaded_plugin> load_checked(const std::string& path) {
  auto seen = inspect_checked(path);
  if (!seen)
    return seen.error();
  const auto library = open_library(seen->path);
  if (!library)
    return library.error();
  const auto entry = reinterpret_cast<sb_plugin_entry>(::dlsym(*library, SWITCHBOARD_PLUGIN_ENTRY));
  if (!entry)
    return {errc::bad_format, "it has no " SWITCHBOARD_PLUGIN_ENTRY};
  const auto described = describe(entry);
  if (!described)
    return described.error();
  const auto* plugin = *described;
  if (auto good = check_plugin(*plugin, seen->manifest); !good)
    return good.error();
  return loaded_plugin{std::move(seen->manifest), plugin};
}

} // namespace

expected<plugin_manifest> parse_manifest(std::string_view text) {
  plugin_manifest result;
  bool has_abi = false;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(std::string_view{"\n\0", 2}), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos)
      continue;
    const auto key = line.substr(0, equals);
    const auto value = line.substr(equals + 1);
    if (key == "abi") {
      if (!read_abi(value, result))
        return {errc::bad_format, "its manifest says abi=" + std::string{value} + ", not two numbers"};
      has_abi = true;
    } else if (key == "name") {
      result.name = value;
    } else if (key == "version") {
      result.version = value;
    }
  }
  if (!has_abi || !is_name(result.name.c_str()) || result.version.empty())
    return {errc::bad_format, "its manifest lacks abi, name or version"};
  return result;
}

expected<void> check_abi(std::uint32_t major, std::uint32_t minor) {
  if (major == SWITCHBOARD_ABI_MAJOR && minor <= SWITCHBOARD_ABI_MINOR)
    return {};
  return {errc::not_implemented, "built for ABI " + std::to_string(major) + "." + std::to_string(minor) +
                                     ", this node speaks " + std::to_string(SWITCHBOARD_ABI_MAJOR) + "." +
                                     std::to_string(SWITCHBOARD_ABI_MINOR)};
}

expected<void> check_plugin(const sb_plugin& what, const plugin_manifest& promised) {
  if (what.size < sizeof(sb_plugin))
    return {errc::bad_format, "its description is smaller than this ABI's"};
  if (what.abi_major != promised.abi_major || what.abi_minor != promised.abi_minor || !what.name ||
      promised.name != what.name || !what.version || promised.version != what.version)
    return {errc::bad_format, "its description differs from its manifest"};
  if (what.type_count == 0 || !what.types)
    return {errc::bad_format, "it has no entity type"};
  if (what.type_count > types_max)
    return {errc::bad_format, "it counts " + std::to_string(what.type_count) + " entity types"};
  for (std::size_t index = 0; index < what.type_count; ++index) {
    if (!what.types[index])
      return {errc::bad_format, "an entity type is missing"};
    if (auto good = check_type(*what.types[index]); !good)
      return good;
    if (auto good = check_routes(*what.types[index], *what.types[index]); !good)
      return good;
    for (std::size_t before = 0; before < index; ++before)
      if (auto good = check_pair(*what.types[index], *what.types[before]); !good)
        return good;
  }
  return {};
}

expected<void> check_beside(const sb_plugin& what, const std::vector<const sb_entity_type*>& hosted) {
  for (std::size_t index = 0; index < what.type_count; ++index)
    for (const auto* other : hosted)
      if (auto good = check_pair(*what.types[index], *other); !good)
        return {good.error().code, "plugin " + std::string{what.name} + ": " + good.error().what};
  return {};
}

expected<plugin_manifest> inspect_plugin(const std::string& path) {
  auto result = inspect_checked(path);
  if (!result)
    return {result.error().code, "plugin " + path + ": " + result.error().what};
  return std::move(result->manifest);
}

expected<std::string> read_plugin(const std::string& path) {
  auto result = read_checked(path);
  if (!result)
    return {result.error().code, "plugin " + path + ": " + result.error().what};
  return result;
}

expected<loaded_plugin> load_plugin(const std::string& path) {
  auto result = load_checked(path);
  if (!result)
    return {result.error().code, "plugin " + path + ": " + result.error().what};
  return result;
}

} // namespace switchboard::runtime
