// The operator's application: metrics, health, live actors; RabbitMQ's management API is management.hpp's. These pages
// only show and have no authentication, so their listener belongs on loopback or a private network.
//
//   /            links                      /healthz     200 as long as the process serves
//   /metrics     Prometheus text 0.0.4      /readyz      200, or 503 and the reason
//   /api/actors  ?prefix=/services&limit=1000
//   /api/dead-letters                              see dead_letters.hpp: these can be changed, and ask who is there
//   /api/plugins, /api/entities/…/history          see operator_pages.hpp: likewise
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bridges/http/http_application.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::http {

class admin final : public application {
public:
  /// Why the node is not ready to serve, if so. Thread-safe. Draining is known here already.
  using readiness = std::function<std::optional<std::string>()>;

  /// `api`: who serves RabbitMQ's management API below /api; null: nobody.
  explicit admin(runtime::node_context& node, std::shared_ptr<application> api = {}, readiness not_ready = {},
                 std::shared_ptr<application> letters = {}, std::shared_ptr<application> operators = {});
  void handle(http_request what, runtime::asio_unit& home, reply done) override;

private:
  http_answer answer(const http_request& what);
  http_answer ready() const;
  http_answer actors(const http_request& what) const;

  runtime::node_context& node_;
  const std::shared_ptr<application> api_;
  const std::shared_ptr<application> letters_;
  const std::shared_ptr<application> operators_;
  const readiness not_ready_;
};

} // namespace switchboard::http
