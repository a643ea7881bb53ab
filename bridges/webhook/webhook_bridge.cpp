#include "bridges/webhook/webhook_bridge.hpp"

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "bridges/webhook/webhook_courier.hpp"
#include "bridges/webhook/webhook_sorter.hpp"
#include "broker/errors.hpp"
#include "runtime/consumer_actor.hpp"
#include "runtime/log.hpp"
#include "runtime/supervisor.hpp"

namespace switchboard::webhook {

namespace {

constexpr std::chrono::seconds answer_most{10};
constexpr const char* sorter_name = "sorter";

/// Asks an actor and waits; we are no actor.
template <class Response, class Request>
expected<Response> ask_and_wait(runtime::node_context& node, const caf::actor& whom, Request what,
                                std::chrono::milliseconds most) {
  caf::scoped_actor self{node.system};
  expected<Response> result{errc::timed_out, "no answer in time"};
  self->request(whom, most, std::move(what))
      .receive([&](Response& answer) { result = std::move(answer); },
               [&](const caf::error& why) { result = broker::from_caf(why); });
  return result;
}

} // namespace

webhook_bridge::webhook_bridge(runtime::node_context& node, caf::actor rpc, options how)
    : node_(node), rpc_(std::move(rpc)), how_(std::move(how)) {}

webhook_bridge::~webhook_bridge() { stop(std::chrono::milliseconds{0}); }

expected<void> webhook_bridge::start() {
  courier_ = std::make_shared<courier>(node_, how_);
  if (auto started = courier_->start(); !started)
    return started.error();
  supervisor_ = runtime::spawn_supervisor(node_, {"/webhook", {}, {}});
  runtime::child_spec child{
      sorter_name, "webhook_sorter", runtime::restart_policy::permanent,
      [with = line_tools{node_, courier_, how_}, rpc = rpc_, in_front = std::make_shared<gate>()] {
        return expected<caf::actor>{spawn_sorter(with, rpc, in_front)};
      }};
  auto added =
      ask_and_wait<runtime::child_added>(node_, supervisor_, runtime::add_child{std::move(child)}, answer_most);
  if (!added)
    return added.error();
  // Events that are announced once this has returned are seen.
  auto ready = ask_and_wait<runtime::consuming>(node_, sorter(), runtime::await_consuming{}, answer_most);
  if (!ready)
    return {ready.error().code, "webhooks: " + ready.error().what};
  return {};
}

caf::actor webhook_bridge::sorter() const {
  auto child = ask_and_wait<runtime::child_state>(node_, supervisor_, runtime::inspect_child{sorter_name}, answer_most);
  return child ? child->actor : nullptr;
}

void webhook_bridge::drain() {
  if (!supervisor_)
    return;
  if (const auto one = sorter())
    caf::anon_send<caf::message_priority::high>(one, finish_all{});
}

void webhook_bridge::stop(std::chrono::milliseconds grace) {
  if (!supervisor_)
    return;
  if (grace.count() > 0)
    if (const auto one = sorter())
      if (!ask_and_wait<runtime::drained>(node_, one, await_finished{}, grace))
        runtime::log::warning("webhook_stop_late");
  static_cast<void>(ask_and_wait<runtime::children_stopped>(node_, supervisor_, runtime::stop_children{}, answer_most));
  supervisor_ = nullptr;
  courier_->stop(); // lines that are still held by somebody get no more outcomes
}

} // namespace switchboard::webhook
