#include "bridges/http/http_gateway.hpp"

#include <caf/send.hpp>

#include "broker/errors.hpp"
#include "broker/pinned_actor.hpp"
#include "runtime/bearer_token.hpp"

namespace switchboard::http {

/// To the waiter of an I/O thread: make this call, answer there.
struct gateway_request {
  gateway_call what;
  application::reply done;
};

} // namespace switchboard::http

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::http::gateway_request)

namespace switchboard::http {

namespace {

/// The RPC client answers within its own timeout; this much later it counts as broken.
constexpr std::chrono::seconds grace{2};

class waiter final : public broker::pinned_actor {
public:
  waiter(caf::actor_config& config, caf::execution_unit* home, runtime::node_context& node, caf::actor rpc)
      : pinned_actor(config, home), rpc_(std::move(rpc)),
        card_(node.directory.enter("/http/gateway", "gateway", node.clock.now())) {}

  caf::behavior make_behavior() override {
    return {[this](gateway_request& asked) {
      ++card_->handled;
      const auto timeout = asked.what.call.timeout + grace;
      request(rpc_, timeout, std::move(asked.what.call))
          .then([done = asked.done, id = asked.what.message_id](
                    const runtime::rpc_reply& got) { done(encode_response(id, got.answer, got.retry_after)); },
                [done = asked.done](const caf::error& why) { done(error_answer(broker::from_caf(why))); });
    }};
  }

  label handler_label() const override { return {"/http/gateway", "gateway"}; }

  void on_exit() override { card_.reset(); }

private:
  const caf::actor rpc_;
  std::shared_ptr<runtime::actor_card> card_;
};

} // namespace

gateway::gateway(runtime::node_context& node, caf::actor rpc, std::shared_ptr<const runtime::jwt_verifier> tokens,
                 gateway_rules rules)
    : node_(node), tokens_(std::move(tokens)), rules_(rules) {
  for (std::size_t i = 0; i < node.io.size(); ++i)
    waiters_.push_back(node.system.spawn<waiter>(static_cast<caf::execution_unit*>(&node.io.home(i)), node, rpc));
}

gateway::~gateway() {
  for (const auto& one : waiters_)
    caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
}

void gateway::handle(http_request what, runtime::asio_unit& home, reply done) {
  if (node_.draining)
    return done(error_answer(503, text(errc::stopping), "the node is stopping"));
  if (what.method != "GET" && what.method != "HEAD")
    if (const auto raised = node_.alarms->raised(); raised.any()) {
      auto answer =
          error_answer(503, broker::names_of(raised),
                       "the node is " + broker::blocked_reason(raised) + " and takes nothing new; ask again later");
      answer.headers.emplace_back("Retry-After", "1");
      return done(std::move(answer));
    }
  if (runtime::path_of(what.target) == websocket_path) {
    auto answer = error_answer(426, text(errc::bad_format), "this path speaks WebSocket");
    answer.headers.emplace_back("Upgrade", "websocket");
    return done(std::move(answer));
  }
  auto read = decode_request(what, rules_, node_.served, tokens_.get(), node_.clock.now());
  if (auto* answer = std::get_if<http_answer>(&read))
    return done(std::move(*answer));
  for (std::size_t i = 0; i < waiters_.size(); ++i)
    if (&node_.io.home(i) == &home)
      return caf::anon_send(waiters_[i], gateway_request{std::move(std::get<gateway_call>(read)), std::move(done)});
}

} // namespace switchboard::http
