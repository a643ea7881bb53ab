// The plugins of a running node: which versions are loaded, which one serves, and how another one takes over while
// calls go on (hot upgrade).
//
//   load:  file -> checks -> private copy, dlopen -> trial on saved states -> it serves -> routes, subscriptions
//                                                                               |
//                                   entities go over, each before its next decision, and those that are idle
//
// What is loaded here is of the running node. The next start loads what node.plugins names.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "messages/envelope.hpp"
#include "runtime/entity_hosts.hpp"
#include "runtime/plugin_loader.hpp"
#include "runtime/plugin_trial.hpp"

namespace switchboard::runtime {

struct plugin_options {
  std::string folder;                          ///< a file named without a folder is here
  std::vector<std::string> more_folders;       ///< from which files may be loaded too
  std::string copies;                          ///< folder of ours; emptied at start
  std::map<std::string, std::string> settings; ///< JSON object by plugin name; "{}" if absent
  runtime::plugin_trial trial;                 ///< what is loaded later is tried by it, too
  /// A version that fails this part of its decisions in its first minute, in percent, is rolled back. 0: never.
  unsigned failures_max = 0;
  milliseconds watched{std::chrono::minutes{1}}; ///< that minute
};

/// "call" -> "call.so", which stays as it is.
std::string plugin_file(std::string_view name);

/// Thread-safe. What changes something blocks, also for others that change something, so call it from a thread of your
/// own. Must live as long as the actor system.
class plugins {
public:
  /// `follow`: makes services and subscribers take what the hosted types say now. Blocks; thread-safe.
  plugins(entity_hosts& hosts, plugin_options options, std::function<expected<void>()> follow);

  /// At start, before anything consumes; the file has been tried.
  expected<void> start(const std::string& path);

  /// Makes the plugin in `file` (a path, or a name in the folder) serve instead of the one of its name, or beside the
  /// others if there is none. Refused, with nothing changed: a file that is refused at start too; one outside of the
  /// folders; one that lacks a type which is served now, or has another plugin's; one that can't open states which can
  /// be opened now. Answers what it did, as JSON.
  expected<json> load(const std::string& file);

  /// Makes the version that served before serve again. errc::not_found: no such plugin, or none served before.
  expected<json> roll_back(const std::string& name);

  /// The node ends: waits for a change under way, and refuses others from then on.
  void close();

  /// {"plugins":[…],"not_moved":[…]}
  json list() const;

private:
  /// One file that was loaded.
  struct version {
    plugin_manifest manifest;
    const sb_plugin* entry = nullptr;
    std::string file;          ///< as it was named
    std::uint64_t content = 0; ///< hash of its bytes
    std::vector<const hosted_type*> types;
    std::atomic<std::int64_t> since_ms{0}; ///< when it began to serve, 0: it does not
    bool has_served = false;               ///< else it was refused: its code is loaded for good, and list() is silent
  };
  struct line {
    std::vector<version*> before; ///< those that served, earliest first
    version* now = nullptr;
    std::string rolled_back; ///< why the last one was, if it happened by itself
  };

  expected<std::string> resolve(const std::string& file) const;
  expected<version*> open(const std::string& path, const plugin_trial& trial);
  expected<std::string> copy(const std::string& path, const std::string& name, const std::string& bytes) const;
  expected<void> check_types(const version& next, const std::string& replaced) const;
  expected<std::size_t> try_states(const hosted_type& next) const;
  void warn_of_newer(const hosted_type& next) const;
  expected<json> serve(version& next, bool back);
  void move_entities(const version& next);
  struct decision_counts {
    std::uint64_t failed = 0;
    std::uint64_t all = 0; ///< with those that failed
  };
  static decision_counts count_decisions(const version& of);
  void watch(const version& next, const decision_counts& before);
  std::string settings_of(const std::string& plugin) const;

  entity_hosts& hosts_;
  const plugin_options options_;
  const std::function<expected<void>()> follow_;
  std::mutex changing_; ///< held for a whole change
  bool closed_ = false; ///< under changing_
  mutable std::mutex mutex_;
  std::deque<version> versions_;      ///< under mutex_; elements stay
  std::map<std::string, line> lines_; ///< under mutex_; by plugin name
  std::atomic<int> moving_{0};        ///< changes whose idle entities have not all been told
};

} // namespace switchboard::runtime
