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
  gathering_.groups.push_back(std::move(group)); // its operations stay where they are
  gathering_.bytes += bytes;
  for (const auto& what : gathering_.groups.back())
    gathering_.index(what);
}

void lump::generation::index(const batch::operation& what) {
  touched.set(static_cast<std::size_t>(std::visit(visited_table{}, what)));
  if (const auto* put = std::get_if<entity_record>(&what))
    last[entity_name(put->type, put->id)] = &what;
  else if (const auto* gone = std::get_if<batch::entity_delete>(&what))
    last[entity_name(gone->type, gone->id)] = &what;
  else if (const auto* reply = std::get_if<reply_record>(&what))
    last[reply_name(reply->scope, reply->message_id)] = &what;
}

void lump::freeze() {
  const std::lock_guard hold{mutex_};
  frozen_ = std::exchange(gathering_, {});
  frozen_bytes_ = frozen_.bytes;
}

void lump::clear(generation& what) {
  generation gone; // freed without the lock
  const std::lock_guard hold{mutex_};
  std::swap(gone, what);
}
void lump::clear_gathering() { clear(gathering_); }
void lump::clear_frozen() { clear(frozen_); }

const batch::operation* lump::last(const std::string& name) const {
  for (const auto* one : {&gathering_, &frozen_})
    if (const auto found = one->last.find(name); found != one->last.end())
      return found->second;
  return nullptr;
}

recent<entity_record> lump::find_entity(std::string_view type, std::string_view id) const {
  const std::lock_guard hold{mutex_};
  const auto* found = last(entity_name(type, id));
  if (!found)
    return std::nullopt;
  const auto* record = std::get_if<entity_record>(found);
  return recent<entity_record>{std::in_place, record ? std::optional{*record} : std::nullopt};
}

recent<reply_record> lump::find_reply(std::string_view scope, std::string_view message_id) const {
  const std::lock_guard hold{mutex_};
  const auto* found = last(reply_name(scope, message_id));
  if (!found)
    return std::nullopt;
  return recent<reply_record>{std::in_place, std::get<reply_record>(*found)};
}

bool lump::touches(table visited) const {
  const std::lock_guard hold{mutex_};
  return (gathering_.touched | frozen_.touched).test(static_cast<std::size_t>(visited));
}

} // namespace switchboard::store
