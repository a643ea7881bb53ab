#include "runtime/metrics.hpp"

#include <sstream>

#include <prometheus/text_serializer.h>

#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

auto& counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

auto& gauges(prometheus::Registry& registry, const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

auto& histograms(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
}

} // namespace

metrics::metrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      amqp_published(
          counters(*registry_, "switchboard_amqp_messages_published_total", "Messages taken from AMQP publishers.")),
      amqp_delivered(
          counters(*registry_, "switchboard_amqp_messages_delivered_total", "Messages written to AMQP consumers.")),
      connections(gauges(*registry_, "switchboard_connections", "Open connections.")),
      connections_refused(
          counters(*registry_, "switchboard_connections_refused_total", "Connections refused, by reason.")),
      requests(counters(*registry_, "switchboard_requests_total", "Requests answered by services of this node.")),
      request_seconds(histograms(*registry_, "switchboard_request_seconds",
                                 "Time from a request's arrival at its service to its answer.")),
      events(counters(*registry_, "switchboard_events_total", "Events published by entities.")),
      entities_failed(counters(*registry_, "switchboard_entity_failures_total",
                               "Decisions that failed; nothing of them was kept.")),
      restarts(counters(*registry_, "switchboard_actor_restarts_total", "Actors started again by their supervisor.")),
      parked(counters(*registry_, "switchboard_actor_parked_total",
                      "Actors and entities given up for now after too many failures.")),
      handlers_slow(counters(*registry_, "switchboard_handlers_slow_total",
                             "Handlers of actors that took longer than node.handler_max.")),
      circuit_open(gauges(*registry_, "switchboard_circuit_open",
                          "1 while requests to the service are refused because it did not answer.")),
      pushed(counters(*registry_, "switchboard_pushed_total", "Events pushed to subscribers.")),
      dropped(counters(*registry_, "switchboard_dropped_total", "Messages dropped, by reason.")),
      http_requests(counters(*registry_, "switchboard_http_requests_total", "HTTP requests answered.")),
      webhook_attempts(counters(*registry_, "switchboard_webhook_attempts_total", "Attempts to deliver a webhook.")),
      log_lines_lost(counters(*registry_, "switchboard_log_lines_lost_total",
                              "Log lines overwritten because the log thread could not keep up.")
                         .Add({})) {}

void metrics::on_collect(std::function<void(metrics&)> refresh) {
  const std::lock_guard hold{mutex_};
  refreshers_.push_back(std::move(refresh));
}

prometheus::Family<prometheus::Gauge>& metrics::gauge(const std::string& name, const std::string& help) {
  return gauges(*registry_, name, help);
}

std::string metrics::page() {
  const std::lock_guard hold{mutex_};
  for (auto& refresh : refreshers_)
    refresh(*this);
  log_lines_lost.Increment(static_cast<double>(log::lost()) - log_lines_lost.Value());
  std::ostringstream text;
  prometheus::TextSerializer{}.Serialize(text, registry_->Collect());
  return text.str();
}

} // namespace switchboard::runtime
