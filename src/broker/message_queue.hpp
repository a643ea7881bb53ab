// The order of one message queue, as pure decisions: what is ready, who gets the next message, what comes back where.
// No CAF, no clock, no I/O: queue_actor carries messages to it and effects away.
//
//   enqueue --> ready (by sequence) --pump--> out (per consumer, by delivery number) --settle--> gone
//                 | ^------------------ requeue: back to its place, redelivered ----------|
//                 | '-- wake -- waiting (retry.hpp) <------- reject, if it may be retried --'
//                 '--expire, trim--> dead (to be dead-lettered) or gone
//
// Round-robin among the consumers of the highest priority that can take a message: who got one stands at the end of the
// line again and leaves it only once its turn comes and it can't (RabbitMQ's order, which clients' tests see; a quorum
// queue lets it leave at once). A consumer can if it is not stopped,
// has fewer than `prefetch` unacknowledged, the link to it has room (protocol.hpp, link_*_max), and it is the active
// one where only one may be. Messages of a higher priority level come first; expiry and length look at the head alone.
//
// Where messages are grouped (x-group-by), one of a group is out at a time, to the same consumer as long as the same
// ones consume; the others of the group stand behind it, and those whose consumer has no room stand in its line.
//
// A deep queue keeps its head in memory and of the rest only where it is in the log: page_out() lets messages go from
// the tail, next_page() and page_in() bring the head back. What can't go on without a message of the head stops, and
// take_starved() says so once.
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/death.hpp"
#include "broker/deduplication.hpp"
#include "broker/exchange_hash.hpp"
#include "broker/protocol.hpp"
#include "broker/queue_arguments.hpp"
#include "broker/retry.hpp"

namespace switchboard::broker {

class message_queue {
public:
  /// Names a consumer inside one queue; never reused.
  using consumer_id = std::uint64_t;

  struct consumer_options {
    bool no_ack = false;
    bool exclusive = false;
    std::uint32_t prefetch = 0; ///< 0: no limit
    std::int32_t priority = 0;
    /// Takes messages only by get(); never pumped to.
    bool passive = false;
  };

  using instant = std::chrono::steady_clock::time_point;

  message_queue() = default;
  explicit message_queue(queue_arguments how);

  /// At the tail. Sequence order is arrival order. False if the queue is full and refuses (its arguments' overflow);
  /// the log position then goes to `done`.
  /// True, and its position goes to `done`, for one that the queue has had already (deduplication.hpp).
  bool enqueue(queued item, instant now, std::vector<position>& done);
  /// As enqueue, of what the log held at the start: it was taken once, so it is never refused.
  /// `before`: what the log knows of its attempts, and how long it has to wait from now on.
  struct past {
    std::uint32_t failures = 0;
    std::uint32_t returns = 0;
    position record = 0; ///< where the log says so
    std::optional<instant> due;
  };
  void restore(queued item, instant now) { restore(std::move(item), now, past{}); }
  void restore(queued item, instant now, const past& before);

  /// Null unless messages are deduplicated.
  deduplication* ids() noexcept { return ids_ ? &*ids_ : nullptr; }

  /// Ready messages take more memory than that, and page_out() can change it.
  bool deep(std::size_t bytes) const noexcept;
  /// Of what page_out() would let go, each message that is not in the log is given to write(message), which puts it
  /// into pages (a part of the log for as long as the node lives) and returns its position there.
  template <class Write>
  void spill(std::size_t keep_bytes, Write&& write) {
    each_to_page_out(keep_bytes, next_sequence_, [&](entry& item) {
      if (item.at != 0)
        return;
      item.at = write(item.message);
      item.spilled = true;
    });
  }
  /// Lets go of ready messages that the log has, from the tail, until no more than `keep_bytes` are left; none that
  /// came after `up_to` (last_sequence() when all before it was on its way to the log).
  void page_out(std::size_t keep_bytes, std::uint64_t up_to);
  std::uint64_t last_sequence() const noexcept { return next_sequence_ - 1; }
  std::uint64_t resident_bytes() const noexcept { return resident_bytes_; }

  /// A message to be read back.
  struct paged {
    position at = 0;
    bool spilled = false; ///< among the pages, not among the queue's own
    friend auto operator<=>(const paged&, const paged&) = default;
  };
  /// The first ones of the highest level whose head is missing, about that many bytes; empty if none is.
  std::vector<paged> next_page(std::size_t bytes) const;
  /// What next_page() named. One without a message was damaged: it is given up, and stays in the log as it is. If
  /// memory is scarce, while it is out at a consumer it is in the log alone; but not where it may become a dead letter.
  void page_in(const std::map<paged, message_ptr>& found, bool is_scarce = false);
  /// The message to go next is in the log alone.
  bool head_is_paged_out() { return ready_count_ > 0 && !head().message; }
  /// Something stopped since the last call because head_is_paged_out().
  bool take_starved() noexcept { return std::exchange(starved_, false); }
  /// Positions among the pages that are needed no more.
  std::vector<position> take_unspilled() { return std::exchange(unspilled_, {}); }
  bool has_unspilled() const noexcept { return !unspilled_.empty(); }

  /// False if exclusive use forbids it: somebody has it exclusively, or `exclusive` is asked for while others consume
  /// or where one at a time does anyway.
  bool may_add(bool exclusive) const noexcept;
  /// Precondition: may_add(options.exclusive) unless passive.
  consumer_id add(consumer_options options);
  /// No more deliveries; what is out stays out. True if this was the last active consumer.
  bool stop(consumer_id id);
  /// Stops and forgets; what is out goes back. True as for stop().
  bool release(consumer_id id, std::vector<position>& done);

  /// Settles out deliveries first..last. Log positions of what is done with are appended to `done` (for ack and for
  /// reject without dead-lettering). `now`: from when on what is rejected waits for its next attempt.
  void settle(consumer_id id, delivery_number first, delivery_number last, verdict what, std::vector<position>& done,
              instant now = {});
  /// Counts at once; what is out above a lower one stays out.
  void set_prefetch(consumer_id id, std::uint32_t prefetch);
  /// The link has room again.
  void grant(consumer_id id, std::size_t messages, std::size_t bytes);

  /// The first ready message, if any, as delivery of `id` (a passive consumer); settled at once if `no_ack`, then its
  /// position goes to `done`. A quorum queue always says how often it came back.
  /// None either if it is over its time by `now` and can't leave yet.
  std::optional<std::pair<delivery_number, queued>> get(consumer_id id, bool no_ack, std::vector<position>& done,
                                                        std::optional<instant> now = {});

  /// Hands out all that can go: sink(consumer_id, delivery_number, queued). Positions of no-ack deliveries go to
  /// `done`. With `now`, what is over its time by then goes once it is at the head; without, what came in just now is
  /// handed out whatever its time.
  template <class Sink>
  void pump(Sink&& sink, std::vector<position>& done, std::optional<instant> now = {}) {
    while (grouped() && next_of_line()) {
      auto [to, item] = take_of_line();
      hand_out(*to, std::move(item), sink, done);
    }
    for (;;) {
      if (now)
        expire(*now, done);
      if (ready_count_ == 0 || (now && is_over(head(), *now)))
        return;
      auto* to = grouped() ? nullptr : next_consumer();
      if (grouped() ? active_ == 0 || held_count_ >= held_max : !to)
        return;
      if (head_is_paged_out()) {
        starved_ = true;
        if (to)
          make_wait_first(*to);
        return;
      }
      auto item = pop_ready();
      if (grouped() && !(to = place_in_group(item)))
        continue;
      hand_out(*to, std::move(item), sink, done);
    }
  }

  // -- attempts (retry.hpp) --
  /// What has waited long enough is ready again.
  void wake(instant now);
  /// When wake() has something to do next.
  std::optional<instant> next_wake() const;
  /// Messages that wait for their next attempt: neither ready nor out.
  std::uint64_t waiting() const noexcept { return failed_.size(); }
  /// What the log should know of a durable message's attempts.
  struct attempts {
    std::uint64_t sequence = 0;
    position message = 0;
    std::uint32_t failures = 0;
    std::uint32_t returns = 0;
    instant due{}; ///< zero: it is back
  };
  bool has_unwritten() const noexcept { return !unwritten_.empty(); }
  /// Gives all that changed since the last call to write(attempts), which returns the position of the new record. The
  /// records these replace are among take_old_records().
  template <class Write>
  void write_attempts(Write&& write) {
    for (const auto& each : std::exchange(unwritten_, {})) {
      const auto found = pasts_.find(each.sequence);
      if (found == pasts_.end()) // it is gone already
        continue;
      forget_record(found->second);
      found->second.record = write(each);
    }
  }
  /// Records of attempts that are needed no more.
  std::vector<position> take_old_records() { return std::exchange(old_records_, {}); }
  bool has_old_records() const noexcept { return !old_records_.empty(); }
  /// One of a message that is not here.
  void forget_record(position record) { old_records_.push_back(record); }

  /// Drops all ready and waiting messages; their positions go to `done`. How many there were.
  std::uint64_t purge(std::vector<position>& done);

  /// A ready message to be looked at.
  struct ready_message {
    std::uint64_t sequence = 0; ///< names it as long as this queue lives
    message_ptr message;        ///< null: in the log alone
    paged where;
    bool redelivered = false;
  };
  /// In the order in which they would go; about `bytes` of them.
  std::vector<ready_message> look(std::uint64_t skip, std::uint64_t count, std::size_t bytes) const;
  /// Takes out those for which `which` is true, wherever they stand. Their positions go to `done` if `drop`; otherwise
  /// they are the caller's to delete.
  std::uint64_t take_out(const std::function<bool(std::uint64_t sequence, position at)>& which, bool drop,
                         std::vector<position>& done);

  /// Takes expired messages off the head. It and trim() stop when there are dead letters of dead_bytes_max: nothing
  /// more dies then until letters_gone().
  void expire(instant now, std::vector<position>& done);
  /// When expire() has something to do next.
  std::optional<instant> next_expiry() const;
  /// Takes messages off the head until the queue is no longer than it may be; nothing if it refuses instead.
  void trim(std::vector<position>& done);

  /// A message that left to be dead-lettered; its log position is still taken.
  struct dead {
    message_ptr message; ///< null: in the log alone, since a policy asks for dead letters only now
    position at = 0;
    death why = death::rejected;
    std::uint8_t priority = 0;
    std::uint32_t failures = 0; ///< attempts that failed, if they are counted
    bool spilled = false;       ///< `at` is among the pages; only without a message
  };
  /// All since the last call: what was rejected by falling priority (RabbitMQ), else in order. Only if the queue
  /// dead-letters.
  std::vector<dead> take_dead();

  static constexpr std::size_t dead_bytes_max = 4u << 20;
  /// Something waits for letters_gone().
  bool has_dead_waiting() const noexcept { return dead_waiting_; }
  /// What take_dead() gave is where it belongs.
  void letters_gone() noexcept {
    dead_bytes_ = 0;
    dead_waiting_ = false;
  }

  const queue_arguments& how() const noexcept { return how_; }
  /// A policy has changed what is asked of the queue; what a queue is from its declaration on stays (priorities, single
  /// active consumer, type). Messages that are here keep the time to live they came with. Call trim() then.
  void change(queue_arguments how);

  /// False once a consumer is gone: released, or stopped with nothing left out.
  bool knows(consumer_id id) const { return consumers_.contains(id); }

  std::uint64_t ready() const noexcept { return ready_count_ + held_count_; }
  std::uint64_t ready_bytes() const noexcept { return ready_bytes_; }
  std::uint64_t unacked() const noexcept { return unacked_; }
  /// Active ones: added and not stopped.
  std::uint32_t consumers() const noexcept { return active_; }
  /// What a client is told. A quorum queue also counts each get that is out, and who stopped with something out.
  std::uint32_t reported_consumers() const noexcept;

private:
  struct entry {
    message_ptr message; ///< null: in the log alone
    position at = 0;
    std::uint64_t sequence = 0;
    instant expires{};          ///< zero: never
    delivery_number number = 0; ///< in `out`
    std::uint32_t returns = 0;  ///< how often it came back
    std::uint8_t priority = 0;  ///< index into ready_
    bool redelivered = false;
    bool spilled = false;        ///< `at` is among the pages
    bool unkept : 1 = false;     ///< its body isn't kept while it is out: the log has it, and memory is scarce
    bool settled : 1 = false;    ///< in `out`: no longer there
    std::uint32_t footprint = 0; ///< of the message, here or not
    std::uint32_t body_size = 0;
  };
  using level = std::deque<entry>;
  struct consumer {
    consumer_id id = 0;
    consumer_options options;
    std::deque<entry> out; ///< by number; not used with no_ack
    delivery_number next_number = 1;
    std::uint64_t unsettled = 0;
    std::size_t link_messages = 0; ///< sent and not granted back
    std::size_t link_bytes = 0;
    std::deque<entry> line; ///< of groups that are its own, until it has room
    bool stopped = false;
    bool waiting = false; ///< stands in waiting_, whether it can take one or not
  };

  template <class Sink>
  void hand_out(consumer& to, entry item, Sink&& sink, std::vector<position>& done) {
    auto copy = shown(item);
    const auto number = hand_to(to, std::move(item), done);
    sink(to.id, number, std::move(copy));
  }

  // -- groups (message_queue_groups.cpp) --
  static constexpr std::size_t held_max = 10'000; ///< messages that stand behind others or in a line
  /// x-group-by names a header, or the routing key.
  static hash_input group_input(const std::string& group_by);
  bool grouped() const noexcept { return !how_.group_by.empty(); }
  /// What its group is called; 0: it is in none.
  std::uint64_t group_of(const message& what);
  /// Who is to get it now; null if it stands behind another one of its group, or in its consumer's line.
  consumer* place_in_group(entry& item);
  consumer* consumer_of_group(std::uint64_t group);
  bool is_busy(std::uint64_t group) const { return group != 0 && groups_.contains(group); }
  /// It goes out, or into a line.
  void take_group(const entry& item);
  /// Behind the one of its group. Precondition: is_busy().
  void hold_back(entry item);
  bool next_of_line();
  std::pair<consumer*, entry> take_of_line();
  /// The one of its group that was out, or waited for its next attempt, is so no more.
  void leave_group(const entry& item);
  /// All that stands behind others or in lines is ready again: consumers have come or gone, or all is purged.
  void regroup();
  void make_ready_again(std::vector<entry> held);

  bool can_take(const consumer& who) const noexcept;
  void make_wait(consumer& who);
  void stand_in_line(consumer& who);
  void make_wait_first(consumer& who);
  consumer* next_consumer();
  entry entry_of(queued item);
  level& top(); ///< precondition: there is a ready message
  const entry& head() { return top().front(); }
  entry pop_ready(); ///< precondition: there is one
  entry pop(level& from);
  queued shown(const entry& item) const;
  delivery_number hand_to(consumer& who, entry item, std::vector<position>& done);
  static std::deque<entry>::iterator find_out(consumer& who, delivery_number first);
  enum class place { own, tail };
  void put_back(std::vector<entry> returned, std::vector<position>& done, place where = place::own);
  void make_ready(std::vector<entry> returned, place where);
  /// A consumer could not do it: it waits for its next attempt, or that was the last.
  void fail(entry item, instant now, std::vector<position>& done);
  std::uint32_t failures_of(const entry& item) const;
  void note(const entry& item, instant due = {});
  /// The message is done with: so is what is known of its attempts, and its id is known for a while only.
  void end_past(const entry& item);
  void forget_record(past& of) {
    if (const auto record = std::exchange(of.record, 0))
      forget_record(record);
  }
  void put_back(level& ready, std::vector<entry> returned);
  bool is_full(std::size_t more_bytes) const noexcept;
  void prepare(entry& made, instant now) const;
  void admit(entry made, instant now);
  void leave(entry item, death why, std::vector<position>& done);
  void forget(const entry& item, std::vector<position>& done);
  /// Now it is where a message that was never paged out would be.
  void unspill(entry& item);
  bool is_dead_lettered(death why) const noexcept;
  /// Nobody asks for the body of what has been handed out, unless it comes back.
  bool ends_without_body() const noexcept {
    return !how_.dead_letter_exchange && !how_.retry && !how_.delivery_limit && !grouped() && !ids_;
  }
  bool can_leave(const entry& item, death why);
  static bool is_over(const entry& item, instant now) noexcept {
    return item.expires != instant{} && item.expires <= now;
  }

  template <class See>
  void each_to_page_out(std::size_t keep_bytes, std::uint64_t up_to, See&& see) {
    auto left = resident_bytes_;
    const auto offer = [&](entry& item) {
      if (item.sequence > up_to || !item.message->hidden_keys().empty()) // which the log doesn't keep
        return;
      left -= item.footprint;
      see(item);
    };
    for (auto& ready : ready_) // the lowest priority goes last, and so out first
      for (auto item = ready.rbegin(); item != ready.rend() && item->message && left > keep_bytes; ++item)
        offer(*item);
    // What came back before a tail that has gone.
    for (auto& ready : ready_) {
      if (left <= keep_bytes)
        return;
      auto item = std::find_if(ready.begin(), ready.end(), [](const entry& each) { return !each.message; });
      if (item == ready.end())
        continue;
      while (item != ready.begin() && left > keep_bytes)
        offer(*--item);
    }
  }
  void choose_single();
  void drop_settled(consumer& who);
  void erase_if_spent(consumer& who);

  queue_arguments how_;
  hash_input group_input_;
  std::vector<header_field> headers_; ///< reused
  std::vector<level> ready_{1};       ///< by priority
  std::uint64_t ready_count_ = 0;
  std::uint64_t returned_count_ = 0;   ///< of a quorum queue: at the head of its one level, in order of their return
  std::uint64_t ready_bytes_ = 0;      ///< of memory, if all were in it
  std::uint64_t resident_bytes_ = 0;   ///< of memory
  std::uint64_t ready_body_bytes_ = 0; ///< what x-max-length-bytes counts
  std::vector<dead> dead_;
  std::size_t dead_bytes_ = 0;
  bool dead_waiting_ = false;
  std::vector<position> unspilled_;
  bool starved_ = false;
  std::unordered_map<std::uint64_t, std::deque<entry>> groups_; ///< those with one out, waiting or in a line
  std::optional<deduplication> ids_;
  instant latest_{};                              ///< the latest time anybody said
  std::size_t held_count_ = 0;                    ///< messages in groups_ and lines
  std::multimap<instant, entry> failed_;          ///< for their next attempt, by when that is due
  std::unordered_map<std::uint64_t, past> pasts_; ///< by sequence, of the few that failed or came back
  std::vector<attempts> unwritten_;
  std::vector<position> old_records_;
  consumer_id single_ = 0; ///< the active one, if only one may be; 0: none
  std::uint64_t unacked_ = 0;
  std::uint64_t next_sequence_ = 1;
  consumer_id next_id_ = 1;
  std::uint32_t active_ = 0;
  bool exclusive_ = false;
  std::unordered_map<consumer_id, std::unique_ptr<consumer>> consumers_;
  /// Who may be able to take a message, in turn, by falling priority; next_consumer skips who can't.
  std::map<std::int32_t, std::deque<consumer*>, std::greater<>> waiting_;
};

} // namespace switchboard::broker
