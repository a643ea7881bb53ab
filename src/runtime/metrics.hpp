// All metrics of the node in one prometheus-cpp registry, each declared once, here, with its help. Names follow
// Prometheus's rules (base units, _total for counters); labels only from small fixed sets, never ids.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace switchboard::runtime {

class metrics {
  std::shared_ptr<prometheus::Registry> registry_; // first: the families below live in it

public:
  metrics();

  prometheus::Family<prometheus::Counter>& amqp_published; ///< switchboard_amqp_messages_published_total
  prometheus::Family<prometheus::Counter>& amqp_delivered; ///< switchboard_amqp_messages_delivered_total
  prometheus::Family<prometheus::Gauge>& connections;      ///< switchboard_connections{bridge}
  prometheus::Family<prometheus::Counter>&
      connections_refused;                                    ///< switchboard_connections_refused_total{bridge,reason}
  prometheus::Family<prometheus::Counter>& requests;          ///< switchboard_requests_total{service,method,status}
  prometheus::Family<prometheus::Histogram>& request_seconds; ///< switchboard_request_seconds{service}
  prometheus::Family<prometheus::Counter>& events;            ///< switchboard_events_total{type}
  prometheus::Family<prometheus::Counter>& entities_failed;   ///< switchboard_entity_failures_total{type}
  prometheus::Family<prometheus::Counter>& restarts;          ///< switchboard_actor_restarts_total{kind}
  prometheus::Family<prometheus::Counter>& parked;            ///< switchboard_actor_parked_total{kind}
  prometheus::Family<prometheus::Counter>& handlers_slow;     ///< switchboard_handlers_slow_total{kind}
  prometheus::Family<prometheus::Gauge>& circuit_open;        ///< switchboard_circuit_open{service}
  prometheus::Family<prometheus::Counter>& pushed;            ///< switchboard_pushed_total{bridge}
  prometheus::Family<prometheus::Counter>& dropped;           ///< switchboard_dropped_total{bridge,reason}
  prometheus::Family<prometheus::Counter>& http_requests;     ///< switchboard_http_requests_total{listener,status}
  prometheus::Family<prometheus::Counter>& webhook_attempts;  ///< switchboard_webhook_attempts_total{result}
  prometheus::Counter& log_lines_lost;                        ///< switchboard_log_lines_lost_total

  /// `refresh` sets gauges right before the page is made (mailboxes, store, memory). It must not call page().
  void on_collect(std::function<void(metrics&)> refresh);
  /// Declares a gauge, or finds the one declared before under that name.
  prometheus::Family<prometheus::Gauge>& gauge(const std::string& name, const std::string& help);

  /// The text page (format 0.0.4). Thread-safe.
  std::string page();

private:
  std::mutex mutex_;
  std::vector<std::function<void(metrics&)>> refreshers_;
};

} // namespace switchboard::runtime
