#include "broker/topology_actor.hpp"

#include <unordered_map>

#include <caf/response_promise.hpp>
#include <caf/send.hpp>

#include "broker/delay_actor.hpp"
#include "broker/errors.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/queue_actor.hpp"
#include "broker/retry.hpp"
#include "broker/stream_actor.hpp"

namespace switchboard::broker {

/// From the log's thread: the changes of answer `number` are on disk.
struct change_stored {
  std::uint64_t number = 0;
};

} // namespace switchboard::broker

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::change_stored)

namespace switchboard::broker {

namespace {

class topology_actor final : public pinned_actor {
public:
  topology_actor(caf::actor_config& config, caf::execution_unit* home, topology_setup setup,
                 std::function<void(expected<void>)> restored)
      : pinned_actor(config, home), setup_(std::move(setup)), restored_(std::move(restored)), topology_(setup_.vhost) {
    // A queue that fails (out of memory, a defect) has messages that nobody can reach any more. What is durable is
    // found again at the next start, so the node goes to that.
    set_down_handler([this](const caf::down_msg& down) {
      const bool failed = down.reason && down.reason.category() != caf::atom("exit");
      if (failed)
        quit(down.reason);
    });
  }

  label handler_label() const override { return {"/topology@" + setup_.vhost, "topology"}; }

  caf::behavior make_behavior() override {
    auto outcome = restore();
    const bool whole = outcome.has_value();
    std::exchange(restored_, {})(std::move(outcome));
    if (!whole) {
      quit(); // on_exit lets go of the queues that were started
      return {};
    }
    return {
        [this](declare_queue& what) { return on_declare_queue(what); },
        [this](const find_queue& what) { return on_find_queue(what); },
        [this](const delete_queue& what) { return on_delete_queue(what); },
        [this](const declare_exchange& what) {
          return answer<exchange_ok>(
              topology_.declare_exchange(what.spec, what.passive, [this](const exchange_spec& spec) {
                return start_delay(spec, setup_.log->next_queue_number(), {});
              }));
        },
        [this](const delete_exchange& what) {
          return answer<exchange_ok>(topology_.delete_exchange(what.name, what.if_unused));
        },
        [this](const bind& what) { return answer<bound>(topology_.bind(what.spec, what.owner)); },
        [this](const unbind& what) { return answer<bound>(topology_.unbind(what.spec, what.owner)); },
        [this](put_policy& what) { return answer(topology_.put_policy(what.kind, std::move(what.what))); },
        [this](const remove_policy& what) { return answer(topology_.remove_policy(what.kind, what.name)); },
        [this](const list_topology&) { return listing(); },
        [this](const delete_everything&) { return on_delete_everything(); },
        [this](const owner_gone& what) {
          for (const auto& queue : topology_.queues_owned_by(what.owner))
            drop(queue->name, queue->number);
        },
        [this](const queue_unused& what) { drop(what.name, what.number); },
        [](const wake_queue& what) {
          if (const auto queue = caf::actor_cast<caf::actor>(what.queue))
            caf::anon_send(queue, what.tick);
        },
        [this](const change_stored& what) {
          if (auto found = waiting_.find(what.number); found != waiting_.end()) {
            auto then = std::move(found->second);
            waiting_.erase(found);
            then();
          }
        },
    };
  }

  /// The node stops: queues end, nothing is deleted. Letting go of them here breaks the circle of actors that hold one
  /// another.
  void on_exit() override {
    topology_.each_queue([](const queue_spec&, const endpoint_ptr& queue) { shut(*queue, /*stopping*/ true); });
    topology_.each_delay([](const endpoint_ptr& delay) { shut(*delay, /*stopping*/ true); });
    waiting_.clear();
    topology_ = topology{};
    publish_routes();
  }

private:
  expected<void> restore() {
    expected<void> messages;
    const auto each_stored = [&](const std::string& name, queue_number number,
                                 const std::function<void(queued)>& take) {
      // Nobody wrote down what was delivered before the stop, so each may have been: redelivered says just that.
      auto read_queue = setup_.log->each_message(number, [&](position at, message_ptr what) {
        take({std::move(what), at, true});
      });
      // One damaged record must not keep the node down: the others of its queue were read.
      if (auto owner = setup_.owner.lock(); !read_queue && read_queue.error().code == errc::corrupt && owner)
        owner->note_damaged(name);
      else if (!read_queue && messages)
        messages = read_queue;
    };
    auto restored = topology_.restore(
        std::exchange(setup_.records, {}),
        [&](const queue_spec& spec, queue_number number) {
          message_queue queue{read_queue_arguments(topology_.effective_arguments(spec), spec.name)};
          if (is_stream(spec.arguments)) // which reads for itself
            return start_queue(spec, number, std::move(queue));
          read_ids(spec, number, queue);
          auto pasts = read_attempts(spec, number);
          each_stored(spec.name, number, [&](queued item) {
            // A time to live begins anew with the node: the log does not say when a message came.
            const auto past = pasts.extract(item.at);
            queue.restore(std::move(item), std::chrono::steady_clock::now(),
                          past ? past.mapped() : message_queue::past{});
            if (const auto most = resident_bytes_max(setup_.bounds); queue.deep(most))
              queue.page_out(most / 2, queue.last_sequence());
          });
          for (const auto& [message, past] : pasts) // of messages that are gone
            queue.forget_record(past.record);
          return start_queue(spec, number, std::move(queue));
        },
        [&](const exchange_spec& spec, queue_number number) {
          std::vector<queued> found;
          each_stored(spec.name, number, [&](queued item) { found.push_back(std::move(item)); });
          return start_delay(spec, number, std::move(found));
        });
    publish_routes();
    return restored ? messages : restored;
  }

  /// What the log knows of the attempts of the queue's messages, by message.
  std::unordered_map<position, message_queue::past> read_attempts(const queue_spec& spec, queue_number number) {
    std::unordered_map<position, message_queue::past> found;
    if (!spec.durable)
      return found;
    const auto wall = system_clock{}.now();
    const auto now = std::chrono::steady_clock::now();
    static_cast<void>(setup_.log->each_message(retries_of(number), [&](position at, const message_ptr& what) {
      if (const auto record = decode_retry(*what))
        found[record->message] = {record->failures, record->returns, at,
                                  now + std::max(record->due - wall, milliseconds{0})};
    })); // a damaged one is as if it were not there: the message begins anew
    return found;
  }

  /// The ids of messages that have left.
  void read_ids(const queue_spec& spec, queue_number number, message_queue& queue) {
    if (!queue.ids() || !spec.durable)
      return;
    const auto wall = system_clock{}.now();
    const auto now = std::chrono::steady_clock::now();
    static_cast<void>(setup_.log->each_message(ids_of(number), [&](position at, const message_ptr& what) {
      if (auto record = decode_id(*what))
        queue.ids()->restore(std::move(record->id), now + (record->until - wall), at);
    })); // of a damaged one a repeat would be let in
  }

  endpoint_ptr start_queue(const queue_spec& spec, queue_number number, message_queue queue) {
    auto* where = setup_.where[number % setup_.where.size()];
    if (is_stream(spec.arguments)) {
      auto stream =
          spawn_stream(system(), where, {setup_.vhost, spec, topology_.effective_arguments(spec), number, setup_.log});
      monitor(stream);
      return std::make_shared<queue_handle>(number, spec.name, spec.durable, std::move(stream), endpoint_kind::stream);
    }
    auto actor = spawn_queue(system(), where,
                             {setup_.vhost, spec, topology_.effective_arguments(spec), number, setup_.owner, setup_.log,
                              caf::actor_cast<caf::actor>(this), setup_.bounds, std::move(queue)});
    monitor(actor);
    return std::make_shared<queue_handle>(number, spec.name, spec.durable, std::move(actor));
  }

  endpoint_ptr start_delay(const exchange_spec& spec, queue_number number, std::vector<queued> recovered) {
    auto actor =
        spawn_delay(system(), setup_.where[number % setup_.where.size()],
                    {spec, number, setup_.owner, setup_.log, caf::actor_cast<caf::actor>(this), std::move(recovered)});
    monitor(actor);
    return std::make_shared<queue_handle>(number, spec.name, spec.durable, std::move(actor), endpoint_kind::delay);
  }

  static void shut(const endpoint& what, bool stopping) {
    caf::anon_send(static_cast<const queue_handle&>(what).actor, shut_queue{stopping});
  }

  caf::result<queue_ok> on_declare_queue(const declare_queue& what) {
    auto declared = topology_.declare_queue(
        what.spec, what.passive,
        [this](const queue_spec& spec) {
          return start_queue(spec, setup_.log->next_queue_number(),
                             message_queue{read_queue_arguments(topology_.effective_arguments(spec), spec.name)});
        },
        what.queues_max);
    if (!declared)
      return to_caf(declared.error());
    auto queue = std::static_pointer_cast<const queue_handle>(declared->queue);
    auto promise = make_response_promise<queue_ok>();
    if (declared->created) {
      publish_routes();
      store(std::move(declared->changes), [promise, queue]() mutable { promise.deliver(queue_ok{queue, 0, 0}); });
      return promise;
    }
    request(queue->actor, caf::infinite, inspect_queue{/*used*/ true})
        .then(
            [promise, queue](const queue_status& now) mutable {
              promise.deliver(queue_ok{queue, now.ready, queue->kind == endpoint_kind::stream ? 0 : now.consumers});
            },
            [promise](const caf::error& why) mutable { promise.deliver(why); });
    return promise;
  }

  caf::result<queue_ok> on_find_queue(const find_queue& what) {
    auto found = topology_.find_queue(what.name, what.owner);
    if (!found)
      return to_caf(found.error());
    return queue_ok{std::static_pointer_cast<const queue_handle>(*found), 0, 0};
  }

  caf::result<queue_deleted> on_delete_queue(const delete_queue& what) {
    auto found = topology_.find_queue(what.name, what.owner);
    if (!found && found.error().code == errc::not_found)
      return queue_deleted{0};
    if (!found)
      return to_caf(found.error());
    auto promise = make_response_promise<queue_deleted>();
    auto queue = std::static_pointer_cast<const queue_handle>(*found);
    request(queue->actor, caf::infinite, inspect_queue{})
        .then(
            [this, what, queue, promise](queue_status now) mutable -> void {
              if (queue->kind == endpoint_kind::stream) // it goes whoever reads it, and nobody is told of its messages
                now = {};
              auto removed = topology_.delete_queue(what.name, what.owner, what.if_unused, what.if_empty,
                                                    {now.ready + now.waiting, now.consumers});
              if (!removed)
                promise.deliver(to_caf(removed.error()));
              else if (!removed->queue)
                promise.deliver(queue_deleted{0});
              else
                finish_removal(std::move(*removed), [promise, gone = now.ready + now.waiting]() mutable {
                  promise.deliver(queue_deleted{gone});
                });
            },
            [promise](const caf::error&) mutable { promise.deliver(queue_deleted{0}); }); // it went meanwhile
    return promise;
  }

  void drop(const std::string& name, queue_number number) {
    if (auto removed = topology_.drop_queue(name, number); removed.queue)
      finish_removal(std::move(removed), [] {});
  }

  void finish_removal(queue_removed removed, std::function<void()> then) {
    publish_routes();
    const auto& queue = static_cast<const queue_handle&>(*removed.queue);
    send(queue.actor, shut_queue{});
    store(std::move(removed.changes), std::move(then), queue.durable ? queue.number : 0);
  }

  template <class Answer>
  caf::result<Answer> answer(expected<record_changes> outcome) {
    if (!outcome)
      return to_caf(outcome.error());
    publish_routes();
    auto promise = make_response_promise<Answer>();
    store(std::move(*outcome), [promise]() mutable { promise.deliver(Answer{}); });
    return promise;
  }

  caf::result<policy_ok> answer(expected<policy_changed> outcome) {
    if (!outcome)
      return to_caf(outcome.error());
    for (auto& [queue, effective] : outcome->queues)
      send(static_cast<const queue_handle&>(*queue).actor, change_arguments{std::move(effective)});
    return answer<policy_ok>(std::move(outcome->changes));
  }

  topology_listing listing() const {
    topology_listing all;
    const auto& policies = topology_.policies();
    const auto name_of = [&](policy_kind kind, policy_target target, const std::string& name) {
      const auto* found = policies.match(kind, target, name);
      return found ? found->name : std::string{};
    };
    topology_.each_exchange([&](const exchange_spec& spec) {
      all.exchanges.push_back({spec, name_of(policy_kind::standard, policy_target::exchanges, spec.name)});
    });
    topology_.each_queue([&](const queue_spec& spec, const endpoint_ptr& queue) {
      all.queues.push_back({spec, std::static_pointer_cast<const queue_handle>(queue),
                            name_of(policy_kind::standard, policy_target::queues, spec.name),
                            name_of(policy_kind::bounding, policy_target::queues, spec.name),
                            topology_.effective_arguments(spec)});
    });
    topology_.each_binding([&](const binding_spec& spec) { all.bindings.push_back(spec); });
    all.policies = policies;
    return all;
  }

  caf::result<everything_deleted> on_delete_everything() {
    auto transaction = setup_.log->begin();
    topology_.each_queue([&](const queue_spec&, const endpoint_ptr& queue) {
      send(static_cast<const queue_handle&>(*queue).actor, shut_queue{});
      if (queue->durable)
        forget_messages(*transaction, queue->number);
    });
    topology_.each_delay([&](const endpoint_ptr& delay) {
      shut(*delay, /*stopping*/ false);
      if (delay->durable)
        transaction->delete_queue_messages(delay->number);
    });
    for (auto& change : topology_.clear())
      transaction->delete_topology(std::move(change.key));
    publish_routes();
    auto promise = make_response_promise<everything_deleted>();
    const auto number = ++last_change_;
    waiting_.emplace(number, [promise]() mutable { promise.deliver(everything_deleted{}); });
    setup_.log->commit(std::move(transaction), [self = caf::actor_cast<caf::actor>(this), number] {
      caf::anon_send(self, change_stored{number});
    });
    return promise;
  }

  static void forget_messages(durable_transaction& changes, queue_number queue) {
    changes.delete_queue_messages(queue);
    changes.delete_queue_messages(retries_of(queue));
    changes.delete_queue_messages(ids_of(queue));
  }

  /// Runs `then` once the changes are on disk; at once if there are none. `emptied`: a queue whose messages go with
  /// them.
  void store(record_changes changes, std::function<void()> then, queue_number emptied = 0) {
    const auto delays = topology_.take_removed_delays();
    for (const auto& gone : delays)
      shut(*gone, /*stopping*/ false);
    if (changes.empty() && emptied == 0)
      return then();
    auto transaction = setup_.log->begin();
    for (auto& change : changes) {
      if (change.bytes)
        transaction->put_topology(std::move(change.key), std::move(*change.bytes));
      else
        transaction->delete_topology(std::move(change.key));
    }
    if (emptied != 0)
      forget_messages(*transaction, emptied);
    for (const auto& gone : delays) // a durable one's exchange is among the changes
      if (gone->durable)
        transaction->delete_queue_messages(gone->number);
    const auto number = ++last_change_;
    waiting_.emplace(number, std::move(then));
    setup_.log->commit(std::move(transaction), [self = caf::actor_cast<caf::actor>(this), number] {
      caf::anon_send(self, change_stored{number});
    });
  }

  void publish_routes() {
    if (auto owner = setup_.owner.lock())
      owner->swap_routes(topology_.snapshot());
  }

  topology_setup setup_;
  std::function<void(expected<void>)> restored_;
  topology topology_;
  std::uint64_t last_change_ = 0;
  std::unordered_map<std::uint64_t, std::function<void()>> waiting_;
};

} // namespace

caf::actor spawn_topology(caf::actor_system& system, topology_setup setup,
                          std::function<void(expected<void>)> restored) {
  auto* home = setup.where.front();
  return system.spawn<topology_actor>(home, std::move(setup), std::move(restored));
}

} // namespace switchboard::broker
