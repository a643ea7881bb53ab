// The map of this file: predeclared exchanges, exchanges, queues, bindings, taking things out, restoring, inspection.
#include "broker/topology.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/random.hpp"
#include "broker/amqp_reply.hpp"
#include "broker/destinations.hpp"
#include "broker/topology_rules.hpp"
#include "messages/wire.hpp"

namespace switchboard::broker {

namespace {

struct predeclared {
  std::string_view name;
  std::string_view type;
  bool internal;
};
constexpr predeclared predeclared_exchanges[] = {
    {"", "direct", false},
    {"amq.direct", "direct", false},
    {"amq.fanout", "fanout", false},
    {"amq.topic", "topic", false},
    {"amq.headers", "headers", false},
    {"amq.match", "headers", false},
    {"amq.rabbitmq.trace", "topic", true},
};

bool is_predeclared(std::string_view name) {
  return std::any_of(std::begin(predeclared_exchanges), std::end(predeclared_exchanges),
                     [&](const predeclared& each) { return each.name == name; });
}

/// Random, so that no client guesses another's queue.
std::string server_made_name() { return "amq.gen-" + random_name(); }

/// What the identities of all bindings of that source begin with.
std::string source_prefix(std::string_view source) {
  std::string prefix;
  wire::put_long_string(prefix, source);
  return prefix;
}

binding_spec cleaned(const binding_spec& spec) {
  auto clean = spec;
  clean.source = clean_name(spec.source);
  clean.destination = clean_name(spec.destination);
  return clean;
}

expected<void> check_no_default(const binding_spec& spec) {
  if (spec.to_exchange)
    if (auto good = check_not_default(spec.destination); !good)
      return good;
  return check_not_default(spec.source);
}

error corrupt(std::string_view what, std::string_view name) {
  return {errc::corrupt,
          "topology record of " + std::string{what} + " '" + std::string{name} + "' doesn't fit the others"};
}

} // namespace

topology::topology(std::string vhost) : vhost_(std::move(vhost)) {
  for (const auto& each : predeclared_exchanges)
    add_exchange(
        {.name = std::string{each.name}, .type = std::string{each.type}, .durable = true, .internal = each.internal});
}

// -- exchanges ------------------------------------------------------------------------------------------------------

expected<record_changes> topology::declare_exchange(const exchange_spec& asked, bool passive, const make_delay& make) {
  auto spec = asked;
  spec.name = clean_name(asked.name);
  if (!passive)
    if (auto good = check_exchange_type(spec); !good)
      return good.error();
  if (auto good = check_not_default(spec.name); !good)
    return good.error();
  const auto held = exchanges_.find(spec.name);
  if (held == exchanges_.end()) {
    if (passive)
      return not_found("no " + named("exchange", spec.name, vhost_));
    if (auto good = check_new_name("exchange", spec.name); !good)
      return good.error();
    if (auto good = check_new_exchange(spec, vhost_); !good)
      return good.error();
    auto delay = spec.type == delayed_type && make ? make(spec) : nullptr;
    const auto number = delay ? delay->number : queue_number{0};
    add_exchange(spec, std::move(delay));
    if (!spec.durable)
      return record_changes{};
    return record_changes{{exchange_key(vhost_, spec.name), encode_exchange(spec, number)}};
  }
  if (!passive)
    if (auto same = check_same_exchange(held->second.spec, spec, vhost_); !same)
      return same.error();
  return record_changes{};
}

expected<record_changes> topology::delete_exchange(std::string_view asked, bool if_unused) {
  const auto name = clean_name(asked);
  if (auto good = check_not_default(name); !good)
    return good.error();
  if (name.starts_with("amq."))
    return access_refused("deletion of system " + named("exchange", name, vhost_) + " not allowed");
  const auto held = exchanges_.find(name);
  record_changes changes;
  if (held == exchanges_.end())
    return changes;
  if (if_unused && held->second.bindings > 0)
    return precondition_failed(named("exchange", name, vhost_) + " in use");
  remove_exchanges({name}, changes);
  return changes;
}

// -- queues ---------------------------------------------------------------------------------------------------------

expected<queue_declared> topology::declare_queue(const queue_spec& asked, bool passive, const make_endpoint& make,
                                                 std::optional<std::uint64_t> queues_max) {
  auto spec = asked;
  spec.name = clean_name(asked.name);
  spec.durable = asked.durable && !asked.exclusive; // an exclusive queue goes with its connection anyway
  if (passive)
    return find_declared(spec);
  if (spec.name.empty()) {
    if (auto good = check_server_named(spec); !good)
      return good.error();
    spec.name = unused_queue_name();
    return queues_max && queues_.size() >= *queues_max ? too_many_queues(spec, *queues_max) : create_queue(spec, make);
  }
  if (spec.name.starts_with("amq.rabbitmq.reply-to")) // direct replies have no queue; sessions know the living ones
    return not_found("no " + named("queue", spec.name, vhost_));
  if (auto good = check_new_name("queue", spec.name); !good)
    return good.error();
  const auto held = queues_.find(spec.name);
  if (held == queues_.end())
    return queues_max && queues_.size() >= *queues_max ? too_many_queues(spec, *queues_max) : create_queue(spec, make);
  // Stricter than access: a queue that nobody owns can't be redeclared as somebody's either.
  if (spec.exclusive != held->second.spec.exclusive || !check_access(held->second, spec.owner))
    return locked(spec.name);
  if (auto same = check_same_queue(held->second.spec, spec, vhost_); !same)
    return same.error();
  return queue_declared{held->second.queue, false, {}};
}

expected<queue_declared> topology::too_many_queues(const queue_spec& spec, std::uint64_t queues_max) const {
  return precondition_failed("cannot declare queue '" + spec.name + "': queue limit in vhost '" + vhost_ + "' (" +
                             std::to_string(queues_max) + ") is reached");
}

expected<queue_declared> topology::find_declared(const queue_spec& spec) const {
  auto found = find_queue(spec.name, spec.owner);
  if (!found)
    return found.error();
  return queue_declared{*std::move(found), false, {}};
}

expected<queue_declared> topology::create_queue(const queue_spec& spec, const make_endpoint& make) {
  if (auto good = check_new_queue(spec, vhost_); !good)
    return good.error();
  auto queue = make(spec);
  if (!queue)
    return {errc::internal, "no endpoint was made for " + named("queue", spec.name, vhost_)};
  record_changes changes;
  if (spec.durable)
    changes.push_back({queue_key(vhost_, spec.name), encode_queue(spec, queue->number)});
  add_queue(spec, queue);
  return queue_declared{std::move(queue), true, std::move(changes)};
}

expected<queue_removed> topology::delete_queue(std::string_view asked, std::string_view owner, bool if_unused,
                                               bool if_empty, queue_counts live) {
  const auto name = clean_name(asked);
  const auto held = queues_.find(name);
  if (held == queues_.end())
    return queue_removed{};
  if (auto good = check_access(held->second, owner); !good)
    return good.error();
  if (auto good = check_deletable(held->second.spec, if_unused, if_empty, vhost_); !good)
    return good.error();
  if (if_empty && live.messages > 0)
    return precondition_failed(named("queue", name, vhost_) + " not empty");
  if (if_unused && live.consumers > 0)
    return precondition_failed(named("queue", name, vhost_) + " in use");
  return remove_queue(held);
}

queue_removed topology::drop_queue(std::string_view name, queue_number number) {
  const auto held = queues_.find(name);
  if (held == queues_.end() || held->second.queue->number != number)
    return {};
  return remove_queue(held);
}

expected<endpoint_ptr> topology::find_queue(std::string_view asked, std::string_view owner) const {
  const auto name = clean_name(asked);
  const auto held = queues_.find(name);
  if (held == queues_.end())
    return not_found("no " + named("queue", name, vhost_));
  if (auto good = check_access(held->second, owner); !good)
    return good.error();
  return held->second.queue;
}

std::vector<endpoint_ptr> topology::queues_owned_by(std::string_view owner) const {
  std::vector<endpoint_ptr> all;
  if (const auto found = owned_.find(owner); found != owned_.end())
    for (const auto name : found->second)
      all.push_back(queues_.find(name)->second.queue);
  return all;
}

error topology::locked(std::string_view name) const {
  return resource_locked("cannot obtain exclusive access to locked " + named("queue", name, vhost_) +
                         ". It could be originally declared on another connection or the exclusive property value "
                         "does not match that of the original declaration.");
}

expected<void> topology::check_access(const queue_entry& held, std::string_view owner) const {
  if (held.spec.exclusive && held.spec.owner != owner)
    return locked(held.spec.name);
  return {};
}

std::string topology::unused_queue_name() const {
  auto name = server_made_name();
  while (queues_.contains(name))
    name = server_made_name();
  return name;
}

// -- bindings -------------------------------------------------------------------------------------------------------

expected<record_changes> topology::bind(const binding_spec& asked, std::string_view owner) {
  const auto spec = cleaned(asked);
  if (auto good = check_no_default(spec); !good)
    return good.error();
  if (auto good = check_ends(spec); !good)
    return good.error();
  if (auto good = check_new_binding(exchanges_.find(spec.source)->second.spec, spec); !good)
    return good.error();
  if (auto good = check_destination_access(spec, owner); !good)
    return good.error();
  record_changes changes;
  auto identity = binding_identity(spec);
  if (bindings_.contains(identity))
    return changes;
  if (is_durable(spec))
    changes.push_back({binding_key(vhost_, next_binding_), encode_binding(spec)});
  add_binding(std::move(identity), spec, next_binding_);
  return changes;
}

expected<record_changes> topology::unbind(const binding_spec& asked, std::string_view owner) {
  const auto spec = cleaned(asked);
  if (auto good = check_no_default(spec); !good)
    return good.error();
  record_changes changes;
  const auto held = bindings_.find(binding_identity(spec));
  if (held == bindings_.end())
    return changes;
  if (auto good = check_destination_access(spec, owner); !good)
    return good.error();
  std::vector<std::string> unused;
  remove_binding(held, changes, unused);
  remove_exchanges(std::move(unused), changes);
  return changes;
}

bool topology::has_ends(const binding_spec& spec) const {
  return exchanges_.contains(spec.source) &&
         (spec.to_exchange ? exchanges_.contains(spec.destination) : queues_.contains(spec.destination));
}

expected<void> topology::check_ends(const binding_spec& spec) const {
  if (has_ends(spec))
    return {};
  if (!exchanges_.contains(spec.source))
    return not_found("no " + named("exchange", spec.source, vhost_));
  return not_found("no " + named(spec.to_exchange ? "exchange" : "queue", spec.destination, vhost_));
}

expected<void> topology::check_destination_access(const binding_spec& spec, std::string_view owner) const {
  return spec.to_exchange ? expected<void>{} : check_access(queues_.find(spec.destination)->second, owner);
}

bool topology::is_durable(const binding_spec& spec) const {
  const bool destination = spec.to_exchange ? exchanges_.find(spec.destination)->second.spec.durable
                                            : queues_.find(spec.destination)->second.spec.durable;
  return destination && exchanges_.find(spec.source)->second.spec.durable;
}

// -- putting in and taking out --------------------------------------------------------------------------------------

void topology::add_exchange(const exchange_spec& spec, endpoint_ptr delay) {
  auto& added = exchanges_[spec.name];
  added.spec = spec;
  added.delay = delay;
  routes_.add_exchange(spec, std::move(delay));
  if (!policies_.empty())
    apply_policies_to(spec);
}

void topology::add_queue(const queue_spec& spec, endpoint_ptr queue) {
  routes_.add_queue(queue);
  const auto added =
      queues_.insert_or_assign(spec.name, queue_entry{spec, std::move(queue), effective_arguments(spec)}).first;
  if (spec.exclusive)
    owned_[spec.owner].insert(added->first);
}

void topology::add_binding(std::string identity, const binding_spec& spec, binding_number number) {
  const auto added = bindings_.emplace(std::move(identity), binding_entry{spec, number, is_durable(spec)}).first;
  bindings_to_[end_key(spec)].insert(added->first);
  ++exchanges_.find(spec.source)->second.bindings;
  next_binding_ = std::max(next_binding_, number + 1);
  routes_.bind(spec);
}

queue_removed topology::remove_queue(queue_map::iterator at) {
  queue_removed removed{at->second.queue, {}};
  std::vector<std::string> unused;
  remove_bindings_to(end_key(false, at->first), removed.changes, unused);
  if (at->second.spec.durable)
    removed.changes.push_back({queue_key(vhost_, at->first), std::nullopt});
  if (const auto owner = owned_.find(at->second.spec.owner); at->second.spec.exclusive && owner != owned_.end()) {
    owner->second.erase(at->first);
    if (owner->second.empty())
      owned_.erase(owner);
  }
  routes_.remove_queue(at->first);
  queues_.erase(at);
  remove_exchanges(std::move(unused), removed.changes);
  return removed;
}

void topology::remove_binding(binding_map::iterator at, record_changes& changes, std::vector<std::string>& unused) {
  const auto& spec = at->second.spec;
  routes_.unbind(spec);
  if (at->second.durable)
    changes.push_back({binding_key(vhost_, at->second.number), std::nullopt});
  if (const auto to = bindings_to_.find(end_key(spec)); to != bindings_to_.end()) {
    to->second.erase(at->first);
    if (to->second.empty())
      bindings_to_.erase(to);
  }
  auto& source = exchanges_.find(spec.source)->second;
  if (--source.bindings == 0 && source.spec.auto_delete)
    unused.push_back(spec.source);
  bindings_.erase(at);
}

void topology::remove_bindings_from(const std::string& source, record_changes& changes) {
  const auto prefix = source_prefix(source);
  std::vector<std::string> unused; // only the source itself, which is going anyway
  for (auto at = bindings_.lower_bound(prefix); at != bindings_.end() && at->first.starts_with(prefix);)
    remove_binding(at++, changes, unused);
}

void topology::remove_bindings_to(const std::string& end, record_changes& changes, std::vector<std::string>& unused) {
  for (auto to = bindings_to_.find(end); to != bindings_to_.end(); to = bindings_to_.find(end))
    remove_binding(bindings_.find(*to->second.begin()), changes, unused);
}

// A loop and not a recursion: a chain of auto-delete exchanges may be as long as a client likes.
void topology::remove_exchanges(std::vector<std::string> names, record_changes& changes) {
  while (!names.empty()) {
    const auto name = std::move(names.back());
    names.pop_back();
    const auto held = exchanges_.find(name);
    if (held == exchanges_.end())
      continue;
    remove_bindings_to(end_key(true, name), changes, names);
    routes_.remove_exchange(name); // all its bindings at once; taking them out one by one finds nothing there any more
    remove_bindings_from(name, changes);
    if (held->second.spec.durable)
      changes.push_back({exchange_key(vhost_, name), std::nullopt});
    if (held->second.delay)
      removed_delays_.push_back(std::move(held->second.delay));
    exchanges_.erase(held);
  }
}

// -- policies -------------------------------------------------------------------------------------------------------

expected<policy_changed> topology::put_policy(policy_kind kind, policy what) {
  if (what.name.empty())
    return {errc::bad_format, "a policy has a name"};
  if (auto good = check_policy(kind, what); !good)
    return good.error();
  record_changes changes{{policy_key(kind, vhost_, what.name), encode_policy(what)}};
  policies_.put(kind, std::move(what));
  return apply_policies(std::move(changes));
}

expected<policy_changed> topology::remove_policy(policy_kind kind, std::string_view name) {
  if (!policies_.remove(kind, name))
    return {errc::not_found, "no policy '" + std::string{name} + "' in vhost '" + vhost_ + "'"};
  return apply_policies({{policy_key(kind, vhost_, name), std::nullopt}});
}

policy_changed topology::apply_policies(record_changes changes) {
  policy_changed done{std::move(changes), {}};
  for (auto& [name, held] : queues_) {
    auto now = effective_arguments(held.spec);
    if (now == held.effective)
      continue;
    held.effective = std::move(now);
    done.queues.emplace_back(held.queue, held.effective);
  }
  for (const auto& [name, held] : exchanges_)
    apply_policies_to(held.spec);
  return done;
}

void topology::apply_policies_to(const exchange_spec& spec) {
  if (spec.name.empty())
    return;
  const auto now = policies_.effective(policy_target::exchanges, spec.name, spec.arguments);
  const auto* value = now.find("alternate-exchange");
  const auto* name = value ? value->as_string() : nullptr;
  routes_.set_alternate(spec.name, name ? std::optional{*name} : std::nullopt);
}

// -- restoring ------------------------------------------------------------------------------------------------------

expected<void> topology::restore(std::vector<topology_record> records, const restore_endpoint& make,
                                 const restore_delay& delay) {
  // Ends before bindings (what std::variant holds first comes first), and these in the order in which they were made.
  const auto rank = [](const topology_record& each) {
    const auto* binding = std::get_if<binding_record>(&each.what);
    return std::pair{each.what.index(), binding ? binding->number : binding_number{0}};
  };
  std::stable_sort(records.begin(), records.end(),
                   [&](const topology_record& left, const topology_record& right) { return rank(left) < rank(right); });
  for (const auto& each : records) {
    if (each.vhost != vhost_)
      return {errc::corrupt, "topology record of another vhost, '" + each.vhost + "'"};
    expected<void> done;
    if (const auto* policy = std::get_if<policy_record>(&each.what))
      policies_.put(policy->kind, policy->what);
    else if (const auto* exchange = std::get_if<exchange_record>(&each.what))
      done = restore_exchange(*exchange, delay);
    else if (const auto* queue = std::get_if<queue_record>(&each.what))
      done = restore_queue(*queue, make);
    else if (const auto* binding = std::get_if<binding_record>(&each.what))
      done = restore_binding(*binding);
    if (!done)
      return done;
  }
  return {};
}

expected<void> topology::restore_exchange(const exchange_record& record, const restore_delay& delay) {
  if (exchanges_.contains(record.spec.name) || !exchange_kind_of(routing_type(record.spec)))
    return corrupt("exchange", record.spec.name);
  add_exchange(record.spec, record.delay != 0 && delay ? delay(record.spec, record.delay) : nullptr);
  return {};
}

expected<void> topology::restore_queue(const queue_record& record, const restore_endpoint& make) {
  if (record.spec.name.empty() || queues_.contains(record.spec.name))
    return corrupt("queue", record.spec.name);
  auto queue = make(record.spec, record.number);
  if (!queue)
    return {errc::internal, "no endpoint was made for " + named("queue", record.spec.name, vhost_)};
  add_queue(record.spec, std::move(queue));
  return {};
}

expected<void> topology::restore_binding(const binding_record& record) {
  auto identity = binding_identity(record.spec);
  if (!has_ends(record.spec) || !check_no_default(record.spec) || bindings_.contains(identity))
    return corrupt("binding", record.spec.source + "' to '" + record.spec.destination);
  add_binding(std::move(identity), record.spec, record.number);
  return {};
}

record_changes topology::clear() {
  record_changes changes;
  for (const auto kind : {policy_kind::standard, policy_kind::bounding})
    for (const auto& [name, each] : policies_.all(kind))
      changes.push_back({policy_key(kind, vhost_, name), std::nullopt});
  for (const auto& [identity, held] : bindings_)
    if (held.durable)
      changes.push_back({binding_key(vhost_, held.number), std::nullopt});
  for (const auto& [name, held] : queues_)
    if (held.spec.durable)
      changes.push_back({queue_key(vhost_, name), std::nullopt});
  for (const auto& [name, held] : exchanges_)
    if (held.spec.durable && !is_predeclared(name))
      changes.push_back({exchange_key(vhost_, name), std::nullopt});
  *this = topology{vhost_};
  return changes;
}

// -- inspection -----------------------------------------------------------------------------------------------------

void topology::each_exchange(const std::function<void(const exchange_spec&)>& see) const {
  for (const auto& [name, held] : exchanges_)
    see(held.spec);
}

void topology::each_queue(const std::function<void(const queue_spec&, const endpoint_ptr&)>& see) const {
  for (const auto& [name, held] : queues_)
    see(held.spec, held.queue);
}

void topology::each_delay(const std::function<void(const endpoint_ptr&)>& see) const {
  for (const auto& [name, held] : exchanges_)
    if (held.delay)
      see(held.delay);
}

void topology::each_binding(const std::function<void(const binding_spec&)>& see) const {
  for (const auto& [identity, held] : bindings_)
    see(held.spec);
}

} // namespace switchboard::broker
