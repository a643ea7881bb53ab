#include "runtime/hosted_types.hpp"

#include <algorithm>
#include <cstddef>

#include "messages/json_object.hpp"
#include "runtime/journal.hpp"

namespace switchboard::runtime {

namespace {

std::string stamp_of(const hosted_type& from) {
  json_object out;
  out.text("plugin", from.plugin).text("version", from.version).text("settings", from.settings_hash);
  return std::move(out).finish();
}

/// As a journal line gives it back, so that the two can be compared.
std::string canonical(std::string settings) {
  const auto value = json::parse(settings, nullptr, /*allow_exceptions*/ false);
  return value.is_discarded() ? std::move(settings) : dump(value);
}

bool can_downgrade(const sb_entity_type& type) {
  return type.size >= offsetof(sb_entity_type, downgrade) + sizeof(type.downgrade) && type.downgrade;
}

} // namespace

hosted_type::hosted_type(const sb_entity_type& described, std::string settings_json, std::string plugin_name,
                         std::string plugin_version)
    : abi(&described), settings(canonical(std::move(settings_json))), plugin(std::move(plugin_name)),
      version(std::move(plugin_version)), settings_hash(hash_text(hash_of(settings))), stamp(stamp_of(*this)) {}

// -- one type -----------------------------------------------------------------------------------------------------

std::vector<const hosted_type*> served_type::versions() const {
  const std::lock_guard hold{mutex_};
  return {versions_.rbegin(), versions_.rend()};
}

void served_type::serve(const hosted_type& version) {
  const std::lock_guard hold{mutex_};
  std::erase(versions_, &version);
  versions_.push_back(&version);
  now_.store(&version, std::memory_order_release);
}

// -- all of them --------------------------------------------------------------------------------------------------

served_type* hosted_types::find(const std::string& type) const {
  const auto& known = *now_.load(std::memory_order_acquire);
  const auto found = known.find(type);
  return found == known.end() ? nullptr : found->second;
}

std::vector<served_type*> hosted_types::all() const {
  std::vector<served_type*> result;
  for (const auto& [name, type] : *now_.load(std::memory_order_acquire))
    result.push_back(type);
  return result;
}

const hosted_type& hosted_types::add_version(const sb_entity_type& described, std::string settings, std::string plugin,
                                             std::string version) {
  const std::lock_guard hold{mutex_};
  return versions_.emplace_back(described, std::move(settings), std::move(plugin), std::move(version));
}

void hosted_types::serve(const hosted_type& version) {
  const std::string name{version.abi->type};
  if (auto* known = find(name))
    return known->serve(version);
  const std::lock_guard hold{mutex_};
  auto& added = types_.emplace_back(name);
  added.serve(version);
  auto next = snapshots_.back();
  next.emplace(name, &added);
  snapshots_.push_back(std::move(next));
  now_.store(&snapshots_.back(), std::memory_order_release);
}

// -- saved states -------------------------------------------------------------------------------------------------

expected<saved_state> downgraded(const std::vector<const hosted_type*>& versions, const saved_state& saved,
                                 std::uint32_t older) {
  error last{errc::not_implemented, "its state is of version " + std::to_string(saved.version) +
                                        ", and no loaded version makes one of version " + std::to_string(older) +
                                        " from it"};
  for (const auto* one : versions) {
    if (one->abi->state_version < saved.version || !can_downgrade(*one->abi))
      continue;
    auto made = downgrade_state(*one->abi, saved.bytes, saved.version, older);
    if (made)
      return saved_state{std::move(*made), older};
    last = {errc::internal, "version " + one->version + " can't take the state back: " + made.error().what};
  }
  return last;
}

expected<opened_state> open_by(const hosted_type& version, const std::vector<const hosted_type*>& others,
                               const saved_state& saved) {
  std::optional<saved_state> older;
  if (!saved.bytes.empty() && saved.version > version.abi->state_version) {
    auto made = downgraded(others, saved, version.abi->state_version);
    if (!made)
      return made.error();
    older = std::move(*made);
  }
  const auto& from = older ? *older : saved;
  auto opened = entity_instance::open(*version.abi, from.bytes, from.version);
  if (!opened)
    return opened.error();
  return opened_state{std::move(*opened), &version, std::move(older), {}};
}

expected<opened_state> open_saved(const served_type& type, const saved_state& saved) {
  const auto& now = type.now();
  // The usual case, without a list of the versions.
  if (saved.bytes.empty() || saved.version <= now.abi->state_version)
    if (auto opened = entity_instance::open(*now.abi, saved.bytes, saved.version))
      return opened_state{std::move(*opened), &now, {}, {}};
  const auto versions = type.versions();
  auto opened = open_by(now, versions, saved);
  if (opened)
    return opened;
  for (const auto* other : versions) {
    if (other == &now || saved.version > other->abi->state_version)
      continue;
    if (auto by_other = entity_instance::open(*other->abi, saved.bytes, saved.version))
      return opened_state{std::move(*by_other), other, {}, opened.error().what};
  }
  return opened.error();
}

} // namespace switchboard::runtime
