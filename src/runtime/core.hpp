// A node without its bridges: store, broker, plugins, entities, services. The node's main() puts bridges on top; tests
// use it as it is.
//
//   start:  store -> I/O threads -> broker -> plugins -> timers, outbox -> services, subscribers -> everything consumes
//   stop:   drain bridges -> finish work -> stop services and entities -> stop sessions -> flush the store -> stop I/O
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor.hpp>

#include "base/expected.hpp"
#include "broker/broker.hpp"
#include "runtime/bridge.hpp"
#include "runtime/entity_hosts.hpp"
#include "runtime/node_context.hpp"
#include "runtime/plugin_trial.hpp"
#include "runtime/plugins.hpp"
#include "runtime/shutdown.hpp"
#include "store/store.hpp"

namespace switchboard::runtime {

struct core_options {
  std::string node_name = "standalone";
  std::string data_dir;
  std::string plugins_dir;
  std::vector<std::string> plugins;                   ///< file names without .so
  std::map<std::string, std::string> plugin_settings; ///< JSON object by plugin name; "{}" if absent
  runtime::plugin_trial plugin_trial;                 ///< each is tried by it before it is loaded
  std::vector<std::string> plugin_folders;            ///< from which plugins may be loaded later, beside plugins_dir
  unsigned upgrade_failures_max = 0;                  ///< see plugin_options
  std::size_t io_threads = 1;
  std::size_t worker_threads = 0; ///< 0: as many as cores
  milliseconds handler_max{1000}; ///< a handler that takes longer is logged while it runs
  broker::limits limits{};
  std::uint64_t store_bytes_max = std::uint64_t{16} << 30;
  std::uint64_t store_log_bytes_max = 16u << 20;
  bool store_sync = true;
  std::uint64_t disk_free_min = 0; ///< bytes of data_dir's file system below which the disk alarm is raised; 0: never
  entity_limits entities{};
  milliseconds journal_window{std::chrono::hours{24 * 7}};
  std::shared_ptr<switchboard::clock> clock; ///< null: the machine's
  /// The store failed and confirms nothing any more, or an actor died that all others need: the node must end and start
  /// again. Runs on whatever thread saw it.
  std::function<void(const error&)> on_failure;
};

class core {
public:
  /// Blocks until every service consumes. The error names what could not start.
  static expected<std::unique_ptr<core>> start(core_options options);
  virtual ~core() = default; ///< as shutdown() with little time, if that was not called

  virtual node_context& node() noexcept = 0;
  virtual store::environment& store() noexcept = 0;
  virtual entity_hosts& entities() noexcept = 0;
  /// Takes rpc_call.
  virtual caf::actor rpc() noexcept = 0;
  /// Root of the supervision tree; takes inspect_child, revive_child of its children "timers", "services",
  /// "subscribers".
  virtual caf::actor supervisor() noexcept = 0;
  virtual runtime::plugins& plugins() noexcept = 0;

  /// All phases, with `most` for all of them together. `bridges` are drained first and stopped before the store. Call
  /// once, not from an actor.
  virtual std::vector<phase_report> shutdown(const std::vector<bridge*>& bridges, milliseconds most) = 0;
};

} // namespace switchboard::runtime
