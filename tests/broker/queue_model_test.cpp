// message_queue against the naive model, with virtual time, and paging and the log in the test's hand: after every
// operation both must agree on what each consumer got, what died, what is ready, out, refused, and what the log holds.
#include "tests/broker/queue_lives.hpp"

namespace switchboard::broker::model {
namespace {

/// message_queue with a log, pages and a clock that are values. Does around it what queue_actor does, in its order.
class pure_queue {
public:
  static constexpr abilities can{};

  explicit pure_queue(const world& of) : queue_(of.arguments), page_bytes_(of.page_bytes) {}

  outcome apply(const operation& what) {
    seen_ = {};
    switch (what.what) {
    case kind::publish:
      publish(what);
      break;
    case kind::consume:
      if (!queue_.may_add(what.exclusive)) {
        seen_.told.emplace_back("in exclusive use");
        break;
      }
      add(what.place, {what.no_ack, what.exclusive, what.prefetch, what.rank, /*passive*/ false});
      turn();
      break;
    case kind::cancel:
      queue_.stop(ids_.at(what.place));
      turn();
      break;
    case kind::leave:
      queue_.release(ids_.at(what.place), done_);
      std::erase_if(out_, [&](const auto& each) { return each.first.first == what.place; });
      turn();
      break;
    case kind::settle:
      settle(what);
      turn();
      break;
    case kind::set_prefetch:
      queue_.set_prefetch(ids_.at(what.place), what.prefetch);
      turn();
      break;
    case kind::grant: {
      const auto sent = std::exchange(sent_[what.place], {});
      queue_.grant(ids_.at(what.place), sent.first, sent.second);
      turn();
      break;
    }
    case kind::get:
      get(what);
      break;
    case kind::purge:
      seen_.told.push_back("purged " + std::to_string(queue_.purge(done_)));
      after_change();
      break;
    case kind::wait:
      now_ += milliseconds{what.ms};
      break;
    case kind::put_away:
      put_away(what.bytes);
      break;
    case kind::let_go:
      let_go(what.bytes);
      break;
    case kind::change:
      queue_.change(what.arguments);
      turn();
      break;
    case kind::restart:
      restart(what);
      break;
    }
    do { // as the timer would
      paging([&] { queue_.expire(now_, done_); });
      after_change();
    } while (queue_.next_expiry() && *queue_.next_expiry() <= now_);
    return what_is();
  }

  std::uint64_t page_reads() const noexcept { return page_reads_; }

  /// After everybody left and the queue was purged.
  std::string left_over() const {
    return pages_.empty() && attempts_.empty()
               ? ""
               : std::to_string(pages_.size()) + " pages and " + std::to_string(attempts_.size()) +
                     " records of attempts are left of an empty queue";
  }

private:
  using place_and_number = std::pair<unsigned, delivery_number>;

  void complain(std::string what) {
    if (seen_.complaint.empty())
      seen_.complaint = std::move(what);
  }

  void add(unsigned place, message_queue::consumer_options options) {
    ids_[place] = queue_.add(options);
    places_[ids_[place]] = place;
    sent_[place] = {};
    no_ack_[place] = options.no_ack;
  }

  void publish(const operation& what) {
    paging([&] { queue_.expire(now_, done_); });
    const auto& how = queue_.how();
    const bool one_by_one = how.max_priority > 0 || how.max_length || how.max_length_bytes;
    for (unsigned n = 0; n < what.count; ++n) {
      const auto made = message_of(what, ++published_);
      position at = 0;
      if (what.durable) {
        at = next_position_++;
        unsynced_[at] = made;
      }
      if (!queue_.enqueue({made, at, false}, now_, done_))
        seen_.told.push_back("refused " + std::to_string(published_));
      else if (one_by_one) {
        pump();
        paging([&] { queue_.expire(now_, done_); });
      }
    }
    pump();
  }

  void settle(const operation& what) {
    for (auto each = out_.lower_bound({what.place, what.first});
         each != out_.end() && each->first <= place_and_number{what.place, what.last};) {
      if (what.how == verdict::settled && each->second)
        remove(each->second); // in the consumer's own transaction
      each = out_.erase(each);
    }
    queue_.settle(ids_.at(what.place), what.first, what.last, what.how, done_, now_);
  }

  void get(const operation& what) {
    paging([&] { queue_.expire(now_, done_); });
    if (!ids_.contains(what.place) || !queue_.knows(ids_.at(what.place)))
      add(what.place, {false, false, 0, 0, /*passive*/ true});
    std::optional<std::pair<delivery_number, queued>> item;
    paging([&] { item = queue_.get(ids_.at(what.place), what.no_ack, done_, now_); });
    if (item)
      see(what.place, item->first, item->second, what.no_ack);
    else
      seen_.told.emplace_back("nothing there");
    paging([&] { queue_.expire(now_, done_); });
    after_change();
  }

  void see(unsigned place, delivery_number number, const queued& item, bool no_ack) {
    const auto message = number_of(*item.message);
    seen_.delivered[place].push_back(delivery_text(number, message, item.redelivered, returns_of(*item.message)));
    if (item.message->persistent() != (item.at != 0))
      complain("position " + std::to_string(item.at) + " of message " + std::to_string(message));
    if (!no_ack)
      out_[{place, number}] = item.at;
  }

  void turn() {
    if (!queue_.how().counts_deliveries)
      paging([&] { queue_.trim(done_); });
    pump(now_);
  }

  void pump(std::optional<message_queue::instant> at = {}) {
    const auto hand_out = [&](message_queue::consumer_id id, delivery_number number, const queued& item) {
      const auto place = places_.at(id);
      see(place, number, item, no_ack_.at(place));
      ++sent_[place].first;
      sent_[place].second += item.message->footprint();
    };
    paging([&] { queue_.pump(hand_out, done_, at); });
    after_change();
  }

  void after_change() {
    paging([&] { queue_.trim(done_); });
    for (auto& each : queue_.take_dead()) {
      if (!each.message)
        each.message = (each.spilled ? pages_ : log_).at(each.at);
      if (each.spilled)
        pages_.erase(std::exchange(each.at, 0));
      seen_.dead.push_back(letter_text(number_of(*each.message), name_of(each.why)));
      if (each.at)
        remove(each.at);
    }
    if (queue_.has_dead_waiting())
      complain("more died at once than the operations ask for");
    for (const auto at : std::exchange(done_, {}))
      remove(at);
    queue_.write_attempts([&](const message_queue::attempts& each) {
      attempts_[next_position_] = each;
      return next_position_++;
    });
    for (const auto at : queue_.take_old_records())
      if (attempts_.erase(at) == 0)
        complain("record of attempts " + std::to_string(at) + " was not there");
    for (const auto at : queue_.take_unspilled())
      if (pages_.erase(at) == 0)
        complain("page " + std::to_string(at) + " was not there");
  }

  // -- log and pages

  void remove(position at) {
    if (log_.erase(at) + unsynced_.erase(at) != 1)
      complain("position " + std::to_string(at) + " was deleted and not there");
  }

  void put_away(std::size_t keep) {
    if (barrier_ || !queue_.deep(keep))
      return;
    queue_.spill(keep, [&](const message_ptr& what) {
      pages_[next_position_] = what;
      return next_position_++;
    });
    barrier_ = {next_position_, queue_.last_sequence()};
  }

  void let_go(std::size_t keep) {
    if (!barrier_)
      return;
    sync(barrier_->first);
    queue_.page_out(keep, barrier_->second);
    barrier_.reset();
  }

  void sync(position up_to) {
    while (!unsynced_.empty() && unsynced_.begin()->first < up_to)
      log_.insert(unsynced_.extract(unsynced_.begin()));
  }

  template <class Operation>
  void paging(Operation&& operation) {
    operation();
    while (queue_.take_starved() && page_in())
      operation();
  }

  bool page_in() {
    ++page_reads_;
    const auto wanted = queue_.next_page(page_bytes_);
    std::map<message_queue::paged, message_ptr> found;
    for (const auto& each : wanted) {
      const auto& part = each.spilled ? pages_ : log_;
      const auto there = part.find(each.at);
      if (there == part.end())
        complain("position " + std::to_string(each.at) + " was let go and is not in the log");
      found[each] = there == part.end() ? message_ptr{} : there->second;
    }
    queue_.page_in(found, page_reads_ % 2 == 0);
    return !wanted.empty();
  }

  void restart(const operation&) {
    sync(next_position_);
    pages_.clear();
    barrier_.reset();
    queue_ = message_queue{queue_.how()};
    std::map<position, message_queue::past> pasts;
    for (const auto& [record, each] : attempts_)
      pasts[each.message] = {each.failures, each.returns, record, {}};
    for (const auto& [at, what] : log_) {
      queue_.restore({what, at, true}, now_, pasts[at]);
      if (queue_.deep(page_bytes_))
        queue_.page_out(page_bytes_ / 2, queue_.last_sequence());
    }
    ids_.clear();
    places_.clear();
    out_.clear();
  }

  outcome what_is() {
    auto what = std::exchange(seen_, {});
    what.ready = queue_.ready();
    what.ready_bytes = queue_.ready_bytes();
    what.unacked = queue_.unacked();
    what.consumers = queue_.reported_consumers();
    if (const auto next = queue_.next_expiry())
      what.next_expiry_ms = std::chrono::duration_cast<milliseconds>(*next - start).count();
    for (const auto* part : {&log_, &unsynced_})
      for (const auto& [at, message] : *part)
        what.in_log.push_back(number_of(*message));
    std::sort(what.in_log.begin(), what.in_log.end());
    if (queue_.resident_bytes() > queue_.ready_bytes())
      what.complaint = "more in memory than there is";
    return what;
  }

  static constexpr message_queue::instant start{std::chrono::hours{1}};

  message_queue queue_;
  const std::size_t page_bytes_;
  message_queue::instant now_ = start;
  std::vector<position> done_;
  std::map<unsigned, message_queue::consumer_id> ids_;
  std::map<message_queue::consumer_id, unsigned> places_;
  std::map<unsigned, std::pair<std::size_t, std::size_t>> sent_; ///< messages and bytes on the link
  std::map<unsigned, bool> no_ack_;
  std::map<place_and_number, position> out_;
  std::map<position, message_ptr> log_, unsynced_, pages_;
  std::map<position, message_queue::attempts> attempts_;
  std::optional<std::pair<position, std::uint64_t>> barrier_; ///< of put_away: what let_go() may rely on
  position next_position_ = 1;
  unsigned published_ = 0;
  std::uint64_t page_reads_ = 0;
  outcome seen_;
};

TEST(queue_model, agrees_with_the_pure_queue_over_random_lives) {
  const auto sum = live_through(from_environment("SWITCHBOARD_MODEL_OPERATIONS", operations_usually), pure_queue::can,
                                [](const world& of, tally& all) {
                                  pure_queue real{of};
                                  auto how = difference(of, real, all);
                                  all.page_reads += real.page_reads();
                                  return how;
                                });
  EXPECT_EQ(sum.dead.size(), 4u) << "rejected, expired, maxlen, delivery_limit";
  EXPECT_GT(std::min({sum.deliveries, sum.again, sum.refused, sum.page_reads}), sum.operations / 200);
}

TEST(queue_model, shrinks_a_failure_to_what_matters) {
  std::vector<operation> many(100);
  many[17].what = kind::purge;
  many[80].what = kind::restart;
  const auto fails = [](const std::vector<operation>& some) {
    const auto is = [](kind what) { return [what](const operation& each) { return each.what == what; }; };
    const auto purge = std::find_if(some.begin(), some.end(), is(kind::purge));
    return std::find_if(purge, some.end(), is(kind::restart)) != some.end();
  };
  const auto few = shrink(many, fails);
  ASSERT_EQ(few.size(), 2u);
  EXPECT_EQ(few[0].what, kind::purge);
  EXPECT_EQ(few[1].what, kind::restart);
}

} // namespace
} // namespace switchboard::broker::model
