// The operator's way to dead letters, below /api/dead-letters of the admin listener: look at them, send them back to
// the queue where they died, drop them. A queue for dead letters is one whose name ends in ".dead" (broker/retry.hpp);
// {queue} is its name, or that of the queue it stands beside.
//
//   GET    /api/dead-letters                       ?queue= &vhost= &limit=100 &skip=0: the queues, and their letters
//   GET    /api/dead-letters/{queue}/{id}          one, with properties and body
//   POST   /api/dead-letters/{queue}/replay        {"ids":["17"]}; {} is all of them
//   DELETE /api/dead-letters/{queue}[/{id}]        one, or all of them
//
// Bodies are customers' data, so unlike the other pages these ask who is there: peers on this machine, else a user of
// the management API who administers (HTTP Basic). Changes must be application/json or DELETE, which no web page
// elsewhere can make a browser send.
#pragma once

#include <string>
#include <string_view>

#include <caf/actor.hpp>

#include "bridges/http/http_application.hpp"
#include "runtime/node_context.hpp"

namespace switchboard::http {

class dead_letters final : public application {
public:
  /// `loopback_user` may log in from this machine only.
  dead_letters(runtime::node_context& node, std::string loopback_user);
  ~dead_letters() override; ///< requests under way are not answered any more

  void handle(http_request what, runtime::asio_unit& home, reply done) override;
  static bool serves(std::string_view path) noexcept;

private:
  runtime::node_context& node_;
  const std::string loopback_user_;
  caf::actor desk_;
};

} // namespace switchboard::http
