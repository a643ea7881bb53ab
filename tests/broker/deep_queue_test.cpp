#include <gmock/gmock.h>

#include "broker/message_queue.hpp"
#include "broker/queue_actor.hpp"
#include "tests/broker/actor_fixture.hpp"

namespace switchboard::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr message_queue::instant epoch{};

message_ptr page_text(std::string_view body) { return make_message("", "q", encode_properties({}), body, true); }

/// A queue that is told of messages 1 to n at positions 1 to n, and a log in which they all are.
class paged_queue : public testing::Test {
protected:
  void fill(position count, bool durable = true) {
    for (position at = 1; at <= count; ++at) {
      log_[{at, false}] = page_text(std::to_string(at));
      queue_.enqueue({log_[{at, false}], durable ? at : 0, false}, epoch, done_);
    }
  }
  std::size_t one() const { return page_text("1")->footprint(); }
  void page_in(std::size_t bytes) {
    std::map<message_queue::paged, message_ptr> found;
    for (const auto& each : queue_.next_page(bytes))
      found[each] = log_[each];
    queue_.page_in(found);
  }
  /// Bodies that a new consumer gets, reading pages of that size; how many times it read is counted.
  std::vector<std::string> drain(std::size_t page_bytes) {
    std::vector<std::string> bodies;
    queue_.add({.no_ack = true});
    const auto pump = [&] {
      queue_.pump([&](auto, auto, const queued& item) { bodies.emplace_back(item.message->body()); }, done_);
    };
    pump();
    while (queue_.take_starved()) {
      ++reads_;
      page_in(page_bytes);
      pump();
    }
    return bodies;
  }

  message_queue queue_;
  std::map<message_queue::paged, message_ptr> log_;
  std::vector<position> done_;
  int reads_ = 0;
};

TEST_F(paged_queue, keeps_its_head_and_brings_the_rest_back_in_order) {
  fill(9);
  EXPECT_FALSE(queue_.deep(9 * one()));
  ASSERT_TRUE(queue_.deep(9 * one() - 1));
  queue_.page_out(3 * one(), queue_.last_sequence());
  EXPECT_FALSE(queue_.deep(3 * one()));
  EXPECT_FALSE(queue_.head_is_paged_out());
  EXPECT_EQ(queue_.ready(), 9u);
  EXPECT_EQ(queue_.ready_bytes(), 9 * one());
  EXPECT_THAT(drain(2 * one()), ElementsAre("1", "2", "3", "4", "5", "6", "7", "8", "9"));
  EXPECT_EQ(reads_, 3);
  EXPECT_THAT(done_, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(queue_.ready_bytes(), 0u);
  EXPECT_FALSE(queue_.deep(0));
}

TEST_F(paged_queue, lets_go_of_nothing_that_may_not_be_in_the_log_yet) {
  fill(5);
  const auto up_to = queue_.last_sequence();
  queue_.enqueue({page_text("6"), 6, false}, epoch, done_);
  queue_.page_out(0, up_to);
  EXPECT_TRUE(queue_.deep(one() - 1));
  EXPECT_FALSE(queue_.deep(one()));
}

TEST_F(paged_queue, puts_transient_messages_among_its_pages) {
  fill(4, /*durable*/ false);
  position next = 100;
  queue_.spill(one(), [&](const message_ptr& what) {
    log_[{next, true}] = what;
    return next++;
  });
  EXPECT_EQ(next, 103u);
  queue_.page_out(one(), queue_.last_sequence());
  EXPECT_THAT(drain(99 * one()), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(queue_.take_unspilled(), testing::UnorderedElementsAre(100, 101, 102));
  EXPECT_THAT(done_, IsEmpty());
}

/// What is out of memory but for the test's log, which has one reference to each.
TEST_F(paged_queue, keeps_no_body_of_what_is_out_while_memory_is_scarce) {
  for (const bool durable : {true, false})
    for (const bool scarce : {true, false}) {
      queue_ = message_queue{};
      log_.clear();
      done_.clear();
      fill(1, durable);
      position next = 100;
      queue_.spill(0, [&](const message_ptr& what) {
        log_[{next, true}] = what;
        return next++;
      });
      queue_.page_out(0, queue_.last_sequence());
      const auto id = queue_.add({});
      const auto read = [&] {
        std::map<message_queue::paged, message_ptr> found;
        for (const auto& each : queue_.next_page(1))
          found[each] = page_text("again");
        queue_.page_in(found, scarce);
      };
      const auto pump = [&] {
        std::vector<std::string> got;
        std::int64_t with_it = 0;
        const auto before = message::resident_bytes();
        read();
        queue_.pump([&](auto, auto, const queued& item) { got.emplace_back(item.message->body()); }, done_);
        with_it = message::resident_bytes() - before;
        EXPECT_THAT(got, ElementsAre("again"));
        EXPECT_EQ(with_it == 0, scarce);
      };
      pump();
      queue_.settle(id, 1, 1, verdict::requeue, done_);
      EXPECT_EQ(queue_.ready(), 1u);
      EXPECT_EQ(queue_.head_is_paged_out(), scarce);
      EXPECT_EQ(queue_.resident_bytes() == 0, scarce);
      EXPECT_THAT(queue_.take_unspilled(), IsEmpty());
      queue_.grant(id, 1, 1u << 20);
      if (scarce)
        pump();
      else
        queue_.pump([](auto, auto, const queued&) {}, done_);
      queue_.settle(id, 2, 2, verdict::ack, done_);
      EXPECT_EQ(done_.size(), durable ? 1u : 0u);
      EXPECT_THAT(queue_.take_unspilled(), SizeIs(durable ? 0 : 1));
      EXPECT_EQ(queue_.unacked(), 0u);
    }
}

TEST_F(paged_queue, keeps_the_body_of_what_may_become_a_dead_letter) {
  const auto reject_one = [&](bool policy_comes_late) {
    queue_arguments how;
    how.dead_letter_exchange = "graves";
    queue_ = message_queue{policy_comes_late ? queue_arguments{} : how};
    fill(1);
    queue_.page_out(0, queue_.last_sequence());
    const auto id = queue_.add({});
    const auto hand_out = [&] {
      std::map<message_queue::paged, message_ptr> found;
      for (const auto& each : queue_.next_page(1))
        found[each] = log_[each];
      queue_.page_in(found, true);
      queue_.grant(id, 1, 1u << 20);
      queue_.pump([](auto, auto, const queued&) {}, done_);
    };
    hand_out();
    queue_.change(how);
    queue_.settle(id, 1, 1, verdict::reject, done_);
    const auto dead = queue_.take_dead();
    ASSERT_THAT(dead, SizeIs(1));
    EXPECT_EQ(dead[0].at, 1u);
    if (policy_comes_late) // then whoever buries it has to read it
      EXPECT_FALSE(dead[0].message);
    else
      EXPECT_EQ(dead[0].message->body(), "1");
    EXPECT_THAT(done_, IsEmpty());
  };
  reject_one(false);
  reject_one(true);
}

TEST_F(paged_queue, forgets_a_page_of_what_left_before_it_was_let_go) {
  fill(2, /*durable*/ false);
  position next = 100;
  queue_.spill(0, [&](const message_ptr&) { return next++; });
  std::vector<position> positions;
  const auto id = queue_.add({.prefetch = 1});
  queue_.pump([&](auto, auto, const queued& item) { positions.push_back(item.at); }, done_);
  EXPECT_THAT(positions, ElementsAre(0)) << "whoever gets it must not delete what isn't the queue's";
  EXPECT_THAT(queue_.take_unspilled(), IsEmpty()) << "it may come back";
  queue_.page_out(0, queue_.last_sequence());
  EXPECT_TRUE(queue_.head_is_paged_out());
  queue_.release(id, done_); // what was out comes back, whole, before what is paged out
  EXPECT_FALSE(queue_.head_is_paged_out());
  EXPECT_EQ(queue_.purge(done_), 2u);
  EXPECT_THAT(queue_.take_unspilled(), SizeIs(2));
  EXPECT_EQ(queue_.ready_bytes(), 0u);
}

TEST_F(paged_queue, gives_up_what_is_damaged) {
  fill(4);
  queue_.page_out(0, queue_.last_sequence());
  log_[{2, false}] = {};
  EXPECT_THAT(drain(99 * one()), ElementsAre("1", "3", "4"));
  EXPECT_THAT(done_, testing::UnorderedElementsAre(1, 3, 4)) << "what is damaged stays where it is";
  EXPECT_EQ(queue_.ready(), 0u);
  EXPECT_EQ(queue_.ready_bytes(), 0u);
}

TEST_F(paged_queue, reads_what_is_to_be_a_dead_letter_and_nothing_else) {
  queue_arguments how;
  how.message_ttl = milliseconds{10};
  queue_ = message_queue{how};
  fill(3);
  queue_.page_out(0, queue_.last_sequence());
  queue_.expire(epoch + std::chrono::seconds{1}, done_);
  EXPECT_FALSE(queue_.take_starved());
  EXPECT_THAT(done_, ElementsAre(1, 2, 3));

  how.dead_letter_exchange = "dlx";
  queue_ = message_queue{how};
  done_.clear();
  fill(3);
  queue_.page_out(0, queue_.last_sequence());
  queue_.expire(epoch + std::chrono::seconds{1}, done_);
  EXPECT_TRUE(queue_.take_starved());
  page_in(99 * one());
  queue_.expire(epoch + std::chrono::seconds{1}, done_);
  EXPECT_FALSE(queue_.take_starved());
  EXPECT_THAT(queue_.take_dead(), SizeIs(3));
}

TEST_F(paged_queue, lets_go_of_what_came_back_before_a_tail_that_has_gone) {
  fill(9);
  const auto id = queue_.add({});
  queue_.pump([](auto, auto, const queued&) {}, done_);
  fill(3);
  queue_.page_out(0, queue_.last_sequence());
  queue_.release(id, done_);
  EXPECT_EQ(queue_.resident_bytes(), 9 * one());
  ASSERT_TRUE(queue_.deep(3 * one()));
  queue_.page_out(3 * one(), queue_.last_sequence());
  EXPECT_EQ(queue_.resident_bytes(), 3 * one());
  EXPECT_THAT(drain(one()), ElementsAre("1", "2", "3", "4", "5", "6", "7", "8", "9", "1", "2", "3"));
}

TEST_F(paged_queue, keeps_what_has_hidden_keys) {
  queue_.enqueue({make_message("", "q", encode_properties({}), "1", true, std::string_view("\1b", 2)), 1, false}, epoch,
                 done_);
  queue_.page_out(0, queue_.last_sequence());
  EXPECT_FALSE(queue_.head_is_paged_out());
}

TEST_F(paged_queue, does_not_die_all_at_once) {
  queue_arguments how;
  how.message_ttl = milliseconds{10};
  how.dead_letter_exchange = "dlx";
  queue_ = message_queue{how};
  const auto after = epoch + std::chrono::seconds{1};
  constexpr position count = 10;
  for (position at = 1; at <= count; ++at)
    queue_.enqueue({page_text(std::string(1 << 20, 'x')), at, false}, epoch, done_);
  std::vector<std::size_t> parts;
  const auto taker = queue_.add({.passive = true});
  for (;;) {
    queue_.expire(after, done_);
    parts.push_back(queue_.take_dead().size());
    if (!queue_.has_dead_waiting())
      break;
    queue_.expire(after, done_);
    EXPECT_THAT(queue_.take_dead(), IsEmpty()) << "not before the others are where they belong";
    EXPECT_FALSE(queue_.get(taker, true, done_, after)) << "it is over its time all the same";
    queue_.letters_gone();
  }
  EXPECT_THAT(parts, ElementsAre(4, 4, 2));
  EXPECT_EQ(queue_.ready(), 0u);
}

TEST_F(paged_queue, lets_the_lowest_priority_go_first) {
  queue_arguments how;
  how.max_priority = 1;
  queue_ = message_queue{how};
  const auto add = [&](std::uint8_t priority, position at) {
    basic_properties properties;
    properties.priority = priority;
    log_[{at, false}] = make_message("", "q", encode_properties(properties), std::to_string(at), true);
    queue_.enqueue({log_[{at, false}], at, false}, epoch, done_);
  };
  add(0, 1);
  add(1, 2);
  add(0, 3);
  const auto size = log_[{1, false}]->footprint();
  queue_.page_out(size, queue_.last_sequence());
  EXPECT_FALSE(queue_.head_is_paged_out()) << "the one of priority 1 goes next";
  EXPECT_THAT(queue_.next_page(99 * size), SizeIs(2));
  EXPECT_THAT(drain(99 * size), ElementsAre("2", "1", "3"));
}

class paged_queues : public broker_actors {
protected:
  paged_queues() : broker_actors({.resident_bytes_max = 256 << 10}) {}
  static constexpr int count = 400; // of 4 KiB each
  static std::string body(int number) { return std::to_string(number) + std::string(4096, 'x'); }

  void publish(bool persistent) {
    const auto who = spawn_worker();
    on(who, [&](caf::event_based_actor* self) {
      publisher out{node};
      for (int number = 0; number < count; ++number) {
        out.begin();
        EXPECT_EQ(out.publish(a_message(body(number), "q", persistent)), routed::queued);
        out.flush(self, 1, {});
      }
    });
  }
};

TEST_F(paged_queues, deliver_everything_in_order_and_leave_nothing_behind) {
  for (const bool persistent : {false, true}) {
    const auto queue = durable_queue("q");
    publish(persistent);
    EXPECT_EQ(status(queue).ready, static_cast<std::uint64_t>(count));
    const auto pages = [&] { return log->messages(pages_of(queue->number)).size(); };
    if (!persistent) {
      const auto end = std::chrono::steady_clock::now() + deadline;
      while (pages() < count / 2 && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(1ms);
      EXPECT_GE(pages(), static_cast<std::size_t>(count / 2));
    }
    ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, 0, /*no_ack*/ true)));
    std::vector<std::string> seen;
    while (seen.size() < count) {
      const auto batch = next<deliver>();
      ASSERT_THAT(batch.items, testing::Not(IsEmpty()));
      std::size_t bytes = 0;
      for (const auto& item : batch.items) {
        seen.emplace_back(item.message->body());
        bytes += item.message->footprint();
      }
      self->send(queue->actor, grant{self->id(), 1, batch.items.size(), bytes});
    }
    for (int number = 0; number < count; ++number)
      ASSERT_EQ(seen[static_cast<std::size_t>(number)], body(number));
    EXPECT_EQ(status(queue).ready, 0u);
    status(queue); // behind flush_deletions
    EXPECT_EQ(pages(), 0u);
    EXPECT_THAT(log->messages(queue->number), IsEmpty());
    ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
  }
}

TEST_F(paged_queues, come_back_with_what_is_durable_and_without_pages) {
  auto queue = durable_queue("q");
  publish(true);
  enqueue(queue, std::vector<std::string>(200, body(0))); // transient
  status(queue);
  restart();
  queue = ask<queue_ok>(node->topology(), find_queue{"q", "test"})->queue;
  EXPECT_EQ(status(queue).ready, static_cast<std::uint64_t>(count));
  EXPECT_THAT(log->messages(pages_of(queue->number)), IsEmpty());
  EXPECT_THAT(log->messages(page_list), IsEmpty());
  get one;
  one.consumer = caf::actor_cast<caf::actor>(self->address());
  one.no_ack = true;
  for (int number = 0; number < count; ++number)
    ASSERT_EQ(ask<got>(queue->actor, one)->item.message->body(), body(number));
  EXPECT_TRUE(ask<got>(queue->actor, one)->empty);
}

} // namespace
} // namespace switchboard::test
