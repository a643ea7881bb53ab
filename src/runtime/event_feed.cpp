#include "runtime/event_feed.hpp"

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

#include <caf/send.hpp>

#include "broker/errors.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/protocol.hpp"
#include "runtime/consumer_actor.hpp"
#include "runtime/log.hpp"

namespace switchboard::runtime {

/// The feed to itself: its queue went away, make another.
struct subscribe_again {};

} // namespace switchboard::runtime

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::runtime::subscribe_again)

namespace switchboard::runtime {

namespace {

constexpr broker::consumer_key key = 1; // the feed has one consumer
constexpr std::chrono::seconds start_timeout{10};
constexpr std::chrono::seconds retry_interval{1};

using outcome = std::function<void(expected<void>)>;

class feed_actor final : public broker::pinned_actor {
public:
  feed_actor(caf::actor_config& config, caf::execution_unit* home, node_context& node, event_feed_options how,
             event_feed::sink to, outcome started)
      : pinned_actor(config, home), node_(node), how_(std::move(how)), sink_(std::move(to)),
        started_(std::move(started)),
        card_(node.directory.enter("/" + how_.owner + "/feed", "event_feed", node.clock.now())),
        unreadable_(node.metrics.dropped.Add({{"bridge", how_.owner}, {"reason", "bad_event"}})) {}

  caf::behavior make_behavior() override {
    if (how_.of_all_types)
      node_.served.follow(caf::actor_cast<caf::actor>(this));
    subscribe();
    return {
        [this](const broker::deliver& what) { on_deliver(what); },
        [this](take_types) { return on_types(); },
        [this](const broker::consumer_cancelled&) { on_lost("its queue was deleted"); },
        [this](subscribe_again) { subscribe(); },
    };
  }

  label handler_label() const override { return {"/" + how_.owner + "/feed", "event_feed"}; }

  void on_exit() override {
    *open_ = false;
    node_.served.unfollow(address());
    send(node_.broker->topology(), broker::owner_gone{how_.owner});
    sink_ = {};
    how_.wanted = {}; // with what it holds, on this thread
    card_.reset();
  }

private:
  void subscribe() {
    retrying_ = false;
    broker::declare_queue declare;
    declare.spec.exclusive = true;
    declare.spec.auto_delete = true;
    declare.spec.owner = how_.owner;
    request(node_.broker->topology(), caf::infinite, std::move(declare))
        .then(
            [this](const broker::queue_ok& made) {
              queue_ = made.queue;
              bound_.clear();
              bind_missing([this] { consume(); }, [this](const caf::error& why) { on_failed(why); });
            },
            [this](const caf::error& why) { on_failed(why); });
  }

  std::vector<std::string> wanted_exchanges() const {
    auto names = how_.exchanges;
    if (how_.of_all_types)
      for (auto& more : node_.served.event_exchanges())
        names.push_back(std::move(more));
    return names;
  }

  /// `then`: once all of them are bound. Topology answers in the order of the questions, so these need not wait for one
  /// another.
  void bind_missing(const std::function<void()>& then, const std::function<void(const caf::error&)>& failed) {
    const auto unbound = std::make_shared<std::size_t>(1); // one for this loop
    for (const auto& name : wanted_exchanges()) {
      if (!bound_.insert(name).second)
        continue;
      ++*unbound;
      broker::declare_exchange declare;
      declare.spec.name = name;
      declare.spec.type = "fanout";
      declare.spec.durable = true;
      request(node_.broker->topology(), caf::infinite, std::move(declare)).then([](broker::exchange_ok) {}, failed);
      request(node_.broker->topology(), caf::infinite, broker::bind{{name, queue_->name, false, "", {}}, how_.owner})
          .then(
              [unbound, then](broker::bound) {
                if (--*unbound == 0)
                  then();
              },
              [this, name, failed](const caf::error& why) {
                bound_.erase(name);
                failed(why);
              });
    }
    if (--*unbound == 0)
      then();
  }

  caf::result<types_taken> on_types() {
    if (!queue_ || retrying_) // it binds all there are when it comes to that
      return types_taken{};
    auto answer = make_response_promise<types_taken>();
    bind_missing([answer]() mutable { answer.deliver(types_taken{}); },
                 [answer](const caf::error& why) mutable {
                   if (answer.pending())
                     answer.deliver(why);
                 });
    return answer;
  }

  void consume() {
    broker::start_consumer ask;
    ask.consumer = caf::actor_cast<caf::actor>(this);
    ask.key = key;
    ask.tag = how_.owner;
    ask.no_ack = true;
    ask.owner = how_.owner;
    request(queue_->actor, caf::infinite, std::move(ask))
        .then([this](broker::consume_ok) { report({}); }, [this](const caf::error& why) { on_failed(why); });
  }

  void on_failed(const caf::error& why) {
    const auto cause = broker::from_caf(why);
    if (started_) {
      report(cause);
      quit();
    } else {
      on_lost(cause.what);
    }
  }

  void on_lost(const std::string& cause) {
    if (std::exchange(retrying_, true))
      return;
    log::warning("event_feed_lost", {{"bridge", how_.owner}, {"cause", cause}});
    delayed_send(this, retry_interval, subscribe_again{});
  }

  void report(expected<void> what) {
    if (auto started = std::exchange(started_, {}))
      started(std::move(what));
  }

  void on_deliver(const broker::deliver& what) {
    // The batch gives its credit back wherever it ends; a message to the queue may come from any thread.
    std::size_t bytes = 0;
    for (const auto& item : what.items)
      bytes += item.message->footprint();
    auto batch = std::shared_ptr<event_batch>{new event_batch, [queue = queue_, id = id(), count = what.items.size(),
                                                                bytes, open = open_](event_batch* dead) {
                                                delete dead;
                                                if (*open) // else the node may be half gone already
                                                  caf::anon_send(queue->actor, broker::grant{id, key, count, bytes});
                                              }};
    card_->handled += what.items.size();
    if (!how_.wanted())
      return;
    batch->events.reserve(what.items.size());
    for (const auto& item : what.items)
      read(item.message->body(), batch->events);
    sink_(std::move(batch));
  }

  void read(std::string_view body, std::vector<event>& to) {
    auto parsed = decode_event(body);
    if (parsed) {
      to.push_back(*std::move(parsed));
    } else {
      unreadable_.Increment();
      log::debug("event_unreadable", {{"bridge", how_.owner}, {"cause", parsed.error().what}});
    }
  }

  node_context& node_;
  event_feed_options how_;
  event_feed::sink sink_;
  outcome started_;
  std::shared_ptr<actor_card> card_;
  prometheus::Counter& unreadable_;
  broker::queue_ptr queue_;
  std::set<std::string> bound_; ///< to queue_, or about to be
  bool retrying_ = false;
  const std::shared_ptr<std::atomic<bool>> open_ = std::make_shared<std::atomic<bool>>(true);
};

} // namespace

/// Told by CAF's clean-up, on whatever thread that is.
struct event_feed::ending {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
};

event_feed::event_feed(caf::actor actor, std::shared_ptr<ending> over)
    : actor_(std::move(actor)), over_(std::move(over)) {}

event_feed::~event_feed() { stop(milliseconds{0}); }

expected<std::unique_ptr<event_feed>> event_feed::start(node_context& node, asio_unit& home, event_feed_options how,
                                                        sink to) {
  const auto answer = std::make_shared<std::promise<expected<void>>>();
  auto actor =
      node.system.spawn<feed_actor>(static_cast<caf::execution_unit*>(&home), node, std::move(how), std::move(to),
                                    [answer](expected<void> what) { answer->set_value(std::move(what)); });
  auto over = std::make_shared<ending>();
  actor->attach_functor([over] {
    std::lock_guard hold{over->mutex};
    over->over = true;
    over->changed.notify_all();
  });
  std::unique_ptr<event_feed> made{new event_feed{std::move(actor), std::move(over)}};
  auto result = answer->get_future();
  if (result.wait_for(start_timeout) != std::future_status::ready)
    return {errc::timed_out, "the broker did not answer"};
  if (auto outcome = result.get(); !outcome)
    return outcome.error();
  return made;
}

bool event_feed::stop(milliseconds grace) {
  caf::anon_send_exit(actor_, caf::exit_reason::user_shutdown);
  std::unique_lock hold{over_->mutex};
  return over_->changed.wait_for(hold, grace, [this] { return over_->over; });
}

} // namespace switchboard::runtime
