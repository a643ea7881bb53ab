#include "broker/stream_actor.hpp"

#include <deque>
#include <map>

#include <caf/send.hpp>

#include "broker/amqp_reply.hpp"
#include "broker/errors.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/stream_log.hpp"
#include "broker/stream_reader.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {

// From a stream to itself.
struct stream_synced { ///< the log has all before this offset
  stream_offset end = 0;
};
struct stream_turn {}; ///< somebody may have something to read

} // namespace switchboard::broker

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::stream_synced)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(switchboard::broker::stream_turn)

namespace switchboard::broker {

namespace {

/// The newest messages, kept in memory for consumers that keep up.
constexpr std::size_t tail_bytes_max = 4u << 20;
/// What a consumer that is behind reads from the log at once, and keeps until it has taken it.
constexpr std::size_t page_messages_max = 1000;
constexpr std::size_t page_bytes_max = 1u << 20;
/// Chunks that one transaction deletes; a whole segment at once would hold up the log for others.
constexpr int drop_chunks_max = 4;

/// What it takes in the log, about; retention counts it.
std::uint64_t stored_bytes(const message& what) { return what.footprint() - sizeof(message); }

class stream_actor final : public pinned_actor {
public:
  stream_actor(caf::actor_config& config, caf::execution_unit* home, stream_setup setup)
      : pinned_actor(config, home), setup_(std::move(setup)), shape_(read_stream_arguments(setup_.effective)) {
    set_down_handler([this](caf::down_msg& down) { on_down(down); });
  }

  label handler_label() const override { return {"/queues/" + setup_.spec.name + "@" + setup_.vhost, "stream"}; }

  caf::behavior make_behavior() override {
    restore();
    return {
        [this](enqueue_batch& batch) { on_enqueue(batch); },
        [this](stream_synced what) { on_synced(what.end); },
        [this](stream_turn) { pump(); },
        [this](const settle& what) {
          if (auto* who = find(what.consumer, what.key)) {
            who->reader.settle(what.first, what.last);
            forget_if_spent({what.consumer, what.key});
            pump();
          }
        },
        [this](const grant& what) {
          if (auto* who = find(what.consumer, what.key)) {
            who->reader.grant(what.messages, what.bytes);
            pump();
          }
        },
        [this](start_consumer& what) -> caf::result<consume_ok> { return on_consume(what); },
        [this](const cancel_consumer& what) -> cancel_ok {
          if (auto* who = find(what.consumer.id(), what.key)) {
            who->reader.stop();
            forget_if_spent({what.consumer.id(), what.key});
          }
          return {what.key};
        },
        [this](const release_consumer& what) {
          release({what.consumer.id(), what.key});
        },
        [this](const get&) -> caf::result<got> { return to_caf(not_for_streams("basic.get", title())); },
        [this](const purge&) -> caf::result<purged> { return to_caf(not_for_streams("queue.purge", title())); },
        [this](const inspect_queue&) -> queue_status { return status(); },
        [this](const change_arguments& what) {
          shape_.change(read_stream_arguments(what.effective));
          dropping_ = true;
        },
        [this](const shut_queue& why) { on_shut(why.stopping); },
    };
  }

private:
  struct peer {
    caf::actor actor;
    consumer_key key = 0;
    stream_reader reader;
    std::deque<message_ptr> page{}; ///< from reader.next() on, read from the log
  };
  using peer_key = std::pair<caf::actor_id, consumer_key>;

  struct waiting_answer {
    stream_offset end = 0; ///< what must be synced
    caf::actor publisher;
    enqueued answer;
  };

  std::string title() const { return named("queue", setup_.spec.name, setup_.vhost); }

  // -- appending ----------------------------------------------------------------------------------------------------

  void on_enqueue(enqueue_batch& batch) {
    append(batch.items);
    if (batch.publisher)
      answers_.push_back({shape_.next(), std::move(batch.publisher), {setup_.number, batch.token, {}}});
  }

  void append(std::vector<queued>& items) {
    const auto now = clock_.now();
    auto changes = setup_.log->begin();
    for (auto& item : items) {
      const auto at = shape_.next();
      auto kept = with_stream_offset(*item.message, at);
      if (shape_.append(stored_bytes(*kept), now)) {
        changes->put_message(setup_.number, chunk_base + at, make_message("", "", {}, shape_.chunk_record(), true));
        dropping_ = true;
      }
      changes->put_message(setup_.number, message_base + at, kept);
      if (item.at) // as another transaction put it here
        changes->delete_message(setup_.number, item.at);
      tail_bytes_ += kept->footprint();
      tail_.push_back(std::move(kept));
    }
    drop_old(*changes, now);
    setup_.log->commit(std::move(changes), [self = caf::actor_cast<caf::actor>(this), end = shape_.next()] {
      caf::anon_send(self, stream_synced{end});
    });
  }

  void drop_old(durable_transaction& changes, time_point now) {
    for (int chunks = 0; dropping_ && chunks < drop_chunks_max; ++chunks) {
      const auto gone = shape_.drop(now);
      dropping_ = gone.has_value();
      if (!gone)
        return;
      changes.delete_message(setup_.number, chunk_base + gone->first);
      for (auto at = gone->first; at < shape_.first(); ++at)
        changes.delete_message(setup_.number, message_base + at);
    }
  }

  void on_synced(stream_offset end) {
    synced_ = std::max(synced_, end);
    for (; !answers_.empty() && answers_.front().end <= synced_; answers_.pop_front())
      send(answers_.front().publisher, std::move(answers_.front().answer));
    pump();
    // What is not synced yet can't be read from the log.
    for (; tail_bytes_ > tail_bytes_max && tail_first() < synced_; tail_.pop_front())
      tail_bytes_ -= tail_.front()->footprint();
  }

  // -- consumers ----------------------------------------------------------------------------------------------------

  caf::result<consume_ok> on_consume(start_consumer& what) {
    const auto start = check_stream_consumer(title(), what.own_prefetch, what.no_ack, what.arguments, clock_.now());
    if (!start)
      return to_caf(start.error());
    const peer_key key{what.consumer.id(), what.key};
    release(key); // a key used again replaces what was
    if (!consumes(key.first))
      monitor(what.consumer);
    peers_.emplace(key, peer{what.consumer, what.key, {std::max(what.prefetch, 1u), shape_.find(*start)}});
    send(this, stream_turn{}); // the answer must reach the consumer before its first delivery
    return consume_ok{what.key};
  }

  void pump() {
    for (auto& [key, who] : peers_) {
      if (who.reader.next() < shape_.first()) { // retention was faster
        who.reader.skip_to(shape_.first());
        who.page.clear();
      }
      deliver batch;
      while (who.reader.can_take() && who.reader.next() < synced_) {
        auto what = next_for(who);
        if (!what)
          continue; // it is damaged, and has been skipped
        const auto number = who.reader.hand(what->footprint());
        if (batch.items.empty()) {
          batch.key = who.key;
          batch.first = number;
        }
        batch.items.push_back({std::move(what), 0, false});
      }
      if (!batch.items.empty())
        send(who.actor, std::move(batch));
    }
  }

  stream_offset tail_first() const { return shape_.next() - tail_.size(); }

  /// The message at the reader's offset. Null if there is none there; then the reader stands at the next one there is.
  message_ptr next_for(peer& who) {
    const auto at = who.reader.next();
    if (who.page.empty() && at >= tail_first())
      return tail_[at - tail_first()];
    if (who.page.empty() && !read_page(who))
      return {};
    auto what = std::move(who.page.front());
    who.page.pop_front();
    if (who.page.empty())
      who.page.shrink_to_fit();
    return what;
  }

  /// False if the reader had to be moved on.
  bool read_page(peer& who) {
    const auto from = who.reader.next();
    const auto end = tail_first();
    auto expected_next = from;
    std::size_t bytes = 0;
    static_cast<void>(setup_.log->read_messages(setup_.number, message_base + from, [&](position at, message_ptr what) {
      const auto offset = at - message_base;
      if (offset >= end)
        return false;
      if (offset != expected_next) { // a damaged record: what is before it first
        if (who.page.empty())
          expected_next = offset;
        return false;
      }
      ++expected_next;
      bytes += what->footprint();
      who.page.push_back(std::move(what));
      return who.page.size() < page_messages_max && bytes < page_bytes_max;
    }));
    if (!who.page.empty())
      return true;
    who.reader.skip_to(expected_next > from ? expected_next : end);
    return false;
  }

  bool consumes(caf::actor_id actor) const {
    const auto at = peers_.lower_bound({actor, 0});
    return at != peers_.end() && at->first.first == actor;
  }

  peer* find(caf::actor_id actor, consumer_key key) {
    const auto found = peers_.find({actor, key});
    return found == peers_.end() ? nullptr : &found->second;
  }

  void forget_if_spent(const peer_key& key) {
    const auto& reader = peers_.find(key)->second.reader;
    if (reader.stopped() && reader.unsettled() == 0)
      release(key);
  }

  /// By value: who releases the peer he has found names it by what goes with it.
  void release(peer_key key) {
    const auto found = peers_.find(key);
    if (found == peers_.end())
      return;
    const auto actor = std::move(found->second.actor);
    peers_.erase(found);
    if (!consumes(key.first))
      demonitor(actor);
  }

  void on_down(const caf::down_msg& down) {
    while (consumes(down.source.id()))
      release(peers_.lower_bound({down.source.id(), 0})->first);
  }

  queue_status status() const {
    queue_status now{shape_.size(), 0, shape_.bytes(), 0};
    for (const auto& [key, who] : peers_) {
      now.unacked += who.reader.unsettled();
      now.consumers += !who.reader.stopped();
    }
    return now;
  }

  // -- beginning and end --------------------------------------------------------------------------------------------

  void restore() {
    std::vector<queued> without_offset;
    auto last = message_base;
    const auto read_records = [&](position at, message_ptr what) {
      if (at >= message_base)
        return false;
      if (at < chunk_base)
        without_offset.push_back({std::move(what), at, false});
      else if (shape_.restore(at - chunk_base, what->body()))
        last = message_base + (at - chunk_base);
      return true;
    };
    // A damaged record is left out; the messages around it are there.
    static_cast<void>(setup_.log->read_messages(setup_.number, 0, read_records));
    static_cast<void>(setup_.log->read_messages(setup_.number, last, [&](position at, message_ptr what) {
      shape_.restore_message(at - message_base, stored_bytes(*what));
      return true;
    }));
    synced_ = shape_.next();
    if (!without_offset.empty())
      append(without_offset);
  }

  void on_shut(bool stopping) {
    for (auto& [key, who] : peers_)
      send(who.actor, consumer_cancelled{who.key});
    while (!peers_.empty())
      release(peers_.begin()->first);
    for (auto& each : answers_)
      send(each.publisher, std::move(each.answer));
    answers_.clear();
    tail_.clear();
    if (stopping)
      return quit();
    forget_stored(); // behind all that was put so far
    become(after_life());
  }

  /// Who routes by a snapshot of a moment ago still gets its answer.
  caf::behavior after_life() {
    const auto gone = [this] { return to_caf(not_found("no " + title())); };
    return {
        [this](enqueue_batch& batch) {
          forget_stored();
          if (batch.publisher)
            send(batch.publisher, enqueued{setup_.number, batch.token, {}});
        },
        [gone](const start_consumer&) -> caf::result<consume_ok> { return gone(); },
        [gone](const get&) -> caf::result<got> { return gone(); },
        [gone](const purge&) -> caf::result<purged> { return gone(); },
        [](const cancel_consumer& what) { return cancel_ok{what.key}; },
        [](const change_arguments&) {},
        [](const settle&) {},
        [](const grant&) {},
        [](const release_consumer&) {},
        [](const inspect_queue&) { return queue_status{}; },
        [](stream_synced) {},
        [](stream_turn) {},
        [this](const shut_queue& why) {
          if (why.stopping)
            quit();
        },
    };
  }

  void forget_stored() {
    auto changes = setup_.log->begin();
    changes->delete_queue_messages(setup_.number);
    setup_.log->commit(std::move(changes), {});
  }

  stream_setup setup_;
  system_clock clock_;
  stream_log shape_;
  std::deque<message_ptr> tail_; ///< the newest, up to shape_.next() - 1
  std::size_t tail_bytes_ = 0;
  stream_offset synced_ = 0; ///< all before it is on disk
  bool dropping_ = false;    ///< retention may have more to take away
  std::deque<waiting_answer> answers_;
  std::map<peer_key, peer> peers_;
};

} // namespace

caf::actor spawn_stream(caf::actor_system& system, caf::execution_unit* home, stream_setup setup) {
  return system.spawn<stream_actor>(home, std::move(setup));
}

message_ptr with_stream_offset(const message& what, stream_offset at) {
  auto read = decode_properties(what.properties());
  auto properties = read ? std::move(*read) : basic_properties{};
  if (!properties.headers)
    properties.headers.emplace();
  properties.headers->set("x-stream-offset", static_cast<std::int64_t>(at));
  return make_message(what.exchange(), what.routing_key(), encode_properties(properties), what.body(),
                      what.persistent());
}

} // namespace switchboard::broker
