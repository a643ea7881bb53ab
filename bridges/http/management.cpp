// The front of the management API: who asks, and whether he may ask at all. What is asked is the desk's business.
#include "bridges/http/management.hpp"

#include <algorithm>
#include <future>

#include <boost/asio/post.hpp>
#include <caf/send.hpp>

#include "bridges/http/basic_login.hpp"
#include "bridges/http/management_desk.hpp"
#include "runtime/bearer_token.hpp"

namespace switchboard::http {

namespace {

constexpr std::string_view api_prefix = "/api/";

/// The first segments of RabbitMQ's paths; the node's own pages below /api have other names.
constexpr std::string_view api_words[] = {"overview",
                                          "whoami",
                                          "nodes",
                                          "cluster-name",
                                          "extensions",
                                          "definitions",
                                          "connections",
                                          "channels",
                                          "consumers",
                                          "exchanges",
                                          "queues",
                                          "bindings",
                                          "vhosts",
                                          "users",
                                          "permissions",
                                          "topic-permissions",
                                          "parameters",
                                          "policies",
                                          "operator-policies",
                                          "global-parameters",
                                          "vhost-limits",
                                          "user-limits",
                                          "health",
                                          "aliveness-test",
                                          "healthchecks"};

} // namespace

management::management(runtime::node_context& node, std::string loopback_user)
    : node_(node), loopback_user_(std::move(loopback_user)), desk_(spawn_management_desk(node)) {}

// Waits: queues that the desk has taken messages from are told of its end, and that must be while they still have their
// threads.
management::~management() {
  std::promise<void> ended;
  desk_->attach_functor([&] { ended.set_value(); });
  caf::anon_send_exit(desk_, caf::exit_reason::user_shutdown);
  ended.get_future().wait();
}

bool management::serves(std::string_view path) noexcept {
  if (!path.starts_with(api_prefix))
    return false;
  path.remove_prefix(api_prefix.size());
  const auto word = path.substr(0, path.find('/'));
  return std::find(std::begin(api_words), std::end(api_words), word) != std::end(api_words);
}

void management::handle(http_request what, runtime::asio_unit& home, reply done) {
  auto call = std::make_shared<management_call>();
  call->done = [&home, done = std::move(done)](http_answer answer) {
    boost::asio::post(home.context(), [done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
  };
  call->path = segments_below(api_prefix, runtime::path_of(what.target));
  call->rules = node_.vhosts->access().rules();
  auto user = logged_in(what, *call->rules, loopback_user_);
  call->what = std::move(what);
  if (!user)
    return call->refused("Login failed");
  call->user = std::move(*user);
  if (!call->monitors() && !call->makes_policies() && !call->has_tag("management"))
    return call->refused("Not management user");
  caf::anon_send(desk_, management_ask{std::move(call)});
}

} // namespace switchboard::http
