// Publisher confirms and the publisher's credit, by batch: everything published in one socket read is one batch, done
// when each queue has taken its part and, if anything is durable, the log has synced it. Batches finish in order, so an
// ack is always "all up to this number". Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace switchboard::amqp {

class confirms {
public:
  struct mark {
    std::uint16_t channel = 0;
    std::uint64_t up_to = 0;            ///< last publish number of that channel in the batch
    std::vector<std::uint64_t> refused; ///< those of them to say basic.nack of, rising
    bool commit = false;                ///< ends a transaction: tx.commit-ok is due, or an error if any is refused
  };
  /// Publishes of one channel without a gap, by the publisher's ordinal.
  struct run {
    std::uint32_t ordinal = 0;
    std::uint16_t channel = 0;
    std::uint64_t number = 0; ///< 0 in a transaction, whose publishes have none
  };

  /// Token of the batch that open() will make next.
  std::uint64_t next_token() const noexcept { return first_ + batches_.size(); }
  /// `runs` rise by ordinal.
  void open(std::uint32_t waits_for, std::size_t bytes, std::vector<mark> marks, std::vector<run> runs) {
    batches_.push_back({waits_for, bytes, std::move(marks), std::move(runs)});
    bytes_ += bytes;
  }
  /// A queue was full: these publishes of the batch, by ordinal, are to be refused.
  void refuse(std::uint64_t token, const std::vector<std::uint32_t>& ordinals) {
    if (token < first_ || token - first_ >= batches_.size())
      return;
    auto& batch = batches_[token - first_];
    for (const auto ordinal : ordinals) {
      const auto next = std::upper_bound(batch.runs.begin(), batch.runs.end(), ordinal,
                                         [](std::uint32_t wanted, const run& one) { return wanted < one.ordinal; });
      if (next == batch.runs.begin())
        continue;
      const auto& in = *(next - 1);
      const auto number = in.number == 0 ? 0 : in.number + (ordinal - in.ordinal);
      for (auto& one : batch.marks)
        if (one.channel == in.channel && number <= one.up_to) { // the first that covers it
          if (const auto at = std::lower_bound(one.refused.begin(), one.refused.end(), number);
              at == one.refused.end() || *at != number)
            one.refused.insert(at, number);
          break;
        }
    }
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
    std::vector<run> runs;
  };
  std::deque<batch> batches_;
  std::uint64_t first_ = 1;
  std::size_t bytes_ = 0;
};

} // namespace switchboard::amqp
