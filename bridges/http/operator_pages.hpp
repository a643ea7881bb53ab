// The operator's pages that wait for the store or for actors, each on a thread of its own:
//
//   GET  /api/plugins                        what is loaded, which version serves, for how many entities
//   POST /api/plugins                        {"path":"call-v2.so"}: that file's plugin serves from now on
//   POST /api/plugins/{name}/rollback        {}: the version before serves again
//   GET  /api/entities/{type}/{id}/history   ?after= &limit=100 &states=1: what it was told, decided, and what changed
//                                            ?replay=1 &until=: the whole journal decided again and compared
//
// A journal is customers' data, and a plugin is code, so these ask who is there, as dead_letters.hpp does.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "bridges/http/http_application.hpp"
#include "runtime/node_context.hpp"
#include "runtime/plugins.hpp"

namespace switchboard::http {

class operator_pages final : public application {
public:
  /// `plugins` and `entities` outlive the actor system. `loopback_user` may log in from this machine only.
  operator_pages(runtime::node_context& node, runtime::plugins& plugins, runtime::entity_hosts& entities,
                 std::string loopback_user);

  void handle(http_request what, runtime::asio_unit& home, reply done) override;
  static bool serves(std::string_view path) noexcept;

private:
  runtime::node_context& node_;
  runtime::plugins& plugins_;
  runtime::entity_hosts& entities_;
  const std::string loopback_user_;
  const std::shared_ptr<std::atomic<int>> at_work_ = std::make_shared<std::atomic<int>>(0);
};

} // namespace switchboard::http
