#include "runtime/rpc_client.hpp"

#include <map>
#include <unordered_map>

#include <caf/send.hpp>

#include "base/ids.hpp"
#include "broker/errors.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/protocol.hpp"
#include "broker/publisher.hpp"
#include "messages/properties.hpp"
#include "messages/service_names.hpp"
#include "runtime/circuits.hpp"

namespace switchboard::runtime {

// Sent by the client to itself.
struct look_for_late {};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::look_for_late)

namespace switchboard::runtime {

namespace {

using steady = std::chrono::steady_clock;
constexpr auto inspect_timeout = std::chrono::seconds{3};
/// In a correlation id, before the service: an answer that comes too late still says that the service answers.
constexpr char service_mark = '/';

class rpc_client final : public broker::pinned_actor {
public:
  rpc_client(caf::actor_config& config, caf::execution_unit* home, node_context& node)
      : pinned_actor(config, home), node_(node), publisher_(node.broker), circuits_(node.metrics),
        card_(node.directory.enter("/rpc_client", "rpc_client", node.clock.now())) {}

  caf::behavior make_behavior() override {
    reply_to_ = node_.broker->replies().add(caf::actor_cast<caf::actor>(this), 0);
    return {
        [this](rpc_call& what) -> caf::result<rpc_reply> { return on_call(std::move(what)); },
        [this](const broker::direct_reply& what) { on_replies(what); },
        [this](look_for_late) { on_look_for_late(); },
        [](const broker::enqueued&) {},
    };
  }

  label handler_label() const override { return {card_->path, card_->kind}; }

  void on_exit() override { node_.broker->replies().remove(reply_to_); }

private:
  using promise = caf::typed_response_promise<rpc_reply>;
  struct waiting {
    switchboard::request asked;
    promise answer;
    std::string service;
    milliseconds timeout{0};
    circuits::leave leave = circuits::leave::normal;
  };

  caf::result<rpc_reply> on_call(rpc_call what) {
    card_->handled.fetch_add(1, std::memory_order_relaxed);
    auto answer = make_response_promise<rpc_reply>();
    if (what.what.message_id.empty())
      what.what.message_id = make_uuid();
    if (what.what.timestamp == time_point{})
      what.what.timestamp = node_.clock.now();
    if (!what.what.headers.contains("deadline"))
      what.what.headers["deadline"] = to_iso8601(node_.clock.now() + what.timeout);
    if (node_.draining)
      refuse(what.what, answer, {errc::stopping, "the node is stopping"});
    else
      find_queue(std::move(what), answer, {request_queue_alias(what.service), request_queue(what.service)}, false);
    return answer;
  }

  /// Tries the names from the back until one has a consumer. `found`: there was a queue at least.
  void find_queue(rpc_call what, promise answer, std::vector<std::string> names, bool found) {
    if (names.empty())
      return refuse(what.what, answer,
                    found ? error{errc::unavailable, "nobody serves '" + what.service + "' now"}
                          : error{errc::not_found, "no service '" + what.service + "'"});
    const auto name = std::move(names.back());
    names.pop_back();
    const auto queue = std::static_pointer_cast<const broker::queue_handle>(node_.broker->routes()->find_queue(name));
    if (!queue)
      return find_queue(std::move(what), answer, std::move(names), found);
    request(queue->actor, inspect_timeout, broker::inspect_queue{})
        .then(
            [this, what, answer, names, name](const broker::queue_status& status) {
              if (status.consumers > 0)
                publish(what, answer, name);
              else
                find_queue(what, answer, names, true);
            },
            [this, what, answer](const caf::error& why) { refuse(what.what, answer, broker::from_caf(why)); });
  }

  void publish(const rpc_call& what, promise answer, const std::string& queue) {
    const auto now = steady::now();
    const auto leave = circuits_.ask(what.service, what.timeout, now);
    if (leave == circuits::leave::refused)
      return refuse(what.what, answer, {errc::unavailable, "the service does not answer; try again later"},
                    circuits_.left(what.service, now));
    const auto correlation = std::to_string(++calls_) + service_mark + what.service;
    basic_properties properties;
    properties.content_type = "application/json";
    properties.delivery_mode = 1; // whoever waits for the answer is gone after a crash
    properties.correlation_id = correlation;
    properties.reply_to = reply_to_;
    properties.message_id = what.what.message_id;
    properties.expiration = std::to_string(what.timeout.count()); // nobody waits for it then
    publisher_.begin();
    const auto fate =
        publisher_.publish(make_message("", queue, encode_properties(properties), encode(what.what), false));
    if (fate != broker::routed::queued) {
      if (leave == circuits::leave::probe)
        circuits_.withdrawn(what.service);
      return refuse(what.what, answer, {errc::not_found, "no service '" + what.service + "'"});
    }
    publisher_.take().send();
    const auto late = now + what.timeout;
    waiting_.emplace(correlation, waiting{what.what, answer, what.service, what.timeout, leave});
    late_.emplace(late, correlation);
    arm();
  }

  void on_replies(const broker::direct_reply& what) {
    for (const auto& message : what.messages) {
      const auto properties = glance_properties(message->properties());
      const std::string correlation{properties ? properties->correlation_id : std::string_view{}};
      if (const auto mark = correlation.find(service_mark); mark != correlation.npos)
        circuits_.answered(std::string_view{correlation}.substr(mark + 1));
      auto found = waiting_.extract(correlation);
      if (found.empty())
        continue; // too late
      auto answer = decode_response(message->body());
      if (answer)
        found.mapped().answer.deliver(rpc_reply{std::move(*answer)});
      else
        refuse(found.mapped().asked, found.mapped().answer,
               {errc::internal, "the service's answer can't be read: " + answer.error().what});
    }
  }

  void on_look_for_late() {
    armed_for_ = steady::time_point::max();
    for (const auto now = steady::now(); !late_.empty() && late_.begin()->first <= now; late_.erase(late_.begin()))
      if (auto found = waiting_.extract(late_.begin()->second); !found.empty()) {
        const auto& call = found.mapped();
        circuits_.timed_out(call.service, call.leave, call.timeout, now);
        refuse(call.asked, call.answer, {errc::timed_out, "no answer in time"});
      }
    arm();
  }

  /// One message to ourselves for the earliest call; one that comes for nothing does no harm.
  void arm() {
    while (!late_.empty() && !waiting_.contains(late_.begin()->second))
      late_.erase(late_.begin());
    if (late_.empty() || late_.begin()->first >= armed_for_)
      return;
    armed_for_ = late_.begin()->first;
    const auto wait = std::max(late_.begin()->first - steady::now(), steady::duration{0});
    delayed_send(this, std::chrono::ceil<milliseconds>(wait), look_for_late{});
  }

  void refuse(const switchboard::request& asked, promise answer, const error& why, milliseconds retry_after = {}) {
    answer.deliver(rpc_reply{make_error(asked, node_.clock.now(), why, "gateway"), retry_after});
  }

  node_context& node_;
  broker::publisher publisher_;
  circuits circuits_;
  std::shared_ptr<actor_card> card_;
  std::string reply_to_;
  std::uint64_t calls_ = 0;
  std::unordered_map<std::string, waiting> waiting_; ///< by correlation id
  std::multimap<steady::time_point, std::string> late_;
  steady::time_point armed_for_ = steady::time_point::max();
};

} // namespace

caf::actor spawn_rpc_client(node_context& node) { return node.system.spawn<rpc_client>(&node.io.next(), node); }

} // namespace switchboard::runtime
