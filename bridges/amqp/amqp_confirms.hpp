// Publisher confirms and the publisher's credit, by batch: everything published in one socket read is one batch, done
// when each queue has taken its part and, if anything is durable, the log has synced it. Batches finish in order, so an
// ack is always "all up to this number". Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace switchboard::amqp {

class confirms {
public:
  struct mark {
    std::uint16_t channel = 0;
    std::uint64_t up_to = 0; ///< last publish number of that channel in the batch
  };

  /// Token of the batch that open() will make next.
  std::uint64_t next_token() const noexcept { return first_ + batches_.size(); }
  void open(std::uint32_t waits_for, std::size_t bytes, std::vector<mark> marks) {
    batches_.push_back({waits_for, bytes, std::move(marks)});
    bytes_ += bytes;
  }
  /// One of the things the batch waits for has happened. Unknown tokens are ignored.
  void step(std::uint64_t token) {
    if (token >= first_ && token - first_ < batches_.size() && batches_[token - first_].waits_for > 0)
      --batches_[token - first_].waits_for;
  }
  /// The channel is closed: whoever opens its number next is not told of its publishes.
  void forget(std::uint16_t channel) {
    for (auto& at : batches_)
      std::erase_if(at.marks, [&](const mark& one) { return one.channel == channel; });
  }
  /// Marks of all batches that are done, in order; takes them out.
  template <class Sink>
  void finish(Sink&& sink) {
    for (; !batches_.empty() && batches_.front().waits_for == 0; batches_.pop_front(), ++first_) {
      bytes_ -= batches_.front().bytes;
      for (const auto& at : batches_.front().marks)
        sink(at);
    }
  }
  /// Bytes on their way.
  std::size_t bytes() const noexcept { return bytes_; }
  bool empty() const noexcept { return batches_.empty(); }

private:
  struct batch {
    std::uint32_t waits_for = 0;
    std::size_t bytes = 0;
    std::vector<mark> marks;
  };
  std::deque<batch> batches_;
  std::uint64_t first_ = 1;
  std::size_t bytes_ = 0;
};

} // namespace switchboard::amqp
