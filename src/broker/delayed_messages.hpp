// The messages of one x-delayed-message exchange (RabbitMQ's plugin of that name) that wait for their time: how long
// one waits, what is written into it meanwhile, and whose turn it is. Pure: time comes from outside.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "broker/endpoint.hpp"
#include "messages/message.hpp"

namespace switchboard::broker {

/// How long a message with that header table (bytes without length) waits: its x-delay. Empty if that is missing, no
/// number, not positive or over 2^32-1 ms, as in the plugin; then it is routed at once.
std::optional<milliseconds> delay_of(std::string_view headers);
/// The same of a whole message.
std::optional<milliseconds> delay_of(const message& what);

/// The message as it waits in the log: with the moment at which it is due.
message_ptr with_due_time(const message& what, time_point due);
/// Empty if it has none.
std::optional<time_point> due_time_of(const message& what);
/// The message as it goes on: without the due time, its x-delay negated, so that it is not delayed again.
message_ptr without_delay(const message& what);

class delayed_messages {
public:
  struct item {
    message_ptr message;
    position at = 0; ///< in the log; 0: not there
  };

  void add(time_point due, item what);
  /// Takes out at most `count` that are due: by due time, those of one moment in the order in which they came.
  std::vector<item> take_due(time_point now, std::size_t count);
  /// When the next one is due.
  std::optional<time_point> next() const;

  std::size_t size() const noexcept { return waiting_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }

private:
  std::multimap<time_point, item> waiting_; ///< equal keys stay in order of insertion
  std::size_t bytes_ = 0;
};

} // namespace switchboard::broker
