#include "runtime/subscriber.hpp"

#include <algorithm>
#include <unordered_map>

#include "base/ids.hpp"
#include "messages/json_object.hpp"
#include "messages/service_names.hpp"
#include "runtime/consumer_actor.hpp"
#include "runtime/dead_letters.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

namespace {

constexpr std::uint32_t prefetch = 1000;

std::vector<std::string> sources_of(const sb_entity_type& type) {
  std::vector<std::string> exchanges;
  for (std::size_t index = 0; index < type.subscription_count; ++index) {
    const std::string_view event{type.subscriptions[index].event_type};
    auto exchange = event_exchange(event.substr(0, event.find('.')));
    if (std::find(exchanges.begin(), exchanges.end(), exchange) == exchanges.end())
      exchanges.push_back(std::move(exchange));
  }
  return exchanges;
}

std::vector<consumed_queue> queues_of(const sb_entity_type& type, const std::shared_ptr<broker::message_gate>& gate) {
  std::vector<consumed_queue> queues{{work_queue(type.type), {}, prefetch}};
  if (type.subscription_count > 0)
    queues.push_back({subscription_queue(type.type), sources_of(type), prefetch, gate});
  return queues;
}

class subscriber final : public consumer_actor {
public:
  subscriber(caf::actor_config& config, entity_hosts& hosts, const served_type& type,
             const std::shared_ptr<broker::message_gate>& gate)
      : consumer_actor(
            config, hosts.node(),
            hosts.node().directory.enter("/subscribers/" + type.name(), "subscriber", hosts.node().clock.now()),
            queues_of(*type.now().abi, gate)),
        hosts_(hosts), type_(type), gate_(gate) {}

  caf::behavior make_behavior() override {
    return caf::message_handler{[this](const work_done& what) { on_done(what); },
                                [this](take_types) -> caf::result<types_taken> {
                                  auto promise = make_response_promise<types_taken>();
                                  change_queues(queues_of(*type_.now().abi, gate_), promise);
                                  return promise;
                                }}
        .or_else(consumer_handlers());
  }

protected:
  void on_delivery(delivery what) override {
    if (queue_name(what.key) == work_queue(type_.name()))
      return on_work(std::move(what));
    const auto fact = decode_event(what.item.message->body());
    if (!fact)
      return bury(std::move(what), fact.error());
    const auto told = told_entity(*fact);
    if (told.id.empty() || !(told.may_be_new || hosts_.may_exist(type_.name(), told.id)))
      return settle(what, broker::verdict::ack);
    auto work = work_of(*fact);
    work->may_create = told.may_be_new;
    tell(told.id, std::move(work), std::move(what));
  }

private:
  void on_work(delivery what) {
    auto read = read_work(*what.item.message);
    if (read && read->type != type_.name())
      read = error{errc::bad_format, "it is for an entity of type " + read->type};
    if (!read)
      return bury(std::move(what), read.error());
    tell(read->id, read->work, std::move(what));
  }

  void tell(const std::string& id, entity_work_ptr work, delivery what) {
    work->queue = what.queue->number;
    work->at = what.item.at;
    work->queue_name = what.queue->name;
    work->source = what.item.message;
    work->from = caf::actor_cast<caf::actor>(this);
    work->token = ++tokens_;
    const auto token = work->token;
    at_work_.emplace(token, std::move(what));
    if (!hosts_.tell(type_.name(), id, work))
      give_back(token);
  }

  struct listener {
    std::string id;          ///< empty: there is none to tell
    bool may_be_new = false; ///< it need not exist
  };
  /// The entity that the subscription's key names; without a key the one with the resource's id, so that the events of
  /// one resource keep their order.
  listener told_entity(const event& fact) const {
    const auto& type = *type_.now().abi;
    for (std::size_t index = 0; index < type.subscription_count; ++index) {
      const auto& subscription = type.subscriptions[index];
      if (fact.event_type != subscription.event_type)
        continue;
      if (!subscription.key)
        return {is_identity(fact.resource_id) ? fact.resource_id : make_ordered_uuid(hosts_.node().clock.now()), true};
      if (!fact.data.is_object())
        continue;
      const auto value = fact.data.find(subscription.key);
      if (value != fact.data.end() && value->is_string() && is_identity(value->get_ref<const std::string&>()))
        return {value->get<std::string>(), false};
    }
    return {};
  }

  static entity_work_ptr work_of(const event& fact) {
    auto work = std::make_shared<entity_work>();
    work->what.kind = SB_EVENT;
    work->what.message_id = fact.event_id;
    work->what.customer_id = fact.customer_id;
    work->what.name = fact.event_type;
    work->what.from_type = fact.resource_type;
    work->what.from_id = fact.resource_id;
    work->what.body = dump(fact.data);
    return work;
  }

  void on_done(const work_done& what) {
    auto found = at_work_.extract(what.token);
    if (found.empty())
      return;
    settle(found.mapped(), what.committed ? broker::verdict::settled
                           : what.later   ? broker::verdict::requeue
                                          : broker::verdict::ack);
  }

  /// The hosts are closed: the event stays in the queue for the next start.
  void give_back(std::uint64_t token) {
    auto found = at_work_.extract(token);
    settle(found.mapped(), broker::verdict::requeue);
  }

  entity_hosts& hosts_;
  const served_type& type_;
  const std::shared_ptr<broker::message_gate> gate_;
  std::unordered_map<std::uint64_t, delivery> at_work_;
  std::uint64_t tokens_ = 0;
};

} // namespace

std::string subscription_queue(const std::string& type) { return "switchboard." + type + ".subscribe"; }

caf::actor spawn_subscriber(entity_hosts& hosts, const served_type& type, std::shared_ptr<broker::message_gate> gate) {
  return hosts.node().system.spawn<subscriber>(hosts, type, std::move(gate));
}

} // namespace switchboard::runtime
