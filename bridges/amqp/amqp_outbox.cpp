#include "bridges/amqp/amqp_outbox.hpp"

#include <algorithm>
#include <utility>

#include "bridges/amqp/amqp_codec_content.hpp"

namespace switchboard::amqp {

void outbox::append_body(std::uint16_t channel, const message_ptr& what, std::uint32_t frame_max) {
  const auto part_max = body_part_max(frame_max);
  for (auto left = what->body(); !left.empty();) {
    const auto part = left.substr(0, part_max);
    append_body_head(frames_, channel, part.size());
    splices_.push_back({frames_.size(), part, what});
    apart_ += part.size();
    frames_ += static_cast<char>(frame_end);
    left.remove_prefix(part.size());
  }
}

std::size_t outbox::peek(std::span<std::string_view> out) const noexcept {
  const std::string_view frames = frames_;
  std::size_t count = 0;
  const auto put = [&](std::string_view piece) {
    if (!piece.empty() && count < out.size())
      out[count++] = piece;
  };
  auto at = frames_gone_;
  auto skip = splice_gone_;
  for (auto each = next_; each < splices_.size() && count < out.size(); ++each) {
    const auto& now = splices_[each];
    put(frames.substr(at, now.before - at));
    put(now.part.substr(std::exchange(skip, 0)));
    at = now.before;
  }
  put(frames.substr(at));
  return count;
}

void outbox::drop(std::size_t bytes, std::size_t keep) {
  gone_ += bytes;
  if (empty()) {
    frames_.clear();
    if (frames_.capacity() > keep)
      frames_.shrink_to_fit();
    splices_.clear();
    apart_ = gone_ = frames_gone_ = splice_gone_ = next_ = 0;
    return;
  }
  while (bytes > 0) {
    const auto until = next_ < splices_.size() ? splices_[next_].before : frames_.size();
    const auto of_frames = std::min(bytes, until - frames_gone_);
    frames_gone_ += of_frames;
    bytes -= of_frames;
    if (bytes == 0)
      return;
    auto& now = splices_[next_];
    const auto of_part = std::min(bytes, now.part.size() - splice_gone_);
    splice_gone_ += of_part;
    bytes -= of_part;
    if (splice_gone_ < now.part.size())
      return;
    now.owner = {};
    splice_gone_ = 0;
    ++next_;
  }
}

} // namespace switchboard::amqp
