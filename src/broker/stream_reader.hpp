// One consumer of a stream: where it reads, and what it may be sent. Acknowledgements give it credit and nothing else;
// what it was sent stays in the stream. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "broker/protocol.hpp"
#include "broker/stream_arguments.hpp"

namespace switchboard::broker {

class stream_reader {
public:
  stream_reader(std::uint32_t prefetch, stream_offset start) : prefetch_(prefetch), next_(start) {}

  stream_offset next() const noexcept { return next_; }
  bool can_take() const noexcept {
    return !stopped_ && unsettled_ < prefetch_ && link_messages_ < link_messages_max && link_bytes_ < link_bytes_max;
  }
  /// It is given the message at next(), of so much memory. The delivery's number.
  delivery_number hand(std::size_t bytes) noexcept {
    ++next_;
    ++unsettled_;
    ++link_messages_;
    link_bytes_ += bytes;
    return ++handed_;
  }
  /// What is before `first` exists no more.
  void skip_to(stream_offset first) noexcept { next_ = std::max(next_, first); }
  /// Deliveries first..last, none of which was settled before.
  void settle(delivery_number first, delivery_number last) noexcept {
    const auto end = std::min(last, handed_);
    if (first <= end)
      unsettled_ -= std::min<std::uint64_t>(end - first + 1, unsettled_);
  }
  void grant(std::size_t messages, std::size_t bytes) noexcept {
    link_messages_ -= std::min(messages, link_messages_);
    link_bytes_ -= std::min(bytes, link_bytes_);
  }
  /// It is sent nothing more.
  void stop() noexcept { stopped_ = true; }
  bool stopped() const noexcept { return stopped_; }
  std::uint64_t unsettled() const noexcept { return unsettled_; }

private:
  std::uint64_t prefetch_; ///< at least 1
  stream_offset next_;
  delivery_number handed_ = 0;
  std::uint64_t unsettled_ = 0;
  std::size_t link_messages_ = 0; ///< sent and not granted back
  std::size_t link_bytes_ = 0;
  bool stopped_ = false;
};

} // namespace switchboard::broker
