// Map of this file: finding and opening a file -- may it serve -- it serves -- entities go over -- it is watched.
#include "runtime/plugins.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <sys/stat.h>

#include "runtime/journal.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t trial_max = 1000; // saved states of each type, the newest
constexpr std::uint64_t watched_decisions_min = 20;
constexpr auto look_interval = std::chrono::milliseconds{100};

std::size_t stored_of(store::environment& store, const std::string& type, std::size_t most,
                      const std::function<bool(store::entity_record&&)>& visit) {
  std::size_t seen = 0;
  static_cast<void>(store.each_entity(type, [&](store::entity_record&& one) {
    if (seen == most)
      return false;
    ++seen;
    return visit(std::move(one));
  }));
  return seen;
}

} // namespace

std::string plugin_file(std::string_view name) { return std::string{name}.append(name.ends_with(".so") ? "" : ".so"); }

plugins::plugins(entity_hosts& hosts, plugin_options options, std::function<expected<void>()> follow)
    : hosts_(hosts), options_(std::move(options)), follow_(std::move(follow)) {
  std::error_code ignored;
  fs::remove_all(options_.copies, ignored);
}

// -- finding and opening a file -----------------------------------------------------------------------------------

expected<std::string> plugins::resolve(const std::string& file) const {
  const fs::path named{plugin_file(file)};
  const auto wanted = named.has_parent_path() ? named : fs::path{options_.folder} / named;
  std::error_code failed;
  const auto path = fs::canonical(wanted, failed);
  if (failed)
    return {errc::not_found, "plugin " + wanted.string() + ": " + failed.message()};
  auto folders = options_.more_folders;
  folders.push_back(options_.folder);
  const bool allowed = std::any_of(folders.begin(), folders.end(), [&](const std::string& folder) {
    std::error_code absent;
    return path.parent_path() == fs::canonical(folder, absent) && !absent;
  });
  if (!allowed)
    return {errc::access_refused, "plugin " + path.string() +
                                      ": it is neither in node.plugins_dir nor in a folder of "
                                      "node.plugin_folders"};
  return path.string();
}

expected<plugins::version*> plugins::open(const std::string& path, const plugin_trial& trial) {
  auto manifest = inspect_plugin(path);
  if (!manifest)
    return manifest.error();
  auto bytes = read_plugin(path);
  if (!bytes)
    return bytes.error();
  const auto content = hash_of(*bytes);
  {
    const std::lock_guard hold{mutex_};
    for (auto& known : versions_)
      if (known.content == content && known.manifest == *manifest)
        return &known;
  }
  auto private_file = copy(path, manifest->name + "-" + hash_text(content) + ".so", *bytes);
  if (!private_file)
    return private_file.error();
  // Whoever reads the reason knows the file, not its copy.
  const auto refusal = [&](error why) {
    if (const auto at = why.what.find(*private_file); at != std::string::npos)
      why.what.replace(at, private_file->size(), path);
    return why;
  };
  if (const auto tried = try_plugins(trial, {*private_file}).front(); !tried)
    return refusal(tried.error());
  auto loaded = load_plugin(*private_file);
  if (!loaded)
    return refusal(loaded.error());
  const std::lock_guard hold{mutex_};
  for (const auto& known : versions_)
    if (known.entry == loaded->entry)
      return {errc::bad_format, "plugin " + path + ": it shares its variables with version " + known.manifest.version +
                                    "; build it with -fvisibility=hidden or -fno-gnu-unique"};
  auto& added = versions_.emplace_back();
  added.manifest = loaded->manifest;
  added.entry = loaded->entry;
  added.file = path;
  added.content = content;
  for (std::size_t index = 0; index < added.entry->type_count; ++index)
    added.types.push_back(&hosts_.types().add_version(*added.entry->types[index], settings_of(added.manifest.name),
                                                      added.manifest.name, added.manifest.version));
  return &added;
}

/// Under a name of its own: the system would hand out what it loaded before under the same one, and a file that is
/// written over while its code runs ends the process.
expected<std::string> plugins::copy(const std::string& path, const std::string& name, const std::string& bytes) const {
  std::error_code failed;
  fs::create_directories(options_.copies, failed);
  if (!failed && ::chmod(options_.copies.c_str(), 0700) != 0)
    failed = {errno, std::generic_category()};
  const auto to = fs::path{options_.copies} / name;
  std::error_code absent;
  if (!failed && fs::file_size(to, absent) == bytes.size() && !absent)
    return to.string(); // its name says what is in it, and it may be in use
  if (!failed) {
    std::ofstream file{to, std::ios::binary | std::ios::trunc};
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush())
      failed = std::make_error_code(std::errc::io_error);
  }
  if (!failed && ::chmod(to.c_str(), 0600) != 0)
    failed = {errno, std::generic_category()};
  if (failed)
    return {errc::internal, "plugin " + path + ": its copy " + to.string() + ": " + failed.message()};
  return to.string();
}

std::string plugins::settings_of(const std::string& plugin) const {
  const auto found = options_.settings.find(plugin);
  return found == options_.settings.end() ? "{}" : found->second;
}

// -- may it serve -------------------------------------------------------------------------------------------------

/// Beside all others; those of plugin `replaced` it replaces, and so it must have all of them.
expected<void> plugins::check_types(const version& next, const std::string& replaced) const {
  std::vector<const sb_entity_type*> others;
  for (const auto* served : hosts_.types().all())
    if (served->now().plugin != replaced)
      others.push_back(served->now().abi);
  if (auto good = check_beside(*next.entry, others); !good)
    return good;
  for (const auto* served : hosts_.types().all())
    if (served->now().plugin == replaced &&
        std::none_of(next.types.begin(), next.types.end(),
                     [&](const hosted_type* type) { return served->name() == type->abi->type; }))
      return {errc::precondition_failed, "plugin " + next.manifest.name + " " + next.manifest.version +
                                             ": it lacks the entity type '" + served->name() + "', which version " +
                                             served->now().version + " serves"};
  return {};
}

/// How many saved states it opened. What nobody can open is not its fault.
expected<std::size_t> plugins::try_states(const hosted_type& next) const {
  const auto* served = hosts_.types().find(next.abi->type);
  if (!served)
    return std::size_t{0};
  auto versions = served->versions();
  versions.insert(versions.begin(), &next);
  std::optional<error> refusal;
  const auto refuse = [&](const store::entity_record& of, const std::string& why) {
    refusal =
        error{errc::precondition_failed, "plugin " + next.plugin + " " + next.version + " can't take over " + of.type +
                                             " " + of.id + " from version " + served->now().version + ": " + why};
    return false;
  };
  std::size_t opened = 0;
  stored_of(hosts_.store(), served->name(), trial_max, [&](store::entity_record&& one) {
    const saved_state saved{one.state, one.state_version};
    const auto by_next = open_by(next, versions, saved);
    opened += by_next ? 1 : 0;
    return by_next || !open_saved(*served, saved) || refuse(one, by_next.error().what);
  });
  const bool is_newest = std::none_of(versions.begin(), versions.end(), [&](const hosted_type* one) {
    return one->abi->state_version > next.abi->state_version;
  });
  // Those behind the first thousand: none may be left that no version can take back.
  if (!refusal && !is_newest)
    stored_of(hosts_.store(), served->name(), ~std::size_t{0}, [&](store::entity_record&& one) {
      if (one.state_version <= next.abi->state_version)
        return true;
      const auto older = downgraded(versions, {one.state, one.state_version}, next.abi->state_version);
      return older ? true : refuse(one, older.error().what);
    });
  if (refusal)
    return *refusal;
  return opened;
}

// -- it serves ----------------------------------------------------------------------------------------------------

expected<void> plugins::start(const std::string& path) {
  const std::lock_guard change{changing_};
  auto opened = open(path, {});
  if (!opened)
    return opened.error();
  auto& next = **opened;
  if (auto good = check_types(next, {}); !good)
    return good;
  for (const auto* type : next.types) {
    hosts_.types().serve(*type);
    warn_of_newer(*type);
  }
  next.since_ms = hosts_.node().clock.now().time_since_epoch().count();
  const std::lock_guard hold{mutex_};
  next.has_served = true;
  lines_[next.manifest.name].now = &next;
  log::info("plugin_loaded", {{"plugin", next.manifest.name}, {"version", next.manifest.version}});
  return {};
}

/// Such states were saved by a version that was loaded while the node ran, and whose file is not the one that starts.
/// A bounded look at the newest: those are the ones that a version of then has saved.
void plugins::warn_of_newer(const hosted_type& next) const {
  std::size_t newer = 0;
  const auto looked_at = stored_of(hosts_.store(), next.abi->type, trial_max, [&](store::entity_record&& one) {
    newer += one.state_version > next.abi->state_version ? 1 : 0;
    return true;
  });
  if (newer > 0)
    log::warning("states_newer", {{"type", next.abi->type},
                                  {"plugin", next.plugin},
                                  {"version", next.version},
                                  {"count", newer},
                                  {"looked_at", looked_at}});
}

expected<json> plugins::load(const std::string& file) {
  const std::lock_guard change{changing_};
  if (closed_ || hosts_.node().draining)
    return {errc::stopping, "the node is stopping"};
  auto path = resolve(file);
  if (!path)
    return path.error();
  auto opened = open(*path, options_.trial);
  if (!opened)
    return opened.error();
  return serve(**opened, false);
}

expected<json> plugins::roll_back(const std::string& name) {
  const std::lock_guard change{changing_};
  if (closed_ || hosts_.node().draining)
    return {errc::stopping, "the node is stopping"};
  version* before = nullptr;
  {
    const std::lock_guard hold{mutex_};
    const auto found = lines_.find(name);
    if (found == lines_.end())
      return {errc::not_found, "no plugin '" + name + "' is loaded"};
    if (found->second.before.empty())
      return {errc::not_found,
              "no version of plugin '" + name + "' served before " + found->second.now->manifest.version};
    before = found->second.before.back();
  }
  return serve(*before, true);
}

/// Under changing_.
expected<json> plugins::serve(version& next, bool back) {
  auto* before = [&]() -> version* {
    const std::lock_guard hold{mutex_};
    const auto found = lines_.find(next.manifest.name);
    return found == lines_.end() ? nullptr : found->second.now;
  }();
  if (before == &next)
    return {errc::precondition_failed,
            "plugin " + next.manifest.name + " " + next.manifest.version + " of that very file serves already"};
  if (auto good = check_types(next, next.manifest.name); !good)
    return good.error();
  json types = json::array();
  for (const auto* type : next.types) {
    auto tried = try_states(*type);
    if (!tried)
      return tried.error();
    types.push_back({{"type", type->abi->type}, {"state_version", type->abi->state_version}, {"tried", *tried}});
  }
  {
    const std::lock_guard hold{mutex_};
    auto& line = lines_[next.manifest.name];
    if (back)
      line.before.pop_back();
    else if (before)
      line.before.push_back(before);
    line.now = &next;
    line.rolled_back.clear();
    next.has_served = true;
  }
  const auto counted = count_decisions(next);
  for (const auto* type : next.types)
    hosts_.types().serve(*type);
  if (before)
    before->since_ms = 0;
  next.since_ms = hosts_.node().clock.now().time_since_epoch().count();
  const auto followed = follow_();
  log::info(back ? "plugin_rolled_back" : "plugin_upgraded", {{"plugin", next.manifest.name},
                                                              {"version", next.manifest.version},
                                                              {"before", before ? before->manifest.version : ""}});
  json answer{{"plugin", next.manifest.name},
              {"version", next.manifest.version},
              {"before", before ? json(before->manifest.version) : json{}},
              {"file", next.file},
              {"types", std::move(types)}};
  if (!followed) {
    log::failure("plugin_not_followed", {{"plugin", next.manifest.name}, {"reason", followed.error().what}});
    answer["warning"] = followed.error().what;
  }
  ++moving_;
  hosts_.node().system.spawn<caf::detached>([this, &next] {
    move_entities(next);
    --moving_;
  });
  if (!back && options_.failures_max > 0)
    hosts_.node().system.spawn<caf::detached>([this, &next, counted] { watch(next, counted); });
  return answer;
}

// -- entities go over ---------------------------------------------------------------------------------------------

void plugins::move_entities(const version& next) {
  for (const auto* type : next.types) {
    auto& served = *hosts_.types().find(type->abi->type);
    hosts_.move_live(served);
    const auto versions = served.versions();
    if (std::none_of(versions.begin(), versions.end(),
                     [&](const hosted_type* one) { return one->abi->state_version > type->abi->state_version; }))
      continue;
    // The next start may know this version alone, so no state may be left that it can't read.
    std::size_t sent = 0;
    stored_of(hosts_.store(), served.name(), ~std::size_t{0}, [&](store::entity_record&& one) {
      if (&served.now() != type || hosts_.closed())
        return false;
      if (one.state_version > type->abi->state_version) {
        hosts_.move_stored(served, one.id);
        if (++sent % 500 == 0)
          std::this_thread::sleep_for(std::chrono::milliseconds{10});
      }
      return true;
    });
  }
}

// -- it is watched ------------------------------------------------------------------------------------------------

plugins::decision_counts plugins::count_decisions(const version& of) {
  decision_counts counted;
  for (const auto* type : of.types) {
    const auto failed = type->failed.load(std::memory_order_relaxed);
    counted.failed += failed;
    counted.all += failed + type->decided.load(std::memory_order_relaxed);
  }
  return counted;
}

/// On a thread of its own, for the first minute, while entities still go over. `before`: when it began to serve.
void plugins::watch(const version& next, const decision_counts& before) {
  const auto until = std::chrono::steady_clock::now() + options_.watched;
  const auto since = next.since_ms.load();
  while (std::chrono::steady_clock::now() < until && !hosts_.closed() && next.since_ms == since) {
    std::this_thread::sleep_for(look_interval);
    const auto now = count_decisions(next);
    const auto failed = now.failed - before.failed;
    const auto all = now.all - before.all;
    if (all < watched_decisions_min || failed * 100 <= all * options_.failures_max)
      continue;
    const auto why = std::to_string(failed) + " of its first " + std::to_string(all) + " decisions failed";
    log::failure("plugin_fails", {{"plugin", next.manifest.name}, {"version", next.manifest.version}, {"reason", why}});
    const auto done = roll_back(next.manifest.name);
    if (!done)
      log::failure("plugin_not_rolled_back", {{"plugin", next.manifest.name}, {"reason", done.error().what}});
    const std::lock_guard hold{mutex_};
    lines_[next.manifest.name].rolled_back = next.manifest.version + ": " + why;
    return;
  }
}

void plugins::close() {
  const std::lock_guard change{changing_};
  closed_ = true;
}

json plugins::list() const {
  const std::lock_guard hold{mutex_};
  json all = json::array();
  for (const auto& one : versions_) {
    if (!one.has_served)
      continue;
    json types = json::array();
    for (const auto* type : one.types)
      types.push_back({{"type", type->abi->type},
                       {"service", type->abi->service ? json(type->abi->service) : json{}},
                       {"state_version", type->abi->state_version},
                       {"live", type->live.load()},
                       {"decided", type->decided.load()},
                       {"failed", type->failed.load()}});
    const auto found = lines_.find(one.manifest.name);
    const auto since = one.since_ms.load();
    json row{{"plugin", one.manifest.name},
             {"version", one.manifest.version},
             {"serves", since != 0},
             {"since", since != 0 ? json(to_iso8601(time_point{milliseconds{since}})) : json{}},
             {"file", one.file},
             {"types", std::move(types)}};
    if (since != 0 && found != lines_.end() && !found->second.rolled_back.empty())
      row["rolled_back"] = found->second.rolled_back;
    all.push_back(std::move(row));
  }
  json not_moved = json::array();
  const auto [kept, count] = hosts_.kept();
  for (const auto& one : kept)
    not_moved.push_back({{"type", one.type}, {"id", one.id}, {"decided_by", one.version}, {"reason", one.reason}});
  return {{"plugins", std::move(all)},
          {"moving", moving_ > 0},
          {"not_moved_count", count},
          {"not_moved", std::move(not_moved)}};
}

} // namespace switchboard::runtime
