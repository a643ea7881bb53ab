#include "node/config.hpp"

#include <algorithm>
#include <utility>

#include "node/config_table.hpp"

namespace switchboard::node {
namespace {

constexpr std::size_t comment_columns = 100;

/// Sentences as comment lines, broken between words.
std::string comment(std::string_view text) {
  std::string out, line = "#";
  while (!text.empty()) {
    const auto blank = std::min(text.find(' '), text.size());
    if (line.size() + 1 + blank > comment_columns)
      out += std::exchange(line, "#") + "\n";
    (line += ' ') += text.substr(0, blank);
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
  return out + line + "\n";
}

constexpr std::string_view heading =
    "A standalone node: every option with its default, its unit and the reason. Unknown keys are errors; "
    "`switchboard check-config` names the line. Any option can be overridden by `--set section.key=value`. "
    "Durations carry a unit (ms, s, m, h), sizes too (B, KiB, MiB, GiB, TiB).";

constexpr std::string_view plugin_note =
    "Settings of one plugin stand in a table [plugin.<name>]; the plugin's README lists them. Example: "
    "[plugin.queue] followed by its keys.";

} // namespace

std::string config::settings_of(std::string_view plugin) const {
  const auto found = plugin_settings.find(std::string{plugin});
  return found == plugin_settings.end() ? "{}" : found->second;
}

std::string config::hs256_secret_path() const {
  return jwt.hs256_secret_file.empty() ? node.data_dir + "/jwt.secret" : jwt.hs256_secret_file;
}

std::string to_toml(const config& settings) {
  auto out = comment(heading);
  for (const auto& part : sections()) {
    out += "\n" + comment(part.sentence) + "[" + std::string{part.name} + "]\n";
    for (const auto& row : options())
      if (row.section == part.name)
        out += "\n" + comment(std::string{row.sentence} + " (" + row.type_and_limits + ")") + std::string{row.key} +
               " = " + row.show(settings) + "\n";
  }
  return out + "\n" + comment(plugin_note);
}

} // namespace switchboard::node
