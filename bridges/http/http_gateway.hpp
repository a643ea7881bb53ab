// The public application: every route below /v1 becomes the RPC of its service, by the node's RPC client.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <caf/actor.hpp>

#include "bridges/http/http_application.hpp"
#include "bridges/http/http_codec.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::http {

class gateway final : public application {
public:
  /// `rpc`: the node's client (runtime/rpc_client.hpp). `tokens` null: no token is valid.
  gateway(runtime::node_context& node, caf::actor rpc, std::shared_ptr<const runtime::jwt_verifier> tokens,
          gateway_rules rules);
  ~gateway() override; ///< requests under way are not answered any more

  void handle(http_request what, runtime::asio_unit& home, reply done) override;

private:
  runtime::node_context& node_;
  const std::shared_ptr<const runtime::jwt_verifier> tokens_;
  const gateway_rules rules_;
  /// Connections are no actors; on each I/O thread one actor waits for the answers of all of them.
  std::vector<caf::actor> waiters_;
};

} // namespace switchboard::http
