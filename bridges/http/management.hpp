// RabbitMQ's management API (its "HTTP API", 3.10) below /api, for what one node has: overview, connections, channels,
// consumers, exchanges, queues, bindings, users, vhosts, permissions, limits, policies, definitions; publish and get
// for tools. Paths and JSON are RabbitMQ's, so rabbitmqadmin and tools of that kind work.
//
// Who asks logs in with HTTP's Basic scheme as a user with one of RabbitMQ's tags (management, policymaker, monitoring,
// administrator). Users, vhosts, permissions and definitions are an administrator's; exchanges and queues are changed
// with the rights the user has over AMQP.
#pragma once

#include <string>
#include <string_view>

#include <caf/actor.hpp>

#include "bridges/http/http_application.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::http {

class management final : public application {
public:
  /// `loopback_user` may log in from this machine only; empty: no such user.
  management(runtime::node_context& node, std::string loopback_user);
  ~management() override; ///< requests under way are not answered any more

  void handle(http_request what, runtime::asio_unit& home, reply done) override;

  /// Whether the path is one of this API's.
  static bool serves(std::string_view path) noexcept;

private:
  runtime::node_context& node_;
  const std::string loopback_user_;
  /// Does the work, off the I/O threads: making a vhost waits for them.
  caf::actor desk_;
};

} // namespace switchboard::http
