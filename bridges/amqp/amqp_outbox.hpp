// Bytes on their way to a client, in order: frames one after the other in one string, and between them the large bodies
// where they are, in their messages. Pure: who writes them asks for the pieces and says how much has gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "messages/message.hpp"

namespace switchboard::amqp {

class outbox {
public:
  /// From this size on, a body is not copied: looking after it costs about as much as copying so many bytes.
  static constexpr std::size_t by_reference_min = 8192;

  /// Frames are appended here.
  std::string& frames() noexcept { return frames_; }
  /// Puts the body's frames behind what is there, without copying the body.
  void append_body(std::uint16_t channel, const message_ptr& what, std::uint32_t frame_max);

  /// Bytes that have not gone.
  std::size_t size() const noexcept { return frames_.size() + apart_ - gone_; }
  bool empty() const noexcept { return size() == 0; }

  /// Pieces of what goes next, as many as there are places for; how many that is. Valid until something changes here.
  std::size_t peek(std::span<std::string_view> out) const noexcept;
  /// So much has gone, from the front. Lets go of all memory but a string of `keep` bytes when that was all.
  void drop(std::size_t bytes, std::size_t keep);

private:
  /// Part of a body, in its place: before that byte of frames_.
  struct splice {
    std::size_t before;
    std::string_view part;
    message_ptr owner;
  };

  std::string frames_;
  std::vector<splice> splices_;
  std::size_t apart_ = 0;       ///< bytes of all splices
  std::size_t gone_ = 0;        ///< of all
  std::size_t frames_gone_ = 0; ///< of frames_
  std::size_t splice_gone_ = 0; ///< of the splice that is next
  std::size_t next_ = 0;        ///< that splice
};

} // namespace switchboard::amqp
