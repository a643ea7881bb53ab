#include "broker/stream_log.hpp"

#include <algorithm>

#include "messages/wire.hpp"

namespace switchboard::broker {

bool stream_log::closes(const chunk& last, time_point now) const noexcept {
  return now - last.time >= chunk_time_max || now < last.last || last.bytes >= chunk_bytes_max ||
         next_ - last.first >= chunk_messages_max || segment_bytes_ >= how_.segment_bytes;
}

bool stream_log::append(std::uint64_t bytes, time_point now) {
  const bool opens = chunks_.empty() || closes(chunks_.back(), now);
  if (opens) {
    const bool segment = chunks_.empty() || segment_bytes_ >= how_.segment_bytes;
    if (segment) {
      segment_bytes_ = 0;
      ++segments_;
    }
    before_bytes_ = chunks_.empty() ? 0 : chunks_.back().bytes;
    chunks_.push_back({next_, now, now, 0, segment});
  }
  auto& last = chunks_.back();
  last.bytes += bytes;
  last.last = std::max(last.last, now);
  segment_bytes_ += bytes;
  bytes_ += bytes;
  ++next_;
  return opens;
}

/// Never the last segment: it is being written.
bool stream_log::lets_go(time_point now) const noexcept {
  if (segments_ < 2)
    return false;
  if (!chunks_.front().opens_segment) // the rest of a segment that goes
    return true;
  if (how_.max_bytes && bytes_ > *how_.max_bytes)
    return true;
  if (!how_.max_age)
    return false;
  const auto end =
      std::find_if(chunks_.begin() + 1, chunks_.end(), [](const chunk& each) { return each.opens_segment; });
  return (end - 1)->last < now - *how_.max_age;
}

std::optional<stream_log::chunk> stream_log::drop(time_point now) {
  if (!lets_go(now))
    return std::nullopt;
  const auto gone = chunks_.front();
  chunks_.pop_front();
  bytes_ -= gone.bytes;
  if (chunks_.front().opens_segment)
    --segments_;
  return gone;
}

stream_offset stream_log::find(const stream_start& start) const noexcept {
  switch (start.from) {
  case stream_start::kind::first:
    return first();
  case stream_start::kind::last:
    return size() == 0 ? next_ : next_ - 1;
  case stream_start::kind::next:
    return next_;
  case stream_start::kind::offset:
    return std::max(start.offset, first());
  case stream_start::kind::time:
    break;
  }
  // Times may go back with the machine's clock, so no search by halves.
  const auto at =
      std::find_if(chunks_.begin(), chunks_.end(), [&](const chunk& each) { return each.last >= start.time; });
  return at == chunks_.end() ? next_ : at->first;
}

std::string stream_log::chunk_record() const {
  const auto& last = chunks_.back();
  std::string record;
  wire::put(record, static_cast<std::uint64_t>(last.time.time_since_epoch().count()));
  wire::put(record, before_bytes_);
  wire::put(record, static_cast<std::uint8_t>(last.opens_segment));
  return record;
}

bool stream_log::restore(stream_offset first, std::string_view record) {
  wire::reader in{record};
  const time_point time{milliseconds{static_cast<std::int64_t>(in.number<std::uint64_t>())}};
  const auto before = in.number<std::uint64_t>();
  const bool segment = in.number<std::uint8_t>() != 0;
  if (!in.ok() || !in.done())
    return false;
  if (!chunks_.empty()) {
    chunks_.back().bytes = before;
    bytes_ += before;
    segment_bytes_ += before;
  }
  if (segment || chunks_.empty()) {
    segment_bytes_ = 0;
    ++segments_;
  }
  before_bytes_ = before;
  // When its last message came was not written down, but it was within this time.
  chunks_.push_back({first, time, time + chunk_time_max, 0, segment || chunks_.empty()});
  next_ = first;
  return true;
}

void stream_log::restore_message(stream_offset at, std::uint64_t bytes) {
  if (chunks_.empty()) // its record is damaged
    restore(at, std::string(17, 0));
  chunks_.back().bytes += bytes;
  bytes_ += bytes;
  segment_bytes_ += bytes;
  next_ = at + 1;
}

} // namespace switchboard::broker
