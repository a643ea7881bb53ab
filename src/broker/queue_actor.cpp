#include "broker/queue_actor.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include <caf/send.hpp>

#include "base/fail_point.hpp"
#include "broker/amqp_reply.hpp"
#include "broker/errors.hpp"
#include "broker/message_queue.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/publisher.hpp"

namespace switchboard::broker {

// Sent by a queue to itself.
struct trickle_tick {};    ///< a publisher has waited for trickle_interval
struct flush_deletions {}; ///< write what was settled since the last one
struct expiry_tick {       ///< a message's time to live or its wait may be over, or there are dead letters to send
  std::chrono::steady_clock::time_point armed; ///< which arming this is; a later one makes it void
};
struct routes_tick {};    ///< look whether the broker has its routes by now
struct unused_tick {};    ///< look whether x-expires is over
struct letters_stored {}; ///< the log has dead letters, which are on their way now
struct pages_stored {     ///< the log has all up to that one
  std::uint64_t up_to = 0;
};

} // namespace switchboard::broker

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::trickle_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::flush_deletions)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::expiry_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::routes_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::unused_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::letters_stored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::pages_stored)

namespace switchboard::broker {

namespace {

using namespace std::chrono_literals;

/// How long a publisher waits for a queue that does not drain at all before one of its batches is let in all the same:
/// publisher and stuck consumer may be one connection, whose acks we would otherwise never read.
constexpr auto trickle_interval = 100ms;

/// How long dead letters wait for the routes while the broker still starts.
constexpr auto routes_recheck = 20ms;

/// What a delay is kept below; longer ones are armed again. Bounds how many void ticks wait in CAF's clock.
constexpr auto delay_max = 10s;

/// Of the head of a deep queue, what is read at once; and what each queue may keep when memory is scarce.
constexpr std::size_t page_bytes = 1u << 20;
constexpr std::size_t scarce_bytes_max = 4u << 20;

/// Of messages that go to disk in one transaction: the store needs as much memory again while it writes them.
constexpr std::size_t spill_part_bytes = 1u << 20;

bool is_memory_scarce(const limits& bounds) {
  return message::resident_bytes() > static_cast<std::int64_t>(bounds.memory_bytes_max / 2);
}

/// Messages looked at, or sent back, at once.
constexpr std::size_t batch_max = 1000;

/// Deletions of one transaction: a purge of millions must not keep confirms waiting.
constexpr std::size_t deletions_max = 10'000;

class queue_actor final : public pinned_actor {
public:
  queue_actor(caf::actor_config& config, caf::execution_unit* home, queue_setup setup)
      : pinned_actor(config, home), setup_(std::move(setup)), queue_(std::move(setup_.queue)),
        is_grave_(is_dead_letter_queue(setup_.spec.name)) {
    set_down_handler([this](caf::down_msg& down) { on_down(down); });
  }

  label handler_label() const override { return {"/queues/" + setup_.spec.name + "@" + setup_.vhost, "message_queue"}; }

  caf::behavior make_behavior() override {
    send(this, expiry_tick{{}}); // for what was recovered
    if (queue_.how().expires)
      await_use();
    return {
        [this](enqueue_batch& batch) { on_enqueue(batch); },
        [this](const settle& what) { on_settle(what); },
        [this](const grant& what) { on_grant(what); },
        [this](const change_prefetch& what) { on_change_prefetch(what); },
        [this](start_consumer& what) -> caf::result<consume_ok> { return on_consume(what); },
        [this](const cancel_consumer& what) -> cancel_ok { return on_cancel(what); },
        [this](const release_consumer& what) { on_release(what.consumer.id(), what.key, what.more); },
        [this](const get& what) -> caf::result<got> { return on_get(what); },
        [this](const purge&) -> purged { return on_purge(); },
        [this](const purge_some& what) -> purged { return on_purge_some(what.which); },
        [this](const browse& what) -> caf::result<browsed> { return on_browse(what); },
        [this](const replay& what) -> caf::result<replayed> { return on_replay(what); },
        [this](const inspect_queue& what) -> queue_status {
          if (what.used)
            touch();
          return status();
        },
        [this](expiry_tick tick) {
          if (tick.armed == expiry_armed_)
            on_expiry();
        },
        [this](routes_tick) {
          awaiting_routes_ = false;
          bury();
        },
        [this](unused_tick) { await_use(); },
        [this](pages_stored what) {
          paging_out_ = false;
          queue_.page_out(bytes_kept(), what.up_to);
          after_change();
        },
        [this](letters_stored) {
          if (--letters_on_way_ > 0 || !queue_.has_dead_waiting())
            return;
          queue_.letters_gone();
          expire(now());
          turn();
        },
        [this](flush_deletions) { write_deletions(); },
        [this](trickle_tick) { on_trickle(); },
        [this](const change_arguments& what) { on_change(what); },
        [this](const shut_queue& why) { on_shut(why.stopping); },
    };
  }

  /// What was settled last is not forgotten, however the queue ends.
  void on_exit() override { write_all_deletions(); }

private:
  struct peer {
    caf::actor actor;
    consumer_key key = 0;
    message_queue::consumer_id id = 0;
    deliver batch; ///< being filled by pump()
  };
  struct held {
    caf::actor publisher;
    enqueued answer;
  };
  using peer_key = std::pair<caf::actor_id, consumer_key>;

  static message_queue::instant now() { return std::chrono::steady_clock::now(); }

  void on_enqueue(enqueue_batch& batch) {
    enqueued answer{setup_.number, batch.token, {}};
    const auto at = now();
    expire(at); // before anything is handed out
    // Where it shows, each has its chance before the next one comes: to be taken, which makes room; to be too much; to
    // be over its time.
    const auto& how = queue_.how();
    const bool one_by_one = how.max_priority > 0 || how.max_length || how.max_length_bytes;
    for (auto& item : batch.items) {
      const auto ordinal = item.ordinal;
      if (!queue_.enqueue(std::move(item), at, done_))
        answer.refused.push_back(ordinal);
      else if (one_by_one) {
        pump();
        expire(at);
      }
    }
    pump();
    if (!batch.publisher)
      return;
    if (too_deep()) {
      held_.push_back({std::move(batch.publisher), std::move(answer)});
      arm_trickle();
    } else {
      send(batch.publisher, std::move(answer));
    }
  }

  void on_settle(const settle& what) {
    if (auto* who = find(what.consumer, what.key)) {
      queue_.settle(who->id, what.first, what.last, what.what, done_,
                    queue_.how().retry || queue_.ids() ? now() : message_queue::instant{});
      forget_if_spent({what.consumer, what.key});
      if (!what.more)
        turn();
    }
  }

  void on_grant(const grant& what) {
    if (auto* who = find(what.consumer, what.key)) {
      queue_.grant(who->id, what.messages, what.bytes);
      turn();
    }
  }

  void on_change_prefetch(const change_prefetch& what) {
    if (auto* who = find(what.consumer, what.key)) {
      queue_.set_prefetch(who->id, what.prefetch);
      turn();
    }
  }

  caf::result<consume_ok> on_consume(start_consumer& what) {
    if (unused_)
      return to_caf(no_such_queue());
    if (what.arguments.find("x-stream-offset"))
      return to_caf(precondition_failed("invalid arg 'x-stream-offset' for " +
                                        named("queue", setup_.spec.name, setup_.vhost) + " of queue type rabbit_" +
                                        (queue_.how().counts_deliveries ? "quorum_queue" : "classic_queue")));
    touch();
    if (!queue_.may_add(what.exclusive))
      return to_caf({errc::access_refused,
                     "ACCESS_REFUSED - " + named("queue", setup_.spec.name, setup_.vhost) + " in exclusive use"});
    add_peer(what.consumer, what.key, {what.no_ack, what.exclusive, what.prefetch, what.priority, /*passive*/ false});
    // The answer must reach the consumer before its first delivery, so the pump comes by a message to ourselves.
    send(this, grant{what.consumer.id(), what.key, 0, 0});
    return consume_ok{what.key};
  }

  cancel_ok on_cancel(const cancel_consumer& what) {
    const peer_key key{what.consumer.id(), what.key};
    if (auto* who = find(key.first, key.second)) {
      const auto last = queue_.stop(who->id);
      forget_if_spent(key);
      after_leave(last);
      turn();
    }
    return {what.key};
  }

  void on_release(caf::actor_id actor, consumer_key key, bool more = false) {
    auto found = peers_.find({actor, key});
    if (found == peers_.end()) {
      if (!more) // the last of several: what the others gave back goes on
        turn();
      return;
    }
    const auto last = queue_.release(found->second.id, done_);
    forget(found);
    after_leave(last);
    if (!more)
      turn();
  }

  caf::result<got> on_get(const get& what) {
    if (queue_.how().counts_deliveries && queue_.how().single_active_consumer)
      return to_caf(resource_locked("cannot obtain access to locked " + named("queue", setup_.spec.name, setup_.vhost) +
                                    ". basic.get operations are not supported by quorum queues with single active "
                                    "consumer"));
    touch();
    expire(now());
    auto* who = find(what.consumer.id(), what.key);
    if (!who)
      // Not no_ack, whatever this one asks: the next get of the same taker may want its message back.
      who = &add_peer(what.consumer, what.key, {false, false, 0, 0, /*passive*/ true});
    got answer;
    std::optional<std::pair<delivery_number, queued>> item;
    paging([&] { item = queue_.get(who->id, what.no_ack, done_, now()); });
    if (item) {
      answer.empty = false;
      answer.number = item->first;
      answer.item = std::move(item->second);
    }
    expire(now()); // what stood behind it is not counted if its time is over
    answer.remaining = queue_.ready();
    after_change();
    return answer;
  }

  purged on_purge() {
    purged answer{queue_.purge(done_)};
    after_change();
    return answer;
  }

  // -- looking at messages, and sending dead letters back ------------------------------------------------------------

  /// Messages of `seen` that are in the log alone are read.
  expected<void> fetch(std::vector<message_queue::ready_message>& seen) {
    std::vector<message_queue::paged> wanted;
    for (const auto& each : seen)
      if (!each.message)
        wanted.push_back(each.where);
    std::map<message_queue::paged, message_ptr> found;
    if (auto read = read_paged(wanted, found); !read)
      return read;
    for (auto& each : seen)
      if (!each.message)
        each.message = found[each.where];
    return {};
  }

  caf::result<browsed> on_browse(const browse& what) {
    browsed answer;
    auto skip = what.skip;
    for (bool found = false; !found;) {
      auto seen = queue_.look(skip, what.only != 0 ? batch_max : what.count, browse_bytes_max);
      skip += seen.size();
      answer.more = skip < queue_.ready();
      if (what.only != 0)
        std::erase_if(seen, [&](const auto& each) { return each.where.at != what.only || each.where.spilled; });
      if (auto read = fetch(seen); !read)
        return to_caf(read.error());
      for (auto& each : seen)
        if (each.message)
          answer.messages.push_back(
              {std::move(each.message), each.where.spilled ? 0 : each.where.at, each.redelivered});
      found = what.only == 0 || !answer.messages.empty() || !answer.more;
    }
    return answer;
  }

  caf::result<replayed> on_replay(const replay& what) {
    auto owner = setup_.owner.lock();
    if (!owner || !owner->routes())
      return to_caf({errc::unavailable, "the broker is starting"});
    auto seen = queue_.look(what.skip, batch_max, browse_bytes_max);
    replayed answer;
    answer.more = what.skip + seen.size() < queue_.ready();
    const auto looked_at = seen.size();
    const std::set<position> which{what.which.begin(), what.which.end()};
    if (!which.empty())
      std::erase_if(seen, [&](const auto& each) { return each.where.spilled || !which.contains(each.where.at); });
    if (auto read = fetch(seen); !read)
      return to_caf(read.error());
    auto changes = setup_.log->begin();
    publisher out{owner};
    out.begin();
    std::set<std::uint64_t> gone;
    for (const auto& each : seen) {
      const auto back = each.message ? undo_death(*each.message) : std::nullopt;
      if (!back || out.publish_to(back->queue, back->message, *changes) != routed::queued)
        continue;
      gone.insert(each.sequence);
      if (each.where.at != 0 && !each.where.spilled)
        changes->delete_message(setup_.number, each.where.at);
    }
    answer.messages = gone.size();
    answer.kept = looked_at - gone.size();
    if (gone.empty())
      return answer;
    queue_.take_out([&](std::uint64_t sequence, position) { return gone.contains(sequence); }, /*drop*/ false, done_);
    send_stored(std::move(changes), out.take());
    after_change();
    return answer;
  }

  purged on_purge_some(const std::vector<position>& which) {
    const std::set<position> wanted{which.begin(), which.end()};
    const purged answer{queue_.take_out([&](std::uint64_t, position at) { return at != 0 && wanted.contains(at); },
                                        /*drop*/ true, done_)};
    after_change();
    return answer;
  }

  void on_change(const change_arguments& what) {
    bury(); // what died, died under the rules of then
    const bool expired = queue_.how().expires.has_value();
    queue_.change(read_queue_arguments(what.effective, setup_.spec.name));
    if (queue_.how().expires && !expired) {
      touch();
      await_use();
    }
    turn();
  }

  void on_shut(bool stopping) {
    for (auto& [key, who] : peers_)
      send(who.actor, consumer_cancelled{who.key});
    let_in(held_.size());
    while (!peers_.empty())
      forget(peers_.begin());
    deleted_ = !stopping;
    if (is_grave_ && !stopping)
      tell_letters(0);
    write_all_deletions();
    queue_ = {};
    if (spilled_ && !stopping)
      forget_pages();
    if (stopping)
      return quit();
    become(after_life());
  }

  /// A deleted queue answers as long as somebody still holds it: publishers route by snapshots of a moment ago, and one
  /// whose batch is never answered would wait for ever. CAF ends the actor with the last who knows it.
  caf::behavior after_life() {
    return {
        [this](const enqueue_batch& batch) {
          for (const auto& item : batch.items) // written after the queue's messages were deleted from the log
            if (item.at)
              done_.push_back(item.at);
          write_deletions();
          if (batch.publisher)
            send(batch.publisher, enqueued{setup_.number, batch.token, {}});
        },
        [this](const start_consumer&) -> caf::result<consume_ok> { return to_caf(no_such_queue()); },
        [this](const get&) -> caf::result<got> { return to_caf(no_such_queue()); },
        [](const cancel_consumer& what) { return cancel_ok{what.key}; },
        [](const settle&) {},
        [](const grant&) {},
        [](const change_prefetch&) {},
        [](const release_consumer&) {},
        [](const purge&) { return purged{}; },
        [](const purge_some&) { return purged{}; },
        [](const browse&) { return browsed{}; },
        [](const replay&) { return replayed{}; },
        [](const inspect_queue&) { return queue_status{}; },
        [](expiry_tick) {},
        [](routes_tick) {},
        [](unused_tick) {},
        [](flush_deletions) {},
        [](letters_stored) {},
        [](pages_stored) {},
        [](trickle_tick) {},
        [](const change_arguments&) {},
        [this](const shut_queue& why) {
          if (why.stopping)
            quit();
        },
    };
  }

  error no_such_queue() const { return not_found("no " + named("queue", setup_.spec.name, setup_.vhost)); }

  void on_down(const caf::down_msg& down) {
    // Collect first: on_release changes peers_.
    std::vector<consumer_key> keys;
    for (auto at = peers_.lower_bound({down.source.id(), 0}); at != peers_.end() && at->first.first == down.source.id();
         ++at)
      keys.push_back(at->first.second);
    for (auto key : keys)
      on_release(down.source.id(), key, key != keys.back());
  }

  peer& add_peer(const caf::actor& actor, consumer_key key, message_queue::consumer_options options) {
    on_release(actor.id(), key); // a key used again replaces what was
    if (!consumes(actor.id()))
      monitor(actor);
    auto& who = peers_[{actor.id(), key}];
    who = {actor, key, queue_.add(options), {}};
    by_id_[who.id] = &who;
    return who;
  }

  bool consumes(caf::actor_id actor) const {
    const auto at = peers_.lower_bound({actor, 0});
    return at != peers_.end() && at->first.first == actor;
  }

  /// CAF keeps a monitor with the watched actor until told otherwise; a session outlives many queues.
  void forget(std::map<peer_key, peer>::iterator gone) {
    const auto actor = std::move(gone->second.actor);
    by_id_.erase(gone->second.id);
    peers_.erase(gone);
    if (!consumes(actor.id()))
      demonitor(actor);
  }

  peer* find(caf::actor_id actor, consumer_key key) {
    auto found = peers_.find({actor, key});
    return found == peers_.end() ? nullptr : &found->second;
  }

  /// Something has changed but no message came in: what came back may be too much, the head too old to be handed out.
  void turn() {
    if (unused_) // what came back with the last consumer goes with the queue, not to the dead letters (RabbitMQ)
      return;
    if (!queue_.how().counts_deliveries) // a quorum queue hands out first (RabbitMQ)
      paging([&] { queue_.trim(done_); });
    pump(now());
  }

  /// Without a time nothing expires: what came in just now may be handed out even if it may not wait at all (RabbitMQ,
  /// TTL 0).
  void pump(std::optional<message_queue::instant> at = {}) {
    const auto hand_out = [this](message_queue::consumer_id id, delivery_number number, queued item) {
      auto& who = *by_id_.find(id)->second;
      if (who.batch.items.empty()) {
        who.batch.key = who.key;
        who.batch.first = number;
        filled_.push_back(&who);
      }
      who.batch.items.push_back(std::move(item));
    };
    paging([&] { queue_.pump(hand_out, done_, at); });
    for (auto* who : filled_) {
      send(who->actor, std::move(who->batch));
      who->batch = {};
    }
    filled_.clear();
    after_change();
  }

  void after_change() {
    paging([&] { queue_.trim(done_); });
    bury();
    await_expiry();
    page_out();
    if (!flushing_ &&
        (!done_.empty() || queue_.has_unspilled() || queue_.has_unwritten() || queue_.has_old_records() || has_ids())) {
      flushing_ = true; // one transaction for all settles that wait in the mailbox already
      send(this, flush_deletions{});
    }
    if (!held_.empty() && !too_deep_to_resume())
      let_in(held_.size());
    if (is_grave_)
      tell_letters(queue_.ready());
  }

  /// The broker counts what lies in queues for dead letters.
  void tell_letters(std::uint64_t count) {
    if (count == letters_told_)
      return;
    letters_told_ = count;
    if (auto owner = setup_.owner.lock())
      owner->count_dead_letters(setup_.spec.name, count);
  }

  /// By way of topology: the clock must not be who holds a deleted queue last. Its thread would destroy the actor,
  /// which tells the clock through a queue of 64 places that only that thread empties (CAF 0.17): with 64 of them it
  /// waits for itself.
  template <class Tick>
  void tick_after(milliseconds delay, Tick what) {
    caf::delayed_anon_send(setup_.topology, delay, wake_queue{address(), caf::make_message(what)});
  }

  // -- deep queues --------------------------------------------------------------------------------------------------

  std::size_t bytes_max() const { return resident_bytes_max(setup_.bounds); }
  /// Down to which messages go, so that they go many at a time.
  std::size_t bytes_kept() const { return bytes_max() / 2; }

  void page_out() {
    // Near a full log the bound of all memory has to do.
    const auto room = setup_.log->room_for_pages();
    if (paging_out_ || !queue_.deep(bytes_max()) || room == 0)
      return;
    const auto here = queue_.resident_bytes();
    const auto kept = std::max<std::uint64_t>(bytes_kept(), here - std::min(here, room));
    paging_out_ = true;
    auto changes = setup_.log->begin();
    std::size_t bytes = 0;
    queue_.spill(kept, [&](const message_ptr& what) {
      if (bytes > spill_part_bytes) {
        setup_.log->commit(std::exchange(changes, setup_.log->begin()), {});
        bytes = 0;
      }
      if (!std::exchange(spilled_, true))
        changes->put_message(page_list, setup_.number, make_message("", "", {}, "", false));
      const auto at = setup_.log->take_positions(1);
      changes->put_message(pages_of(setup_.number), at, what);
      bytes += what->footprint();
      return at;
    });
    // Once this is synced, so is what went before it: those parts, and the puts that publishers committed before they
    // sent us their messages.
    setup_.log->commit(std::move(changes), [self = caf::actor_cast<caf::actor>(this), up_to = queue_.last_sequence()] {
      caf::anon_send(self, pages_stored{up_to});
    });
  }

  void expire(message_queue::instant at) {
    paging([&] { queue_.expire(at, done_); });
  }

  /// Does something that may need messages which are not in memory: they are read, and it goes on.
  template <class Operation>
  void paging(Operation&& operation) {
    operation();
    while (queue_.take_starved() && page_in())
      operation();
  }

  /// False if there is nothing to read, or the log has failed: then this is the end, and the next start finds the rest.
  bool page_in() {
    const auto wanted = queue_.next_page(page_bytes);
    std::map<message_queue::paged, message_ptr> found;
    if (const auto read = read_paged(wanted, found); !read) {
      quit(to_caf(read.error()));
      return false;
    }
    queue_.page_in(found, is_memory_scarce(setup_.bounds));
    return !wanted.empty();
  }

  /// False if the log has failed. What is damaged is given up, and stays in the log as it is.
  bool read_bodies(std::vector<message_queue::dead>& of) {
    std::vector<message_queue::paged> wanted;
    for (const auto& each : of)
      if (!each.message)
        wanted.push_back({each.at, each.spilled});
    if (wanted.empty())
      return true;
    std::map<message_queue::paged, message_ptr> found;
    if (const auto read = read_paged(wanted, found); !read) {
      quit(to_caf(read.error()));
      return false;
    }
    for (auto& each : of)
      if (!each.message) {
        each.message = found[{each.at, each.spilled}];
        if (std::exchange(each.spilled, false))
          unspilled_.push_back(std::exchange(each.at, 0));
      }
    std::erase_if(of, [](const auto& each) { return !each.message; });
    return true;
  }

  expected<void> read_paged(const std::vector<message_queue::paged>& wanted,
                            std::map<message_queue::paged, message_ptr>& found) {
    for (const bool spilled : {false, true}) {
      std::vector<position> positions;
      for (const auto& each : wanted)
        if (each.spilled == spilled)
          positions.push_back(each.at);
      if (positions.empty())
        continue;
      std::sort(positions.begin(), positions.end());
      const auto read = setup_.log->fetch_messages(spilled ? pages_of(setup_.number) : setup_.number, positions,
                                                   [&](position at, message_ptr what) {
                                                     found[{at, spilled}] = std::move(what);
                                                   });
      if (!read)
        return read;
    }
    return {};
  }

  void forget_pages() {
    auto changes = setup_.log->begin();
    changes->delete_queue_messages(pages_of(setup_.number));
    changes->delete_message(page_list, setup_.number);
    setup_.log->commit(std::move(changes), {});
  }

  // -- time to live and dead letters --------------------------------------------------------------------------------

  void on_expiry() {
    expiry_armed_ = {};
    if (unused_)
      return;
    const auto at = now();
    queue_.wake(at);
    expire(at);
    turn();
  }

  void await_expiry() {
    auto next = queue_.has_dead_waiting() ? std::nullopt : queue_.next_expiry();
    if (const auto wake = queue_.next_wake(); wake && (!next || *wake < *next))
      next = wake;
    const bool armed = expiry_armed_ != message_queue::instant{};
    if (!next || (armed && expiry_armed_ <= *next))
      return;
    const auto at = now();
    const auto delay = std::clamp<std::chrono::steady_clock::duration>(*next - at, 0ms, delay_max);
    expiry_armed_ = at + delay;
    tick_after(std::chrono::ceil<milliseconds>(delay), expiry_tick{expiry_armed_});
  }

  /// Publishes what died to the dead-letter exchange; in the log one goes as the other comes. Nobody waits for credit
  /// here: what a queue lets go of must not wait for another one.
  void bury() {
    auto dead = queue_.take_dead();
    if (!read_bodies(dead))
      return;
    waiting_dead_.insert(waiting_dead_.end(), std::make_move_iterator(dead.begin()),
                         std::make_move_iterator(dead.end()));
    if (waiting_dead_.empty())
      return;
    auto owner = setup_.owner.lock();
    if (!owner || !owner->routes()) {
      if (!std::exchange(awaiting_routes_, true))
        tick_after(routes_recheck, routes_tick{});
      return;
    }
    const auto& how = queue_.how();
    if (how.own_dead_letters && !owner->routes()->find_queue(*how.dead_letter_routing_key))
      return declare_own_dead_letter_queue();
    if (!how.dead_letter_exchange) { // a policy took it away while the broker started
      for (const auto& each : std::exchange(waiting_dead_, {}))
        if (each.at)
          done_.push_back(each.at);
      return queue_.letters_gone();
    }
    auto changes = setup_.log->begin();
    publisher out{owner};
    out.begin();
    bool durable = false;
    const auto at = system_clock{}.now();
    const auto gone = std::exchange(waiting_dead_, {});
    for (const auto& each : gone) {
      const auto letter = make_dead_letter(*each.message, each.why, setup_.spec.name, *how.dead_letter_exchange,
                                           how.dead_letter_routing_key, at, each.failures, how.own_dead_letters);
      out.publish(letter, *changes, [&](std::string_view queue) {
        return each.why == death::rejected || !closes_circle(*letter, queue);
      });
      if (each.at == 0)
        continue;
      durable = true;
      changes->delete_message(setup_.number, each.at);
    }
    auto letters = out.take();
    switchboard::pass(fail_point::dead_letters_before_commit);
    // What moves in the log leaves when it has: whoever gets a letter before could get it once more after a crash. The
    // others keep their order behind it, and so does what still has to die.
    if (durable || letters.durable() || letters_on_way_ > 0 || queue_.has_dead_waiting())
      send_stored(std::move(changes), std::move(letters));
    else
      letters.send();
    switchboard::pass(fail_point::dead_letters_after_commit);
  }

  void send_stored(std::unique_ptr<durable_transaction> changes, publisher::handoff letters) {
    ++letters_on_way_;
    setup_.log->commit(std::move(changes), [self = caf::actor_cast<caf::actor>(this),
                                            held = std::make_shared<publisher::handoff>(std::move(letters))] {
      held->send();
      caf::anon_send(self, letters_stored{});
    });
  }

  /// Letters wait until it is there; if it can't be, until something else happens here.
  void declare_own_dead_letter_queue() {
    if (std::exchange(declaring_, true))
      return;
    declare_queue what;
    what.spec.name = *queue_.how().dead_letter_routing_key;
    what.spec.durable = setup_.spec.durable;
    request(setup_.topology, caf::infinite, std::move(what))
        .then(
            [this](const queue_ok&) {
              declaring_ = false;
              bury();
            },
            [this](const caf::error&) { declaring_ = false; });
  }

  // -- x-expires ----------------------------------------------------------------------------------------------------

  void touch() { last_used_ = now(); }

  /// Asks topology to let the queue go if it had neither consumer nor get nor declare for its x-expires.
  void await_use() {
    if (!queue_.how().expires)
      return;
    const auto life = *queue_.how().expires;
    if (queue_.consumers() > 0)
      touch();
    const auto left = last_used_ + life - now();
    if (left <= 0ms) {
      unused_ = true;
      send(setup_.topology, queue_unused{setup_.spec.name, setup_.number});
    } else {
      tick_after(std::min<milliseconds>(std::chrono::ceil<milliseconds>(left), delay_max), unused_tick{});
    }
  }

  void write_deletions() {
    auto changes = next_deletions();
    if (!changes)
      return; // written early, at the end
    flushing_ = has_deletions();
    std::function<void()> go_on;
    if (flushing_)
      go_on = [self = caf::actor_cast<caf::actor>(this)] { caf::anon_send(self, flush_deletions{}); };
    switchboard::pass(fail_point::queue_before_deletions);
    setup_.log->commit(std::move(changes), std::move(go_on));
    switchboard::pass(fail_point::queue_after_deletions);
  }

  /// At the end: nobody is there any more to be told that the log has a part.
  void write_all_deletions() {
    while (auto changes = next_deletions())
      setup_.log->commit(std::move(changes), {});
  }

  bool has_deletions() const {
    return !done_.empty() || !unspilled_.empty() || !old_records_.empty() || !old_ids_.empty();
  }

  /// As many as one transaction takes; null if there is none.
  std::unique_ptr<durable_transaction> next_deletions() {
    flushing_ = false;
    const auto unspilled = queue_.take_unspilled();
    unspilled_.insert(unspilled_.end(), unspilled.begin(), unspilled.end());
    auto changes = setup_.log->begin();
    const bool wrote = write_attempts(*changes) | write_ids(*changes);
    if (!wrote && !has_deletions())
      return nullptr;
    const auto write = [&](queue_number queue, std::vector<position>& gone) {
      const auto left = gone.size() - std::min(gone.size(), deletions_max);
      for (auto i = left; i < gone.size(); ++i)
        changes->delete_message(queue, gone[i]);
      gone.resize(left);
    };
    write(setup_.number, done_);
    write(pages_of(setup_.number), unspilled_);
    write(retries_of(setup_.number), old_records_);
    write(ids_of(setup_.number), old_ids_);
    return changes;
  }

  bool has_ids() { return queue_.ids() && (queue_.ids()->has_unwritten() || queue_.ids()->has_old_records()); }

  /// The same of the ids that are to be known, in the transaction in which their messages go.
  bool write_ids(durable_transaction& changes) {
    auto* ids = queue_.ids();
    if (!ids || deleted_ || !setup_.spec.durable)
      return false;
    const bool any = ids->has_unwritten();
    const auto at = now();
    const auto clock = system_clock{}.now();
    ids->write([&](const deduplication::left& each) {
      const auto record = setup_.log->take_positions(1);
      changes.put_message(ids_of(setup_.number), record,
                          encode_id({each.id, clock + std::chrono::ceil<milliseconds>(each.until - at)}));
      return record;
    });
    const auto old = ids->take_old_records();
    old_ids_.insert(old_ids_.end(), old.begin(), old.end());
    return any;
  }

  /// True if there was something to write.
  bool write_attempts(durable_transaction& changes) {
    if (deleted_) // topology forgets them all
      return false;
    const bool any = queue_.has_unwritten();
    const auto at = now();
    const auto clock = system_clock{}.now();
    queue_.write_attempts([&](const message_queue::attempts& each) {
      const auto left = each.due == message_queue::instant{} ? 0ms : std::chrono::ceil<milliseconds>(each.due - at);
      const auto record = setup_.log->take_positions(1);
      changes.put_message(retries_of(setup_.number), record,
                          encode_retry({each.message, each.failures, each.returns, clock + left}));
      return record;
    });
    const auto old = queue_.take_old_records();
    old_records_.insert(old_records_.end(), old.begin(), old.end());
    return any;
  }

  void after_leave(bool last) {
    if (last)
      touch();
    if (!last || !setup_.spec.auto_delete)
      return;
    unused_ = true; // who comes now comes too late, whatever topology is busy with
    send(setup_.topology, queue_unused{setup_.spec.name, setup_.number});
  }

  void forget_if_spent(peer_key key) {
    auto found = peers_.find(key);
    if (found == peers_.end() || queue_.knows(found->second.id))
      return;
    forget(found);
  }

  bool too_deep() const {
    return pages_lag() || (queue_.consumers() > 0 && queue_.ready_bytes() > setup_.bounds.backlog_bytes_max);
  }
  bool too_deep_to_resume() const {
    return pages_lag() || (queue_.consumers() > 0 && queue_.ready_bytes() > setup_.bounds.backlog_bytes_max / 2);
  }
  /// Messages come faster than the log takes them.
  bool pages_lag() const { return paging_out_ && queue_.resident_bytes() > 2 * bytes_max(); }

  void let_in(std::size_t count) {
    for (; count > 0 && !held_.empty(); --count) {
      send(held_.front().publisher, std::move(held_.front().answer));
      held_.pop_front();
    }
    progress_ = true;
  }

  void arm_trickle() {
    if (trickling_)
      return;
    trickling_ = true;
    progress_ = false;
    tick_after(trickle_interval, trickle_tick{});
  }

  void on_trickle() {
    trickling_ = false;
    if (held_.empty())
      return;
    if (!progress_)
      let_in(1);
    arm_trickle();
  }

  queue_status status() const {
    return {queue_.ready(), queue_.unacked(), queue_.ready_bytes(), queue_.reported_consumers(), queue_.waiting()};
  }

  queue_setup setup_;
  message_queue queue_;
  std::map<peer_key, peer> peers_;
  std::unordered_map<message_queue::consumer_id, peer*> by_id_;
  std::vector<peer*> filled_;
  std::vector<position> done_;
  std::vector<position> unspilled_;   ///< the same among the pages
  std::vector<position> old_ids_;     ///< and among the known ids
  std::vector<position> old_records_; ///< and among what the log knows of attempts
  std::deque<held> held_;
  std::vector<message_queue::dead> waiting_dead_;
  message_queue::instant expiry_armed_{}; ///< when the tick comes; zero: none is on its way
  bool awaiting_routes_ = false;
  message_queue::instant last_used_ = now();
  bool unused_ = false; ///< it goes: auto-delete and the last consumer went, or x-expires
  bool flushing_ = false;
  bool deleted_ = false;
  const bool is_grave_; ///< a queue for dead letters, by its name
  std::uint64_t letters_told_ = 0;
  bool declaring_ = false;         ///< the queue for our dead letters
  std::size_t letters_on_way_ = 0; ///< to the log; a letters_stored comes for each
  bool paging_out_ = false;
  bool spilled_ = false; ///< there are pages of ours
  bool trickling_ = false;
  bool progress_ = false;
};

} // namespace

std::size_t resident_bytes_max(const limits& bounds) noexcept {
  return is_memory_scarce(bounds) ? std::min(bounds.resident_bytes_max, scarce_bytes_max) : bounds.resident_bytes_max;
}

expected<void> drop_pages(durable_log& log) {
  std::vector<position> left;
  auto read = log.read_messages(page_list, 0, [&](position number, const message_ptr&) {
    left.push_back(number);
    return true;
  });
  if (!read && read.error().code != errc::corrupt)
    return read;
  if (left.empty())
    return {};
  auto changes = log.begin();
  for (const auto number : left)
    changes->delete_queue_messages(pages_of(number));
  changes->delete_queue_messages(page_list);
  log.commit(std::move(changes), {});
  return {};
}

caf::actor spawn_queue(caf::actor_system& system, caf::execution_unit* home, queue_setup setup) {
  return system.spawn<queue_actor>(home, std::move(setup));
}

} // namespace switchboard::broker
