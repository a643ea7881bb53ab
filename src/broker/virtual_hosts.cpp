#include "broker/virtual_hosts.hpp"

#include <caf/scoped_actor.hpp>

#include "broker/errors.hpp"
#include "broker/protocol.hpp"
#include "broker/queue_actor.hpp"

namespace switchboard::broker {

expected<std::unique_ptr<virtual_hosts>> virtual_hosts::start(caf::actor_system& system, homes where,
                                                              std::shared_ptr<durable_log> log, limits bounds) {
  std::unique_ptr<virtual_hosts> made{new virtual_hosts};
  made->system_ = &system;
  made->where_ = std::move(where);
  made->log_ = std::move(log);
  made->bounds_ = bounds;
  access_rules rules;
  std::map<std::string, std::vector<topology_record>, std::less<>> records;
  expected<void> intact;
  auto read = made->log_->each_topology([&](std::string_view key, std::string_view bytes) {
    if (!intact)
      return;
    if (access_rules::is_record(key)) {
      intact = rules.restore(key, bytes);
      return;
    }
    auto record = decode_record(key, bytes);
    if (!record)
      intact = record.error();
    else
      records[record->vhost].push_back(std::move(*record));
  });
  if (!read)
    return read.error();
  if (!intact)
    return intact.error();
  const bool first = !rules.find_vhost(default_vhost);
  made->access_ = std::make_unique<access_control>(made->log_, std::move(rules));
  if (first) {
    auto added = made->access_->change(
        [](access_rules& now) { return now.put_vhost(std::string{default_vhost}, "Default virtual host", {}); });
    if (!added)
      return added.error();
  }
  if (auto dropped = drop_pages(*made->log_); !dropped)
    return dropped.error();
  const auto now = made->access_->rules();
  for (const auto& [name, settings] : now->vhosts())
    if (auto started = made->start_one(name, std::move(records[name])); !started)
      return started.error();
  made->standard_ = made->find(default_vhost);
  return made;
}

expected<broker_ptr> virtual_hosts::start_one(std::string name, std::vector<topology_record> records) {
  auto started = broker::start(*system_, where_, log_, bounds_, name, std::move(records));
  if (!started)
    return started.error();
  std::lock_guard guard{mutex_};
  brokers_.insert_or_assign(std::move(name), *started);
  return *started;
}

broker_ptr virtual_hosts::find(std::string_view name) const {
  std::lock_guard guard{mutex_};
  const auto found = brokers_.find(name);
  return found == brokers_.end() ? nullptr : found->second;
}

std::vector<broker_ptr> virtual_hosts::all() const {
  std::lock_guard guard{mutex_};
  std::vector<broker_ptr> all;
  for (const auto& [name, at] : brokers_)
    all.push_back(at);
  return all;
}

void virtual_hosts::each_started(std::function<void(const broker_ptr&)> see) {
  std::lock_guard one{changing_};
  for (const auto& at : all())
    see(at);
  see_ = std::move(see);
}

expected<void> virtual_hosts::put(std::string name, std::string description, std::vector<std::string> tags,
                                  std::function<void()> stored) {
  std::lock_guard one{changing_};
  // The record first: what is declared in the new vhost is written behind it.
  auto done =
      access_->change([&](access_rules& now) { return now.put_vhost(name, std::move(description), std::move(tags)); },
                      std::move(stored));
  if (!done || find(name))
    return done;
  auto started = start_one(std::move(name), {});
  if (!started)
    return started.error();
  if (see_)
    see_(*started);
  return {};
}

expected<void> virtual_hosts::empty(const broker& gone) {
  caf::scoped_actor self{*system_};
  expected<void> outcome;
  self->request(gone.topology(), caf::infinite, delete_everything{})
      .receive([](const everything_deleted&) {}, [&](const caf::error& why) { outcome = from_caf(why); });
  return outcome;
}

expected<void> virtual_hosts::remove(std::string_view name, std::function<void()> stored) {
  std::lock_guard one{changing_};
  if (name == default_vhost)
    return {errc::access_refused, "the vhost '/' can't be deleted: services and actors live there"};
  const auto gone = find(name);
  // What was in it first, its own record last: a crash in between leaves a vhost that can be deleted again.
  if (gone)
    if (auto emptied = empty(*gone); !emptied)
      return emptied;
  auto done = access_->change([&](access_rules& now) { return now.delete_vhost(name); }, std::move(stored));
  if (!done)
    return done;
  std::lock_guard guard{mutex_};
  brokers_.erase(std::string{name});
  return {};
}

} // namespace switchboard::broker
