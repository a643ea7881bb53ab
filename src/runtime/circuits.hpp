// The circuit breakers of an RPC client, one for each service that does not answer: decided in
// base/circuit_breaker.hpp, here looked up, logged (`circuit_open`, `circuit_closed`) and counted. A service that
// answers costs one failed lookup.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/circuit_breaker.hpp"
#include "runtime/metrics.hpp"

namespace switchboard::runtime {

/// Owned by one actor; not thread-safe.
class circuits {
public:
  using clock_time = circuit_breaker::clock_time;
  using leave = circuit_breaker::leave;

  explicit circuits(metrics& counts) : metrics_(counts) {}

  /// May the service be asked? `timeout`: how long whoever asks will wait. One who waits less than counted_from never
  /// gets to probe, and if nothing came it says nothing: else any client could have a service shut for all others.
  leave ask(const std::string& service, milliseconds timeout, clock_time now);
  /// How long it will be refused, at least.
  milliseconds left(const std::string& service, clock_time now) const;
  /// The probe that ask() granted was not sent.
  void withdrawn(const std::string& service);
  void answered(std::string_view service);
  void timed_out(const std::string& service, leave under, milliseconds timeout, clock_time now);

  static constexpr milliseconds counted_from{1000};

private:
  prometheus::Gauge& gauge(const std::string& service);

  metrics& metrics_;
  std::unordered_map<std::string, circuit_breaker> broken_; ///< those with a timeout since their last answer
  std::set<std::string> labels_;                            ///< service names in the metric so far
};

} // namespace switchboard::runtime
