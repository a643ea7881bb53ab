#include "runtime/consumer_actor.hpp"

#include <algorithm>

#include "base/back_off.hpp"
#include "base/random.hpp"
#include "broker/errors.hpp"
#include "broker/publisher.hpp"
#include "broker/retry.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

// Sent by a consumer to itself.
struct connect_again {
  broker::consumer_key key = 0;
};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::connect_again)

namespace switchboard::runtime {

namespace {

constexpr auto topology_timeout = std::chrono::seconds{10};

} // namespace

consumer_actor::consumer_actor(caf::actor_config& config, node_context& node, std::shared_ptr<actor_card> card,
                               std::vector<consumed_queue> queues)
    : bounded_actor(config, {}, std::move(card)), node_(node) {
  for (auto& plan : queues)
    links_.push_back({std::move(plan)});
  set_down_handler([this](const caf::down_msg& down) {
    for (broker::consumer_key key = 0; key < links_.size(); ++key)
      if (links_[key].queue && links_[key].queue->actor.address() == down.source)
        disconnected(key, "the queue's actor ended");
  });
}

caf::message_handler consumer_actor::consumer_handlers() {
  for (broker::consumer_key key = 0; key < links_.size(); ++key)
    send<caf::message_priority::high>(this, connect_again{key});
  return {
      [this](broker::deliver& what) { on_deliver(what); },
      [this](const broker::consumer_cancelled& what) { disconnected(what.key, "the queue was deleted"); },
      [this](const connect_again& what) { connect(what.key); },
      [](const broker::enqueued&) {},
      [](const broker::cancel_ok&) {},
      [this](await_consuming) -> caf::result<consuming> {
        auto promise = make_response_promise<consuming>();
        await_consuming_.push_back(promise);
        tell_waiters();
        return promise;
      },
      [this](drain_consumer) -> caf::result<drained> {
        auto promise = make_response_promise<drained>();
        await_drained_.push_back(promise);
        draining_ = true;
        for (broker::consumer_key key = 0; key < links_.size(); ++key)
          if (links_[key].queue)
            send(links_[key].queue->actor, broker::cancel_consumer{caf::actor_cast<caf::actor>(this), key});
        drain_if_idle();
        return promise;
      },
  };
}

// Exchanges, then the queue, then bindings, then consume: one request after the other, since each needs the one before.

void consumer_actor::connect(broker::consumer_key key) {
  if (!draining_ && !links_[key].queue)
    declare_exchange(key, 0);
}

void consumer_actor::declare_exchange(broker::consumer_key key, std::size_t index) {
  const auto& exchanges = links_[key].plan.exchanges;
  if (index >= exchanges.size())
    return declare_queue(key);
  broker::declare_exchange what;
  what.spec.name = exchanges[index];
  what.spec.type = "fanout";
  what.spec.durable = true;
  request(node_.broker->topology(), topology_timeout, std::move(what))
      .then([this, key, index](const broker::exchange_ok&) { declare_exchange(key, index + 1); },
            [this, key](const caf::error& why) { disconnected(key, broker::from_caf(why).what); });
}

void consumer_actor::declare_queue(broker::consumer_key key) {
  broker::declare_queue what;
  what.spec.name = links_[key].plan.name;
  what.spec.durable = true;
  what.spec.owner = card().path;
  request(node_.broker->topology(), topology_timeout, std::move(what))
      .then(
          [this, key](const broker::queue_ok& made) {
            links_[key].queue = made.queue;
            if (auto& gate = links_[key].plan.gate; gate && !made.queue->set_gate(gate))
              log::warning("queue_without_gate", {{"queue", made.queue->name}}); // then it gets all
            bind(key, 0);
          },
          [this, key](const caf::error& why) { disconnected(key, broker::from_caf(why).what); });
}

void consumer_actor::bind(broker::consumer_key key, std::size_t index) {
  const auto& plan = links_[key].plan;
  if (index >= plan.exchanges.size())
    return consume(key);
  broker::bind what;
  what.spec.source = plan.exchanges[index];
  what.spec.destination = plan.name;
  what.owner = card().path;
  request(node_.broker->topology(), topology_timeout, std::move(what))
      .then([this, key, index](const broker::bound&) { bind(key, index + 1); },
            [this, key](const caf::error& why) { disconnected(key, broker::from_caf(why).what); });
}

void consumer_actor::consume(broker::consumer_key key) {
  auto& link = links_[key];
  if (!link.queue || draining_)
    return;
  broker::start_consumer what;
  what.consumer = caf::actor_cast<caf::actor>(this);
  what.key = key;
  what.tag = card().path;
  what.prefetch = link.plan.prefetch;
  what.owner = card().path;
  monitor(link.queue->actor);
  request(link.queue->actor, topology_timeout, std::move(what))
      .then(
          [this, key](const broker::consume_ok&) {
            links_[key].failures = 0;
            links_[key].consumes = true;
            if (std::exchange(links_[key].bind_again, false)) {
              ++changing_;
              bind_also(key, links_[key].plan.exchanges);
            }
            tell_waiters();
          },
          [this, key](const caf::error& why) { disconnected(key, broker::from_caf(why).what); });
}

void consumer_actor::change_queues(const std::vector<consumed_queue>& queues,
                                   caf::typed_response_promise<types_taken> promise) {
  await_types_.push_back(std::move(promise));
  for (broker::consumer_key key = 0; key < links_.size(); ++key) {
    const auto same = std::find_if(queues.begin(), queues.end(),
                                   [&](const consumed_queue& one) { return one.name == links_[key].plan.name; });
    change_exchanges(key, same == queues.end() ? std::vector<std::string>{} : same->exchanges);
  }
  for (const auto& wanted : queues) {
    if (std::any_of(links_.begin(), links_.end(), [&](const link& one) { return one.plan.name == wanted.name; }))
      continue;
    links_.push_back({wanted});
    connect(links_.size() - 1);
  }
  tell_waiters();
}

void consumer_actor::change_exchanges(broker::consumer_key key, std::vector<std::string> wanted) {
  auto& plan = links_[key].plan;
  const auto has = [](const std::vector<std::string>& all, const std::string& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  for (const auto& exchange : plan.exchanges) {
    if (has(wanted, exchange))
      continue;
    broker::unbind what;
    what.spec.source = exchange;
    what.spec.destination = plan.name;
    what.owner = card().path;
    request(node_.broker->topology(), topology_timeout, std::move(what))
        .then([](const broker::bound&) {}, [](const caf::error&) {}); // then events come that nobody is told of
  }
  std::vector<std::string> added;
  for (const auto& exchange : wanted)
    if (!has(plan.exchanges, exchange))
      added.push_back(exchange);
  plan.exchanges = std::move(wanted);
  auto& one = links_[key];
  if (!one.consumes) { // it is being connected, perhaps by the exchanges of before
    one.bind_again = true;
    return;
  }
  if (added.empty())
    return;
  ++changing_;
  bind_also(key, std::move(added));
}

/// Declares and binds one exchange after the other.
void consumer_actor::bind_also(broker::consumer_key key, std::vector<std::string> left) {
  if (left.empty()) {
    --changing_;
    return tell_waiters();
  }
  const auto failed = [this, key](const caf::error& why) {
    --changing_;
    log::warning("subscription_not_bound",
                 {{"actor", card().path}, {"queue", links_[key].plan.name}, {"reason", broker::from_caf(why).what}});
    for (auto& promise : std::exchange(await_types_, {}))
      promise.deliver(why);
  };
  broker::declare_exchange made;
  made.spec.name = left.back();
  made.spec.type = "fanout";
  made.spec.durable = true;
  broker::bind what;
  what.spec.source = left.back();
  what.spec.destination = links_[key].plan.name;
  what.owner = card().path;
  left.pop_back();
  request(node_.broker->topology(), topology_timeout, std::move(made))
      .then(
          [this, key, what, left, failed](const broker::exchange_ok&) {
            request(node_.broker->topology(), topology_timeout, what)
                .then([this, key, left](const broker::bound&) { bind_also(key, left); }, failed);
          },
          failed);
}

void consumer_actor::disconnected(broker::consumer_key key, const std::string& why) {
  auto& link = links_[key];
  link.queue = nullptr;
  link.consumes = false;
  if (draining_)
    return drain_if_idle();
  log::warning("consumer_cut_off", {{"actor", card().path}, {"queue", link.plan.name}, {"reason", why}});
  delayed_send<caf::message_priority::high>(this, back_off{}.delay(link.failures++, random_bits()), connect_again{key});
}

void consumer_actor::on_deliver(broker::deliver& what) {
  auto& link = links_[what.key];
  if (!link.queue)
    return;
  std::size_t bytes = 0;
  for (const auto& item : what.items)
    bytes += item.message->footprint();
  // Prefetch bounds what is at work, so the link's credit goes back at once.
  send(link.queue->actor, broker::grant{id(), what.key, what.items.size(), bytes});
  unsettled_ += what.items.size();
  const auto queue = link.queue; // settling may lose the link
  auto number = what.first;
  in_batch_ = true;
  for (auto& item : what.items) {
    delivery next{what.key, number++, queue, std::move(item)};
    if (draining_ && next.item.at != 0)
      settle(next, broker::verdict::requeue); // on disk: found at the next start
    else
      on_delivery(std::move(next));
  }
  on_batch_over();
  in_batch_ = false;
  for (auto& [from, done] : std::exchange(settled_, {}))
    send(from->actor, done);
  drain_if_idle();
}

void consumer_actor::settle(const delivery& done, broker::verdict what) {
  --unsettled_;
  if (!in_batch_) {
    send(done.queue->actor, broker::settle{id(), done.key, done.number, done.number, what});
    return drain_if_idle();
  }
  if (!settled_.empty()) {
    auto& [from, before] = settled_.back();
    if (from == done.queue && before.key == done.key && before.what == what && before.last + 1 == done.number) {
      before.last = done.number;
      return;
    }
  }
  settled_.emplace_back(done.queue, broker::settle{id(), done.key, done.number, done.number, what});
}

void consumer_actor::bury(delivery what, const error& why) {
  bury(std::move(what), failure{why.what, why.what, 1, {}});
}

void consumer_actor::bury(delivery what, const failure& how) {
  if (bury_now(what, how))
    return;
  broker::declare_queue grave;
  grave.spec.name = how.queue.empty() ? broker::dead_letter_queue(what.queue->name) : how.queue;
  grave.spec.durable = true;
  request(node_.broker->topology(), topology_timeout, std::move(grave))
      .then(
          [this, what, how](const broker::queue_ok&) {
            if (!bury_now(what, how))
              settle(what, broker::verdict::requeue);
          },
          [this, what](const caf::error&) { settle(what, broker::verdict::requeue); });
}

/// False if there is no queue for dead letters.
bool consumer_actor::bury_now(const delivery& what, const failure& how) {
  auto changes = node_.broker->log().begin();
  broker::publisher out{node_.broker};
  out.begin();
  const auto letter = make_dead_letter(*what.item.message, what.queue->name, how, node_.clock.now());
  if (out.publish(letter, *changes) != broker::routed::queued)
    return false;
  if (what.item.at != 0)
    changes->delete_message(what.queue->number, what.item.at);
  node_.broker->log().commit(std::move(changes), [letters = std::make_shared<broker::publisher::handoff>(out.take())] {
    letters->send(); // not before: it could come twice after a crash
  });
  log::failure("dead_letter", {{"queue", what.queue->name}, {"attempts", how.attempts}, {"reason", how.last_error}});
  settle(what, broker::verdict::settled);
  return true;
}

void consumer_actor::tell_waiters() {
  if (!std::all_of(links_.begin(), links_.end(), [](const link& one) { return one.consumes; }))
    return;
  for (auto& promise : await_consuming_)
    promise.deliver(consuming{});
  await_consuming_.clear();
  if (changing_ > 0)
    return;
  for (auto& promise : await_types_)
    promise.deliver(types_taken{});
  await_types_.clear();
}

void consumer_actor::drain_if_idle() {
  if (!draining_ || unsettled_ > 0)
    return;
  for (auto& promise : await_drained_)
    promise.deliver(drained{});
  await_drained_.clear();
}

} // namespace switchboard::runtime
