// Map of this file: sorting events -- learning of webhooks, one after the other -- their lines.
#include "bridges/webhook/webhook_sorter.hpp"

#include <deque>
#include <functional>
#include <set>
#include <unordered_map>

#include "broker/errors.hpp"
#include "broker/publisher.hpp"
#include "messages/properties.hpp"
#include "messages/service_names.hpp"
#include "runtime/consumer_actor.hpp"
#include "runtime/log.hpp"
#include "runtime/rpc_client.hpp"

namespace switchboard::webhook {

/// The sorter to itself: the next step of learning.
struct learn_again {};

} // namespace switchboard::webhook

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::webhook::learn_again)

namespace switchboard::webhook {

namespace {

constexpr const char* events_queue = "bin-manager.webhook.subscribe";
constexpr auto ask_again_after = std::chrono::seconds{1};
constexpr auto answer_timeout = std::chrono::seconds{10};
constexpr int page_size = 100;

std::vector<runtime::consumed_queue> sorter_queues(const options& how, std::shared_ptr<gate> in_front) {
  runtime::consumed_queue queue;
  queue.name = events_queue;
  queue.gate = std::move(in_front);
  for (const auto& resource : how.sources)
    if (resource != own_resource)
      queue.exchanges.push_back(event_exchange(resource));
  queue.exchanges.push_back(event_exchange(own_resource));
  return {queue};
}

/// The event, as it came, for one webhook.
message_ptr copy_for(const target& to, const message& what, const event& read) {
  basic_properties properties;
  properties.content_type = "application/json";
  properties.delivery_mode = 2;
  properties.message_id = read.event_id;
  properties.type = read.event_type;
  properties.headers.emplace();
  properties.headers->append("customer_id", read.customer_id);
  properties.headers->append("resource_id", read.resource_id);
  return make_message("", delivery_queue(to.id), encode_properties(properties), what.body(), true);
}

class sorter final : public runtime::consumer_actor {
public:
  sorter(caf::actor_config& config, const line_tools& with, caf::actor rpc, const std::shared_ptr<gate>& in_front)
      : consumer_actor(config, with.node,
                       with.node.directory.enter("/webhook/sorter", "webhook_sorter", with.node.clock.now()),
                       sorter_queues(with.how, in_front)),
        with_(with), rpc_(std::move(rpc)), gate_(in_front), publisher_(with.node.broker) {}

  caf::behavior make_behavior() override {
    bound_backlogs();
    declare_dead_letters();
    gate_->open();
    list_webhooks({});
    return caf::message_handler{
        [this](learn_again) { std::exchange(next_step_, {})(); },
        [this](finish_all) { on_finish(); },
        [this](await_finished) -> caf::result<runtime::drained> {
          on_finish();
          auto promise = make_response_promise<runtime::drained>();
          await_finished_.push_back(promise);
          tell_if_finished();
          return promise;
        },
    }
        .or_else(consumer_handlers());
  }

protected:
  void on_delivery(delivery what) override {
    if (finishing_)
      return settle(what, broker::verdict::requeue);
    waiting_.push_back(std::move(what));
    sort_waiting();
  }

private:
  // -- sorting events -----------------------------------------------------------------------------------------------

  /// In order: none before those that came before it.
  void sort_waiting() {
    while (!is_learning_ && !waiting_.empty()) {
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      sort(std::move(next));
    }
  }

  void sort(delivery what) {
    const auto& message = *what.item.message;
    const auto customer = customer_of(message);
    if (!customer.empty() && !known_.has_customer(customer) && message.exchange() != event_exchange(own_resource))
      return settle(what, broker::verdict::ack);
    const auto read = decode_event(message.body());
    if (!read)
      return bury(std::move(what), read.error());
    if (read->resource_type != own_resource)
      return copy(std::move(what), *read);
    settle(what, broker::verdict::ack); // a webhook's own events are delivered to none: they could go on for ever
    if (read->event_type == "webhook.created" || read->event_type == "webhook.updated" ||
        read->event_type == "webhook.deleted")
      learn(read->resource_id);
  }

  void copy(delivery what, const event& read) {
    const auto wanted = known_.wanting(read);
    if (wanted.empty())
      return settle(what, broker::verdict::ack);
    auto changes = with_.node.broker->log().begin();
    publisher_.begin();
    for (const auto& to : wanted)
      if (publisher_.publish(copy_for(*to, *what.item.message, read), *changes) != broker::routed::queued)
        return on_missing_queue(std::move(what), to->id);
    if (what.item.at != 0)
      changes->delete_message(what.queue->number, what.item.at);
    with_.node.broker->log().commit(std::move(changes),
                                    [out = std::make_shared<broker::publisher::handoff>(publisher_.take())] {
                                      out->send(); // not before: a crash would double it
                                    });
    settle(what, broker::verdict::settled);
    missing_.clear();
  }

  /// Somebody deleted it: once more with a new one. If there is none then either, that webhook must not hold up others.
  void on_missing_queue(delivery what, const std::string& id) {
    static_cast<void>(publisher_.take());
    if (!missing_.insert(id).second) {
      runtime::log::failure("webhook_without_queue", {{"webhook", id}});
      known_.remove(id);
    } else {
      learn(id);
    }
    waiting_.push_front(std::move(what)); // sort_waiting() is our caller, or learning ends with it
  }

  // -- learning of webhooks -----------------------------------------------------------------------------------------

  void list_webhooks(const std::string& page_token) {
    is_learning_ = true; // nothing is sorted before all are known
    ask("/v1/webhooks?page_size=" + std::to_string(page_size) + (page_token.empty() ? "" : "&page_token=" + page_token),
        [this, page_token](const switchboard::response& got) {
          if (got.status_code != 200)
            return soon([this, page_token] { list_webhooks(page_token); }, ask_again_after);
          for (const auto& one : got.body.at("result"))
            to_learn_.push_back(one.at("id").get<std::string>());
          const auto next = got.body.value("next_page_token", "");
          if (next.empty())
            learn_next();
          else
            list_webhooks(next);
        });
  }

  /// After what is at work now.
  void learn(const std::string& id) {
    is_learning_ = true;
    to_learn_.push_back(id);
    soon([this] { learn_next(); });
  }

  void learn_next() {
    if (to_learn_.empty()) {
      is_learning_ = false;
      if (!std::exchange(knows_all_, true))
        gate_->close(known_.customers());
      return sort_waiting();
    }
    const auto id = to_learn_.front();
    ask("/v1/webhooks/" + id + "/target", [this, id](const switchboard::response& got) {
      if (got.status_code != 200 && got.status_code != 404)
        return soon([this] { learn_next(); }, ask_again_after);
      to_learn_.pop_front();
      if (got.status_code == 404)
        return forget(id);
      auto read = read_target(got.body);
      if (read)
        return keep(std::make_shared<const target>(*std::move(read)));
      runtime::log::failure("webhook_unreadable", {{"webhook", id}, {"reason", read.error().what}});
      learn_next();
    });
  }

  /// One step at a time: learning is sequential.
  void soon(std::function<void()> step, milliseconds wait = milliseconds{0}) {
    next_step_ = std::move(step);
    delayed_send<caf::message_priority::high>(this, wait, learn_again{});
  }

  /// As an inside caller: the secret is for nobody else.
  template <class Handle>
  void ask(std::string route, Handle handle) {
    runtime::rpc_call call;
    call.service = own_resource;
    call.what.timestamp = with_.node.clock.now();
    call.what.method = "GET";
    call.what.route = std::move(route);
    request(rpc_, answer_timeout, std::move(call))
        .then([handle](const runtime::rpc_reply& got) { handle(got.answer); },
              [handle](const caf::error&) {
                switchboard::response none;
                none.status_code = 503;
                handle(none);
              });
  }

  // -- lines --------------------------------------------------------------------------------------------------------

  /// At most so many wait for each; the oldest of more become dead letters. As a policy, so that another figure in the
  /// configuration is no other queue, and operators may override it by one of a higher priority.
  void bound_backlogs() {
    broker::put_policy bound;
    bound.what.name = "webhook deliveries";
    bound.what.pattern = *broker::name_pattern::make(R"(^bin-manager\.webhook\..*\.delivery$)");
    bound.what.apply_to = "queues";
    bound.what.definition.set("max-length", static_cast<std::int64_t>(with_.how.backlog_max));
    bound.what.definition.set("dead-letter-exchange", std::string{});
    bound.what.definition.set("dead-letter-routing-key", std::string{dead_letters_queue});
    request(with_.node.broker->topology(), answer_timeout, std::move(bound))
        .then([](const broker::policy_ok&) {},
              [](const caf::error& why) {
                runtime::log::failure("webhook_backlogs_unbounded", {{"reason", broker::from_caf(why).what}});
              });
  }

  void declare_dead_letters() {
    broker::declare_queue grave;
    grave.spec.name = dead_letters_queue;
    grave.spec.durable = true;
    grave.spec.owner = card().path;
    request(with_.node.broker->topology(), answer_timeout, std::move(grave))
        .then([](const broker::queue_ok&) {}, [](const caf::error&) {}); // who buries something declares it too
  }

  /// Its queue first: from then on events may be copied into it.
  void keep(const target_ptr& what) {
    broker::declare_queue queue;
    queue.spec.name = delivery_queue(what->id);
    queue.spec.durable = true;
    queue.spec.owner = card().path;
    request(with_.node.broker->topology(), answer_timeout, std::move(queue))
        .then([this, what](const broker::queue_ok&) { run(what); },
              [this, what](const caf::error& why) { // somebody has made one of his own of that name
                runtime::log::failure("webhook_queue_refused",
                                      {{"webhook", what->id}, {"reason", broker::from_caf(why).what}});
                run(what);
              });
  }

  void run(const target_ptr& what) {
    known_.put(what);
    const auto found = lines_.find(what->id);
    if (!what->enabled)
      end_line(what->id, false);
    else if (found != lines_.end())
      send<caf::message_priority::high>(found->second, change_target{what});
    else if (!finishing_)
      start_line(what);
    learn_next();
  }

  void start_line(const target_ptr& what) {
    auto made = spawn_line(with_, what);
    link_to(made); // one that fails takes all with it, and the supervisor starts anew: the queues have everything
    lines_.emplace(what->id, std::move(made));
  }

  void forget(const std::string& id) {
    known_.remove(id);
    end_line(id, true);
    learn_next();
  }

  /// What is under way is finished first; what waits stays in the queue, or goes with it.
  void end_line(const std::string& id, bool with_queue) {
    const auto found = lines_.extract(id);
    if (!found)
      return with_queue ? delete_queue(id) : void();
    const auto one = found.mapped();
    send<caf::message_priority::high>(one, finish_line{});
    request(one, caf::infinite, runtime::drain_consumer{}).then([this, one, id, with_queue](const runtime::drained&) {
      send<caf::message_priority::high>(one, quit_line{});
      if (with_queue && !known_.find(id)) // unless it was made anew meanwhile
        delete_queue(id);
    });
  }

  void delete_queue(const std::string& id) {
    broker::delete_queue what;
    what.name = delivery_queue(id);
    what.owner = card().path;
    request(with_.node.broker->topology(), answer_timeout, std::move(what))
        .then([](const broker::queue_deleted&) {},
              [id](const caf::error& why) {
                runtime::log::warning("webhook_queue_kept", {{"webhook", id}, {"reason", broker::from_caf(why).what}});
              });
  }

  // -- the node stops -----------------------------------------------------------------------------------------------

  void on_finish() {
    if (std::exchange(finishing_, true))
      return;
    request(caf::actor_cast<caf::actor>(this), caf::infinite, runtime::drain_consumer{}) // no more deliveries
        .then([](const runtime::drained&) {}, [](const caf::error&) {});
    for (auto& one : std::exchange(waiting_, {}))
      settle(one, broker::verdict::requeue);
    for (const auto& each : lines_) {
      send<caf::message_priority::high>(each.second, finish_line{});
      ++unfinished_;
      request(each.second, caf::infinite, runtime::drain_consumer{})
          .then([this](const runtime::drained&) { one_finished(); }, [this](const caf::error&) { one_finished(); });
    }
  }

  void one_finished() {
    --unfinished_;
    tell_if_finished();
  }

  void tell_if_finished() {
    if (unfinished_ > 0)
      return;
    for (auto& promise : std::exchange(await_finished_, {}))
      promise.deliver(runtime::drained{});
  }

  const line_tools with_;
  const caf::actor rpc_;
  const std::shared_ptr<gate> gate_;
  broker::publisher publisher_;
  targets known_;
  std::unordered_map<std::string, caf::actor> lines_; ///< of enabled webhooks, by id
  std::deque<delivery> waiting_;                      ///< events that came while learning
  bool is_learning_ = false;
  bool knows_all_ = false;           ///< that were there when it began
  std::deque<std::string> to_learn_; ///< ids
  std::function<void()> next_step_;
  std::set<std::string> missing_; ///< whose queue was missing, since the last event that was copied
  bool finishing_ = false;
  std::size_t unfinished_ = 0; ///< lines
  std::vector<caf::typed_response_promise<runtime::drained>> await_finished_;
};

} // namespace

caf::actor spawn_sorter(const line_tools& with, caf::actor rpc, std::shared_ptr<gate> in_front) {
  return with.node.system.spawn<sorter>(with, std::move(rpc), std::move(in_front));
}

} // namespace switchboard::webhook
