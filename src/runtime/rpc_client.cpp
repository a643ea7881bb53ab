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

namespace switchboard::runtime {

// Sent by the client to itself.
struct look_for_late {};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::look_for_late)

namespace switchboard::runtime {

namespace {

using steady = std::chrono::steady_clock;
constexpr auto inspect_timeout = std::chrono::seconds{3};

class rpc_client final : public broker::pinned_actor {
public:
  rpc_client(caf::actor_config& config, caf::execution_unit* home, node_context& node)
      : pinned_actor(config, home), node_(node), publisher_(node.broker),
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

  void on_exit() override { node_.broker->replies().remove(reply_to_); }

private:
  using promise = caf::typed_response_promise<rpc_reply>;
  struct waiting {
    switchboard::request asked;
    promise answer;
    steady::time_point late{};
  };

  caf::result<rpc_reply> on_call(rpc_call what) {
    card_->handled.fetch_add(1, std::memory_order_relaxed);
    auto answer = make_response_promise<rpc_reply>();
    if (what.what.message_id.empty())
      what.what.message_id = make_uuid();
    if (what.what.timestamp == time_point{})
      what.what.timestamp = node_.clock.now();
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
    const auto correlation = std::to_string(++calls_);
    basic_properties properties;
    properties.content_type = "application/json";
    properties.delivery_mode = 1; // whoever waits for the answer is gone after a crash
    properties.correlation_id = correlation;
    properties.reply_to = reply_to_;
    properties.message_id = what.what.message_id;
    publisher_.begin();
    const auto fate =
        publisher_.publish(make_message("", queue, encode_properties(properties), encode(what.what), false));
    if (fate != broker::routed::queued)
      return refuse(what.what, answer, {errc::not_found, "no service '" + what.service + "'"});
    publisher_.take().send();
    const auto late = steady::now() + what.timeout;
    waiting_.emplace(correlation, waiting{what.what, answer, late});
    late_.emplace(late, correlation);
    arm();
  }

  void on_replies(const broker::direct_reply& what) {
    for (const auto& message : what.messages) {
      const auto properties = glance_properties(message->properties());
      auto found = waiting_.extract(properties ? std::string{properties->correlation_id} : std::string{});
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
      if (auto found = waiting_.extract(late_.begin()->second); !found.empty())
        refuse(found.mapped().asked, found.mapped().answer, {errc::timed_out, "no answer in time"});
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

  void refuse(const switchboard::request& asked, promise answer, const error& why) {
    answer.deliver(rpc_reply{make_error(asked, node_.clock.now(), why, "gateway")});
  }

  node_context& node_;
  broker::publisher publisher_;
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
