// One AMQP queue, so naive that it can be read beside RabbitMQ's documentation: one list of what is ready, in the order
// in which it will go, and one list of what each consumer has out. No sequence numbers, pages, log positions or
// indexes; nothing is shared with message_queue but the words for arguments and verdicts.
//
// Sources of the rules: RabbitMQ 3.10 "Consumers", "Consumer Prefetch", "Consumer Priorities", "Single Active
// Consumer", "Consumer Acknowledgements", "Time-To-Live", "Queue Length Limit", "Dead Letter Exchanges", "Priority
// Queues", "Quorum Queues"; protocol.hpp for links; docs/amqp.md where RabbitMQ's behaviour is not documented.
#pragma once

#include "tests/broker/queue_operations.hpp"

namespace switchboard::broker::model {

class queue_model {
public:
  explicit queue_model(queue_arguments how) : how_(std::move(how)) {}

  /// The operation with what is left open filled in; none if it makes no sense now.
  std::optional<operation> resolve(operation what) const {
    const auto* who = find(what.place);
    switch (what.what) {
    case kind::consume:
      return who ? std::nullopt : std::optional{what};
    case kind::leave:
    case kind::grant:
      return who ? std::optional{what} : std::nullopt;
    case kind::cancel:
    case kind::set_prefetch:
      return who && !who->stopped ? std::optional{what} : std::nullopt;
    case kind::get: // quorum queues refuse it where one consumer is active
      return how_.counts_deliveries && how_.single_active_consumer ? std::nullopt : std::optional{what};
    case kind::settle:
      if (!who || (who->out.empty() && !what.by_number))
        return std::nullopt;
      what.first = what.by_number ? 1 + what.which % who->next : who->out[what.which % who->out.size()].number;
      what.last = what.first + what.more;
      if (what.from_the_first)
        what.first = 1;
      return what;
    default:
      return what;
    }
  }

  outcome apply(const operation& what) {
    seen_ = {};
    switch (what.what) {
    case kind::publish:
      publish(what);
      break;
    case kind::consume:
      consume(what);
      break;
    case kind::cancel:
      stop(what.place);
      turn();
      break;
    case kind::leave:
      leave(what.place);
      turn();
      break;
    case kind::settle:
      settle(what);
      turn();
      break;
    case kind::set_prefetch:
      find(what.place)->prefetch = what.prefetch;
      join_line(*find(what.place));
      turn();
      break;
    case kind::grant:
      find(what.place)->link_messages = find(what.place)->link_bytes = 0;
      join_line(*find(what.place));
      turn();
      break;
    case kind::get:
      get(what);
      break;
    case kind::purge:
      seen_.told.push_back("purged " + std::to_string(ready_.size()));
      ready_.clear();
      returned_ = 0;
      break;
    case kind::wait:
      now_ += what.ms;
      break;
    case kind::put_away:
    case kind::let_go:
      break; // nobody can tell
    case kind::change:
      change(what.arguments);
      turn();
      break;
    case kind::restart:
      restart();
      break;
    }
    for (auto before = ready_.size() + 1; before != ready_.size();) { // the next head may be over its time, too
      before = ready_.size();
      expire();
      trim();
    }
    return what_is();
  }

private:
  struct note {
    unsigned message = 0; ///< the n-th that was published
    bool durable = false;
    unsigned level = 0;
    std::optional<unsigned> own_life_ms;
    std::optional<std::int64_t> over_ms;
    std::size_t size = 0;
    std::size_t memory = 0;
    bool again = false;
    std::uint64_t returns = 0;
    std::uint64_t known_returns = 0; ///< that a restart remembers: those that count against a delivery limit
    delivery_number number = 0;      ///< once it is out
  };
  struct taker {
    unsigned place = 0;
    bool passive = false, no_ack = false, exclusive = false, stopped = false;
    std::uint32_t prefetch = 0;
    std::int32_t rank = 0;
    std::vector<note> out;
    delivery_number next = 1;
    std::size_t link_messages = 0, link_bytes = 0;
  };

  // -- publishing

  void publish(const operation& what) {
    expire();
    for (unsigned n = 0; n < what.count; ++n) {
      note made;
      made.message = ++published_;
      made.durable = what.durable;
      made.level = std::min<unsigned>(what.priority, how_.max_priority);
      made.own_life_ms = what.expiration_ms;
      made.over_ms = over(made);
      const auto real = message_of(what, made.message);
      made.size = real->body().size();
      made.memory = real->footprint();
      if (is_too_much(made.size)) {
        seen_.told.push_back("refused " + std::to_string(made.message));
        if (how_.when_full == overflow::reject_publish_dlx)
          die(made, "maxlen");
        continue;
      }
      ready_.insert(end_of_level(made.level), made);
      hand_out(); // before its time can be over: TTL 0 means "now or never"
      trim();
      expire();
    }
  }

  bool is_too_much(std::size_t size) const {
    if (how_.when_full == overflow::drop_head)
      return false;
    return (how_.max_length && ready_.size() >= *how_.max_length) ||
           (how_.max_length_bytes && ready_size() + size > *how_.max_length_bytes);
  }

  std::optional<std::int64_t> over(const note& what) const {
    std::optional<std::int64_t> life = what.own_life_ms;
    if (how_.message_ttl && (!life || how_.message_ttl->count() < *life))
      life = how_.message_ttl->count();
    return life ? std::optional{now_ + *life} : std::nullopt;
  }

  std::vector<note>::iterator end_of_level(unsigned level) {
    return std::find_if(ready_.begin(), ready_.end(), [&](const note& each) { return each.level < level; });
  }

  // -- consumers

  void consume(const operation& what) {
    const auto active = consumers();
    const bool alone =
        std::any_of(takers_.begin(), takers_.end(), [](const taker& each) { return each.exclusive && !each.stopped; });
    if (!how_.counts_deliveries && (alone || (what.exclusive && (active > 0 || how_.single_active_consumer)))) {
      seen_.told.push_back("in exclusive use");
      return;
    }
    taker made;
    made.place = what.place;
    made.no_ack = what.no_ack;
    made.exclusive = what.exclusive;
    made.prefetch = what.prefetch;
    made.rank = what.rank;
    takers_.push_back(made);
    if (!active_)
      active_ = what.place;
    join_line(takers_.back());
    turn();
  }

  void stop(unsigned place) {
    find(place)->stopped = true;
    forget_if_done(place);
    if (active_ != place)
      return;
    active_.reset(); // the next one is who waits longest; in a classic queue, of those of the highest priority
    const taker* next = nullptr;
    for (const auto& each : takers_)
      if (!each.stopped && !each.passive && (!next || (!how_.counts_deliveries && each.rank > next->rank)))
        next = &each;
    if (!next)
      return;
    active_ = next->place;
    join_line(*find(next->place));
  }

  void leave(unsigned place) {
    take_back(std::exchange(find(place)->out, {}), /*to_the_tail*/ false);
    if (!find(place)->stopped)
      return stop(place);
    forget_if_done(place);
  }

  void forget_if_done(unsigned place) {
    if (!find(place)->stopped || !find(place)->out.empty())
      return;
    std::erase(line_, place);
    std::erase_if(takers_, [&](const taker& each) { return each.place == place; });
  }

  bool can_take(const taker& who) const {
    return !who.stopped && !who.passive && (!how_.single_active_consumer || active_ == who.place) &&
           (who.prefetch == 0 || who.out.size() < who.prefetch) && who.link_messages < link_messages_max &&
           who.link_bytes < link_bytes_max;
  }

  /// At its end, who can take something and doesn't stand there yet.
  void join_line(const taker& who) {
    if (can_take(who) && std::find(line_.begin(), line_.end(), who.place) == line_.end())
      line_.push_back(who.place);
  }

  /// The first in line of the highest priority. Whose turn comes in vain has left the line.
  taker* next_in_line() {
    while (!line_.empty()) {
      auto first = line_.begin();
      for (auto each = line_.begin(); each != line_.end(); ++each)
        if (find(*each)->rank > find(*first)->rank)
          first = each;
      auto* who = find(*first);
      line_.erase(first);
      if (can_take(*who))
        return who;
    }
    return nullptr;
  }

  void give(taker& who, note what, bool count_always) {
    what.number = who.next++;
    const bool counted = how_.counts_deliveries && (what.returns > 0 || count_always);
    seen_.delivered[who.place].push_back(
        delivery_text(what.number, what.message, what.again,
                      counted ? std::optional{static_cast<std::int64_t>(what.returns)} : std::nullopt));
    ++who.link_messages;
    who.link_bytes += what.memory;
    if (!who.no_ack)
      who.out.push_back(what);
  }

  /// All that can go. Who got one stands at the end of the line; of a quorum queue only if it could take another.
  void hand_out(bool and_expire = false) {
    for (;;) {
      if (and_expire)
        expire();
      if (ready_.empty())
        return;
      auto* who = next_in_line();
      if (!who)
        return;
      give(*who, take_head(), false);
      if (how_.counts_deliveries)
        join_line(*who);
      else
        line_.push_back(who->place);
    }
  }

  /// What came back may be too much, which a quorum queue looks at after handing out.
  void turn() {
    if (!how_.counts_deliveries)
      trim();
    hand_out(true);
    trim();
  }

  void get(const operation& what) {
    expire();
    auto* who = find(what.place);
    if (!who) {
      taker made;
      made.place = what.place;
      made.passive = true;
      takers_.push_back(made);
      who = &takers_.back();
    }
    if (ready_.empty()) {
      seen_.told.push_back("nothing there");
      return;
    }
    give(*who, take_head(), true);
    who->link_messages = who->link_bytes = 0;
    if (what.no_ack)
      who->out.pop_back();
  }

  // -- coming back and going

  void settle(const operation& what) {
    auto& who = *find(what.place);
    std::vector<note> taken, left;
    for (const auto& each : who.out)
      (each.number >= what.first && each.number <= what.last ? taken : left).push_back(each);
    who.out = left;
    if (what.how == verdict::requeue)
      // A quorum queue without a limit writes what a client returns anew.
      take_back(taken, how_.counts_deliveries && !how_.delivery_limit);
    if (what.how == verdict::reject) {
      std::stable_sort(taken.begin(), taken.end(), [](const note& a, const note& b) { return a.level > b.level; });
      for (const auto& each : taken)
        die(each, "rejected");
    }
    if (!who.stopped)
      return join_line(who);
    forget_if_done(what.place);
  }

  void take_back(std::vector<note> returned, bool to_the_tail) {
    for (auto& each : returned) {
      each.again = true;
      ++each.returns;
      if (how_.delivery_limit)
        each.known_returns = each.returns;
      if (how_.delivery_limit && each.returns > *how_.delivery_limit)
        die(each, "delivery_limit");
      else if (to_the_tail)
        ready_.push_back(each);
      else if (how_.counts_deliveries) // behind what came back before it, before all else
        ready_.insert(ready_.begin() + static_cast<std::ptrdiff_t>(returned_++), each);
      else
        ready_.insert(own_place(each), each);
    }
  }

  std::vector<note>::iterator own_place(const note& what) {
    return std::find_if(ready_.begin(), ready_.end(), [&](const note& each) {
      return each.level < what.level || (each.level == what.level && each.message > what.message);
    });
  }

  note take_head() { return take(ready_.begin()); }
  note take(std::vector<note>::iterator which) {
    auto taken = *which;
    ready_.erase(which);
    if (returned_ > 0)
      --returned_;
    return taken;
  }

  void die(const note& what, std::string_view why) {
    if (how_.dead_letter_exchange)
      seen_.dead.push_back(letter_text(what.message, why));
  }

  /// A message goes once its time is over and it is the first of its priority.
  void expire() {
    for (unsigned level = how_.max_priority + 1u; level-- > 0;)
      for (;;) {
        const auto first =
            std::find_if(ready_.begin(), ready_.end(), [&](const note& each) { return each.level == level; });
        if (first == ready_.end() || !first->over_ms || *first->over_ms > now_)
          break;
        die(take(first), "expired");
      }
  }

  void trim() {
    if (how_.when_full != overflow::drop_head)
      return;
    while (!ready_.empty() && ((how_.max_length && ready_.size() > *how_.max_length) ||
                               (how_.max_length_bytes && ready_size() > *how_.max_length_bytes)))
      die(take_head(), "maxlen");
  }

  // -- from outside

  void change(queue_arguments how) {
    how.max_priority = how_.max_priority;
    how.single_active_consumer = how_.single_active_consumer;
    how.counts_deliveries = how_.counts_deliveries;
    how_ = how;
  }

  /// What is durable comes back in the order in which it was published, each perhaps a second time.
  void restart() {
    auto kept = ready_;
    for (const auto& who : takers_)
      kept.insert(kept.end(), who.out.begin(), who.out.end());
    std::erase_if(kept, [](const note& each) { return !each.durable; });
    std::sort(kept.begin(), kept.end(), [](const note& a, const note& b) { return a.message < b.message; });
    takers_.clear();
    line_.clear();
    active_.reset();
    ready_.clear();
    returned_ = 0;
    for (auto& each : kept) {
      each.again = true;
      each.returns = each.known_returns;
      each.over_ms = over(each);
      ready_.insert(end_of_level(each.level), each);
    }
  }

  // -- what is

  taker* find(unsigned place) {
    const auto found =
        std::find_if(takers_.begin(), takers_.end(), [&](const taker& each) { return each.place == place; });
    return found == takers_.end() ? nullptr : &*found;
  }
  const taker* find(unsigned place) const { return const_cast<queue_model*>(this)->find(place); }

  std::size_t ready_size() const {
    std::size_t sum = 0;
    for (const auto& each : ready_)
      sum += each.size;
    return sum;
  }

  std::uint32_t consumers() const {
    return static_cast<std::uint32_t>(std::count_if(takers_.begin(), takers_.end(),
                                                    [](const taker& each) { return !each.passive && !each.stopped; }));
  }

  /// A quorum queue counts the active one alone, each get that is out, and who was cancelled with something out.
  std::uint32_t reported_consumers() const {
    if (!how_.counts_deliveries)
      return consumers();
    auto count = how_.single_active_consumer ? std::min(consumers(), 1u) : consumers();
    for (const auto& each : takers_)
      count += each.passive ? static_cast<std::uint32_t>(each.out.size()) : each.stopped && !each.out.empty();
    return count;
  }

  outcome what_is() {
    auto what = std::exchange(seen_, {});
    what.ready = ready_.size();
    what.consumers = reported_consumers();
    for (const auto& each : ready_) {
      what.ready_bytes += each.memory;
      if (each.durable)
        what.in_log.push_back(each.message);
    }
    for (const auto& who : takers_) {
      what.unacked += who.out.size();
      for (const auto& each : who.out)
        if (each.durable)
          what.in_log.push_back(each.message);
    }
    std::sort(what.in_log.begin(), what.in_log.end());
    for (auto each = ready_.begin(); each != ready_.end(); ++each)
      if ((each == ready_.begin() || std::prev(each)->level != each->level) && each->over_ms &&
          (!what.next_expiry_ms || *each->over_ms < *what.next_expiry_ms))
        what.next_expiry_ms = each->over_ms;
    return what;
  }

  queue_arguments how_;
  std::vector<note> ready_;  ///< who goes next is first
  std::size_t returned_ = 0; ///< of a quorum queue: so many at the head came back
  std::vector<taker> takers_;
  std::vector<unsigned> line_;
  std::optional<unsigned> active_;
  std::int64_t now_ = 0;
  unsigned published_ = 0;
  outcome seen_; ///< of the operation that is being done
};

} // namespace switchboard::broker::model
