// The front of the management API: who asks, and whether he may ask at all. What is asked is the desk's business.
#include "bridges/http/management.hpp"

#include <algorithm>
#include <future>

#include <boost/asio/post.hpp>
#include <caf/send.hpp>

#include "bridges/http/management_desk.hpp"
#include "broker/base64.hpp"
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

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> all;
  path.remove_prefix(std::min(api_prefix.size(), path.size()));
  while (!path.empty()) {
    const auto slash = std::min(path.find('/'), path.size());
    all.push_back(runtime::percent_decoded(path.substr(0, slash)));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return all;
}

struct basic_login {
  std::string user, password;
};

std::optional<basic_login> basic_login_of(std::string_view authorization) {
  constexpr std::string_view scheme = "Basic ";
  if (!authorization.starts_with(scheme))
    return std::nullopt;
  const auto text = broker::from_base64(authorization.substr(scheme.size()));
  const auto colon = text ? text->find(':') : std::string::npos;
  if (colon == std::string::npos)
    return std::nullopt;
  return basic_login{text->substr(0, colon), text->substr(colon + 1)};
}

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
  call->path = segments_of(runtime::path_of(what.target));
  call->rules = node_.vhosts->access().rules();
  const auto login = basic_login_of(what.header("Authorization"));
  const bool from_here = login && (what.from_loopback || login->user != loopback_user_);
  call->what = std::move(what);
  if (!from_here || !call->rules->authenticate(login->user, login->password))
    return call->refused("Login failed");
  call->user = login->user;
  if (!call->monitors() && !call->makes_policies() && !call->has_tag("management"))
    return call->refused("Not management user");
  caf::anon_send(desk_, management_ask{std::move(call)});
}

} // namespace switchboard::http
