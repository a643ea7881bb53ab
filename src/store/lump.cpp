#include "store/lump.hpp"

#include <utility>

#include "store/key.hpp"

namespace switchboard::store {

namespace {

std::string entity_name(std::string_view type, std::string_view id) {
  return 'e' + std::string{entity_key(type, id).view()};
}

std::string reply_name(std::string_view scope, std::string_view message_id) {
  return 'r' + std::string{reply_key(scope, message_id).view()};
}

/// The table that a visit walks to see what the operation changes.
struct visited_table {
  table operator()(const batch::message_put&) const { return table::messages; }
  table operator()(const batch::message_delete&) const { return table::messages; }
  table operator()(const batch::queue_delete&) const { return table::messages; }
  table operator()(const batch::topology_put&) const { return table::topology; }
  table operator()(const batch::topology_delete&) const { return table::topology; }
  table operator()(const entity_record&) const { return table::entities_by_time; }
  table operator()(const batch::entity_delete&) const { return table::entities_by_time; }
  table operator()(const journal_record&) const { return table::journal; }
  table operator()(const reply_record&) const { return table::replies; }
  table operator()(const timer_record&) const { return table::timers; }
  table operator()(const batch::timer_delete&) const { return table::timers; }
  table operator()(const batch::timers_delete&) const { return table::timers; }
  table operator()(const outbox_record&) const { return table::outbox; }
  table operator()(const batch::outbox_delete&) const { return table::outbox; }
};

} // namespace

void lump::add(operations group, std::size_t bytes) {
  const std::lock_guard hold{mutex_};
  groups_.push_back(std::move(group)); // its operations stay where they are
  bytes_ += bytes;
  for (const auto& what : groups_.back()) {
    touched_.set(static_cast<std::size_t>(std::visit(visited_table{}, what)));
    index(what);
  }
}

void lump::index(const batch::operation& what) {
  if (const auto* put = std::get_if<entity_record>(&what))
    last_[entity_name(put->type, put->id)] = &what;
  else if (const auto* gone = std::get_if<batch::entity_delete>(&what))
    last_[entity_name(gone->type, gone->id)] = &what;
  else if (const auto* reply = std::get_if<reply_record>(&what))
    last_[reply_name(reply->scope, reply->message_id)] = &what;
}

void lump::clear() {
  std::vector<operations> gone; // freed without the lock
  const std::lock_guard hold{mutex_};
  gone.swap(groups_);
  bytes_ = 0;
  last_.clear();
  touched_.reset();
}

recent<entity_record> lump::find_entity(std::string_view type, std::string_view id) const {
  const std::lock_guard hold{mutex_};
  const auto found = last_.empty() ? last_.end() : last_.find(entity_name(type, id));
  if (found == last_.end())
    return std::nullopt;
  const auto* record = std::get_if<entity_record>(found->second);
  return recent<entity_record>{std::in_place, record ? std::optional{*record} : std::nullopt};
}

recent<reply_record> lump::find_reply(std::string_view scope, std::string_view message_id) const {
  const std::lock_guard hold{mutex_};
  const auto found = last_.empty() ? last_.end() : last_.find(reply_name(scope, message_id));
  if (found == last_.end())
    return std::nullopt;
  return recent<reply_record>{std::in_place, std::get<reply_record>(*found->second)};
}

bool lump::touches(table visited) const {
  const std::lock_guard hold{mutex_};
  return touched_.test(static_cast<std::size_t>(visited));
}

} // namespace switchboard::store
