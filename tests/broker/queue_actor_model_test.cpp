// queue_actor against the naive model: a real broker with a dead-letter queue, a log, pages and restarts. Time does not
// pass here: nothing expires, so that every operation has one outcome whenever it runs.
#include "broker/queue_actor.hpp"

#include "tests/broker/actor_fixture.hpp"
#include "tests/broker/queue_lives.hpp"

namespace switchboard::test {
namespace {

using broker::model::kind;
using broker::model::operation;
using broker::model::outcome;
using broker::model::world;

/// So few bytes that every queue with some messages pages.
constexpr std::size_t resident_bytes_of_the_model = 1500;

class living_queues : public broker_actors {
public:
  static constexpr broker::model::abilities can{.time = false, .paging = false};

  void TestBody() override {}

  living_queues() : broker_actors({.resident_bytes_max = resident_bytes_of_the_model}) {
    dead_ = durable_queue("dead");
    me_ = caf::actor_cast<caf::actor>(self->address());
  }

  /// A new queue.
  void begin(const world& of) {
    if (queue_) {
      EXPECT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
    }
    settle_down();
    // CAF's timeout of each question comes 20 s later and stays in the mailbox of who asked.
    held_self.emplace(system);
    me_ = caf::actor_cast<caf::actor>(self->address());
    queue_spec spec;
    spec.name = "q";
    spec.durable = true;
    spec.arguments = broker::model::table_of(of.arguments);
    queue_ = declare(std::move(spec));
    published_ = 0;
    sent_ = {};
    out_.clear();
    no_ack_ = {};
    seen_ = {};
  }

  outcome apply(const operation& what) {
    seen_ = {};
    const auto key = static_cast<consumer_key>(what.place);
    switch (what.what) {
    case kind::publish:
      publish(what);
      break;
    case kind::consume: {
      auto wish = a_consumer(key, what.prefetch, what.no_ack);
      wish.priority = what.rank;
      wish.exclusive = what.exclusive;
      sent_[what.place] = {};
      no_ack_[what.place] = what.no_ack;
      if (!ask<consume_ok>(queue_->actor, std::move(wish)))
        seen_.told.emplace_back("in exclusive use");
      break;
    }
    case kind::cancel:
      EXPECT_TRUE(ask<cancel_ok>(queue_->actor, cancel_consumer{me_, key}));
      break;
    case kind::leave:
      self->send(queue_->actor, release_consumer{me_, key});
      std::erase_if(out_, [&](const auto& each) { return each.first.first == what.place; });
      break;
    case kind::settle:
      settle_some(what);
      break;
    case kind::set_prefetch:
      self->send(queue_->actor, change_prefetch{self->id(), key, what.prefetch});
      break;
    case kind::grant: {
      const auto sent = std::exchange(sent_[what.place], {});
      self->send(queue_->actor, grant{self->id(), key, sent.first, sent.second});
      break;
    }
    case kind::get: {
      const auto answer = ask<got>(queue_->actor, get{me_, key, what.no_ack});
      if (!answer || answer->empty)
        seen_.told.emplace_back(answer ? "nothing there" : answer.error().what);
      else
        see(what.place, answer->number, answer->item, what.no_ack);
      break;
    }
    case kind::purge:
      if (const auto answer = ask<purged>(queue_->actor, purge{}))
        seen_.told.push_back("purged " + std::to_string(answer->messages));
      break;
    case kind::restart:
      restart_node();
      break;
    default:
      seen_.complaint = "can't be done here";
    }
    settle_down();
    return what_is();
  }

  std::string left_over() {
    const auto pages = log->messages(pages_of(queue_->number)).size();
    const auto attempts = log->messages(retries_of(queue_->number)).size();
    const auto letters = log->messages(dead_->number).size();
    return pages + attempts + letters == 0
               ? ""
               : std::to_string(pages) + " pages, " + std::to_string(attempts) + " records of attempts and " +
                     std::to_string(letters) + " dead letters are left in the log of empty queues";
  }

private:
  void publish(const operation& what) {
    enqueue_batch batch;
    auto changes = log->begin();
    std::vector<unsigned> numbers;
    for (unsigned n = 0; n < what.count; ++n) {
      const auto made = message_of(what, ++published_);
      queued item{made, 0, false, n};
      if (what.durable) {
        item.at = log->take_positions(1);
        changes->put_message(queue_->number, item.at, made);
      }
      batch.items.push_back(std::move(item));
      numbers.push_back(published_);
    }
    log->commit(std::move(changes), {});
    batch.publisher = me_;
    self->send(queue_->actor, std::move(batch));
    for (const auto ordinal : next<enqueued>().refused)
      seen_.told.push_back("refused " + std::to_string(numbers.at(ordinal)));
  }

  void settle_some(const operation& what) {
    auto changes = log->begin();
    for (auto each = out_.lower_bound({what.place, what.first});
         each != out_.end() && each->first <= std::pair{what.place, what.last}; each = out_.erase(each))
      if (what.how == verdict::settled && each->second)
        changes->delete_message(queue_->number, each->second);
    log->commit(std::move(changes), {});
    settle_up_to(queue_, static_cast<consumer_key>(what.place), what.last, what.how, what.first);
  }

  void see(unsigned place, delivery_number number, const queued& item, bool no_ack) {
    seen_.delivered[place].push_back(broker::model::delivery_text(
        number, broker::model::number_of(*item.message), item.redelivered, broker::model::returns_of(*item.message)));
    if (!no_ack)
      out_[{place, number}] = item.at;
  }

  void restart_node() {
    restart();
    queue_ = ask<queue_ok>(node->topology(), find_queue{"q", "test"})->queue;
    dead_ = ask<queue_ok>(node->topology(), find_queue{"dead", "test"})->queue;
    std::this_thread::sleep_for(50ms); // letters of the first moment wait for the broker's routes
    out_.clear();
  }

  /// Until the queue has done what it told itself to do, and all it sent is here.
  void settle_down() {
    if (!queue_)
      return;
    for (int round = 0; round < 2; ++round) { // what it told itself in the first one
      now_ = status(queue_);
      status(dead_);
    }
    bool more = true;
    while (more)
      self->receive(
          [&](deliver& batch) {
            for (const auto& item : batch.items) {
              see(batch.key, batch.first++, item, no_ack_[batch.key]);
              ++sent_[batch.key].first;
              sent_[batch.key].second += item.message->footprint();
            }
          },
          [](const consumer_cancelled&) {}, caf::after(0ms) >> [&] { more = false; });
    for (auto letter = ask<got>(dead_->actor, get{me_, 99, true}); letter && !letter->empty;
         letter = ask<got>(dead_->actor, get{me_, 99, true})) {
      const auto read = decode_properties(letter->item.message->properties());
      const auto why = read && read->headers ? newest_death(*read->headers) : "";
      seen_.dead.push_back(broker::model::letter_text(broker::model::number_of(*letter->item.message), why));
    }
    status(dead_);
  }

  static std::string newest_death(const field_table& headers) {
    const auto* deaths = headers.find("x-death");
    const auto* list = deaths ? std::get_if<field_array>(&deaths->value) : nullptr;
    const auto* newest = list && !list->empty() ? std::get_if<field_table>(&list->front().value) : nullptr;
    return newest ? std::string{newest->text("reason").value_or("")} : "";
  }

  outcome what_is() {
    auto what = std::exchange(seen_, {});
    what.ready = now_.ready;
    what.ready_bytes = now_.ready_bytes;
    what.unacked = now_.unacked;
    what.consumers = now_.consumers;
    for (const auto& [at, message] : log->messages(queue_->number))
      what.in_log.push_back(broker::model::number_of(*message));
    std::sort(what.in_log.begin(), what.in_log.end());
    if (log->stray_deletions() != stray_) {
      stray_ = log->stray_deletions();
      what.complaint = "a position was deleted that was not there";
    }
    return what;
  }

  queue_ptr queue_, dead_;
  caf::actor me_;
  queue_status now_;
  std::size_t stray_ = 0;
  unsigned published_ = 0;
  std::array<std::pair<std::size_t, std::size_t>, broker::model::places> sent_{};
  std::array<bool, broker::model::places> no_ack_{};
  std::map<std::pair<unsigned, delivery_number>, position> out_;
  outcome seen_;
};

TEST(queue_model, agrees_with_the_living_queue_over_random_lives) {
  living_queues real;
  const auto operations =
      broker::model::from_environment("SWITCHBOARD_MODEL_OPERATIONS", broker::model::operations_usually) / 20;
  const auto sum = broker::model::live_through(operations, real.can, [&](const world& of, broker::model::tally& all) {
    real.begin(of);
    return broker::model::difference(of, real, all);
  });
  if (sum.operations < 5'000) // too few for all that can happen
    return;
  EXPECT_EQ(sum.dead.size(), 3u) << "rejected, maxlen, delivery_limit";
  EXPECT_GT(std::min({sum.deliveries, sum.again, sum.refused}), sum.operations / 200);
}

} // namespace
} // namespace switchboard::test
