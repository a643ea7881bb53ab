// The contract of every bridge (LavinMQ's four verbs): translate between a transport and the broker, decide nothing.
#pragma once

#include <chrono>
#include <string>

#include "base/expected.hpp"

namespace switchboard::runtime {

class bridge {
public:
  virtual ~bridge() = default;
  /// Binds and listens. errc::io_failed with address and cause ("address already in use") if it can't; then nothing
  /// runs.
  virtual expected<void> start() = 0;
  /// Takes no new connections or requests; what is under way goes on. Idempotent.
  virtual void drain() = 0;
  /// Closes what is left, in the protocol's own way. Blocks until done or `grace` is over. Idempotent.
  virtual void stop(std::chrono::milliseconds grace) = 0;
  /// Where it listens, e.g. "amqp://127.0.0.1:5672"; with the real port if 0 was configured. Valid after start().
  virtual std::string address() const = 0;
};

} // namespace switchboard::runtime
