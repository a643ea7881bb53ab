#include "runtime/circuits.hpp"

#include "base/random.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

/// Names come from whoever declares queues; the rest share one label.
constexpr std::size_t labels_max = 64;

} // namespace

circuits::leave circuits::ask(const std::string& service, milliseconds timeout, clock_time now) {
  const auto found = broken_.find(service);
  if (found == broken_.end())
    return leave::normal;
  if (timeout < counted_from && found->second.now() != circuit_breaker::phase::closed)
    return leave::refused;
  return found->second.ask(now);
}

milliseconds circuits::left(const std::string& service, clock_time now) const {
  const auto found = broken_.find(service);
  return found == broken_.end() ? milliseconds{0} : found->second.left(now);
}

void circuits::withdrawn(const std::string& service) {
  if (const auto found = broken_.find(service); found != broken_.end())
    found->second.probe_withdrawn();
}

void circuits::answered(std::string_view service) {
  if (broken_.empty())
    return;
  const auto found = broken_.find(std::string{service});
  if (found == broken_.end())
    return;
  if (found->second.answered()) {
    log::info("circuit_closed", {{"service", service}});
    gauge(found->first).Decrement();
  }
  broken_.erase(found);
}

void circuits::timed_out(const std::string& service, leave under, milliseconds timeout, clock_time now) {
  if (timeout < counted_from || !broken_.try_emplace(service).first->second.timed_out(under, now, random_bits()))
    return;
  log::warning("circuit_open", {{"service", service},
                                {"reason", under == leave::probe ? "the probe got no answer" : "no answers"},
                                {"probe_ms", left(service, now).count()}});
  if (under != leave::probe) // else it is open for the metric already
    gauge(service).Increment();
}

prometheus::Gauge& circuits::gauge(const std::string& service) {
  const bool own = labels_.contains(service) || (labels_.size() < labels_max && labels_.insert(service).second);
  return metrics_.circuit_open.Add({{"service", own ? service : "other"}});
}

} // namespace switchboard::runtime
