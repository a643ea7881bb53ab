// An HTTP listener: binds, accepts, and gives each connection to a session on the I/O threads in turn. The node runs
// two, the public one with the gateway and the operator's with the admin pages. Guarantee: an answer only after the
// service's; a repeat with the same Idempotency-Key has no second effect.
#pragma once

#include <memory>

#include "bridges/http/http_admin.hpp"
#include "bridges/http/http_gateway.hpp"
#include "bridges/http/http_options.hpp"
#include "runtime/bridge.hpp"
#include "runtime/upgrade.hpp"

namespace switchboard::http {

class listener_state;
class acceptor;

class http_bridge final : public runtime::bridge {
public:
  /// `upgrade`: who takes WebSocket upgrades on /ws; empty: nobody.
  http_bridge(runtime::node_context& node, options how, std::shared_ptr<application> serves,
              runtime::upgrade_handler upgrade = {});
  ~http_bridge() override;

  expected<void> start() override;
  /// Closes the listening socket and idle connections; the others close after their answer.
  void drain() override;
  void stop(std::chrono::milliseconds grace) override;
  std::string address() const override; ///< "http://127.0.0.1:8080"
  std::uint16_t port() const noexcept { return port_; }

private:
  const std::shared_ptr<listener_state> state_;
  const std::shared_ptr<acceptor> acceptor_;
  std::uint16_t port_ = 0;
};

} // namespace switchboard::http
