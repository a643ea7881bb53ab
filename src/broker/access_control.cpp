#include "broker/access_control.hpp"

namespace switchboard::broker {

expected<void> access_control::change(const std::function<expected<record_changes>(access_rules&)>& edit,
                                      std::function<void()> stored) {
  std::lock_guard one{changing_};
  auto next = std::make_shared<access_rules>(*rules());
  auto changes = edit(*next);
  if (!changes)
    return changes.error();
  rules_.store(std::move(next), std::memory_order_release);
  version_.fetch_add(1, std::memory_order_acq_rel);
  if (changes->empty()) {
    if (stored)
      stored();
    return {};
  }
  auto transaction = log_->begin();
  for (auto& each : *changes) {
    if (each.bytes)
      transaction->put_topology(std::move(each.key), *std::move(each.bytes));
    else
      transaction->delete_topology(std::move(each.key));
  }
  log_->commit(std::move(transaction), std::move(stored));
  return {};
}

void access_view::refresh() {
  const auto now = from_.version();
  if (version_ == now)
    return;
  version_ = now;
  rules_ = from_.rules();
  for (auto& each : last_)
    each.known = false;
  everything_ = topics_ = false;
  const auto* who = rules_->find_user(user_);
  if (!who)
    return;
  topics_ = who->topic_permissions.contains(vhost_);
  if (const auto held = who->permissions.find(vhost_); held != who->permissions.end())
    everything_ =
        held->second.configure.matches_all() && held->second.write.matches_all() && held->second.read.matches_all();
}

bool access_view::may(action what, std::string_view resource) {
  if (everything_)
    return true;
  auto& last = last_[static_cast<std::size_t>(what)];
  if (!last.known || last.resource != resource)
    last = {std::string{resource}, rules_ && rules_->may(user_, vhost_, what, resource), true};
  return last.allowed;
}

bool access_view::may_topic(action what, std::string_view exchange, std::string_view routing_key) {
  return !topics_ || rules_->may_topic(user_, vhost_, what, exchange, routing_key);
}

} // namespace switchboard::broker
