#include "broker/deduplication.hpp"

#include "messages/wire.hpp"

namespace switchboard::broker {

bool deduplication::enter(std::string_view id, instant now) {
  if (id.empty())
    return true;
  forget_expired(now);
  return known_.try_emplace(std::string{id}).second;
}

void deduplication::leave(std::string_view id, instant now) {
  const auto found = known_.find(std::string{id});
  if (found == known_.end() || found->second.until != instant{})
    return;
  found->second.until = now + window_;
  by_time_.emplace_back(found->second.until, id);
  unwritten_.emplace_back(id);
  if (by_time_.size() > ids_max)
    forget_oldest();
}

void deduplication::restore(std::string id, instant until, position record) {
  auto& known = known_[id];
  if (known.record != 0)
    old_records_.push_back(known.record);
  known = {until, record};
  by_time_.emplace_back(until, std::move(id)); // the log gives them in the order in which they left
}

void deduplication::forget_expired(instant now) {
  while (!by_time_.empty() && by_time_.front().first <= now)
    forget_oldest();
}

void deduplication::forget_oldest() {
  const auto [until, id] = std::move(by_time_.front());
  by_time_.pop_front();
  const auto found = known_.find(id);
  if (found == known_.end() || found->second.until != until)
    return;
  if (found->second.record != 0)
    old_records_.push_back(found->second.record);
  known_.erase(found);
}

message_ptr encode_id(const id_record& what) {
  std::string bytes;
  wire::put(bytes, static_cast<std::uint64_t>(what.until.time_since_epoch().count()));
  return make_message("", "", {}, bytes + what.id, true);
}

std::optional<id_record> decode_id(const message& what) {
  wire::reader from{what.body()};
  const auto until = static_cast<milliseconds::rep>(from.number<std::uint64_t>());
  if (!from.ok())
    return std::nullopt;
  return id_record{std::string{what.body().substr(sizeof(std::uint64_t))}, time_point{milliseconds{until}}};
}

} // namespace switchboard::broker
