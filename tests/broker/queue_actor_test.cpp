#include "broker/queue_actor.hpp"

#include <gmock/gmock.h>

#include <numeric>

#include "tests/broker/actor_fixture.hpp"

namespace switchboard::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using queue_actors = broker_actors;

TEST_F(queue_actors, deliver_in_order_and_forget_what_is_acknowledged) {
  const auto queue = transient_queue("q");
  enqueue(queue, {"a", "b", "c"});
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  EXPECT_THAT(receive(3), ElementsAre("a", "b", "c"));
  EXPECT_EQ(status(queue).unacked, 3u);
  settle_up_to(queue, 1, 2);
  EXPECT_EQ(status(queue).unacked, 1u);
  settle_up_to(queue, 1, 3, verdict::requeue);
  EXPECT_THAT(receive(1), ElementsAre("!c"));
}

TEST_F(queue_actors, answer_a_consumer_before_its_first_delivery) {
  const auto queue = transient_queue("q");
  enqueue(queue, {"a"});
  self->request(queue->actor, deadline, a_consumer(1))
      .receive([](const consume_ok&) {}, [](const caf::error&) { FAIL(); });
  EXPECT_THAT(receive(1), ElementsAre("a"));
}

TEST_F(queue_actors, hand_out_nothing_before_all_that_one_method_returns_is_back) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  enqueue(queue, {"a", "b", "c"});
  EXPECT_THAT(receive(3), ElementsAre("a", "b", "c"));
  self->send(queue->actor, settle{self->id(), 1, 3, 3, verdict::requeue, /*more*/ true});
  EXPECT_EQ(status(queue).ready, 1u);
  self->send(queue->actor, settle{self->id(), 1, 1, 1, verdict::requeue});
  EXPECT_THAT(receive(2), ElementsAre("!a", "!c"));
}

TEST_F(queue_actors, stop_at_the_prefetch_and_go_on_with_each_ack) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, /*prefetch*/ 2)));
  enqueue(queue, {"a", "b", "c"});
  EXPECT_THAT(receive(2), ElementsAre("a", "b"));
  EXPECT_EQ(status(queue).ready, 1u);
  EXPECT_FALSE(has_come<deliver>());
  settle_up_to(queue, 1, 1);
  EXPECT_THAT(receive(1), ElementsAre("c"));
}

TEST_F(queue_actors, fill_a_link_no_further_than_its_credit) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, 0, /*no_ack*/ true)));
  enqueue(queue, std::vector<std::string>(link_messages_max + 10, "x"));
  receive(link_messages_max);
  EXPECT_EQ(status(queue).ready, 10u);
  EXPECT_FALSE(has_come<deliver>());
  self->send(queue->actor, grant{self->id(), 1, 4, 0});
  receive(4);
  EXPECT_EQ(status(queue).ready, 6u);
}

TEST_F(queue_actors, put_back_what_a_dead_consumer_had_out) {
  const auto queue = transient_queue("q");
  {
    caf::scoped_actor other{system};
    auto wish = a_consumer(1);
    wish.consumer = caf::actor_cast<caf::actor>(other->address());
    ASSERT_TRUE(ask<consume_ok>(queue->actor, std::move(wish)));
    enqueue(queue, {"a", "b", "c"});
    other->receive([](const deliver& what) { EXPECT_THAT(what.items, SizeIs(3)); });
    other->send(queue->actor, settle{other->id(), 1, 2, 2, verdict::ack});
  }
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  EXPECT_THAT(receive(2), ElementsAre("!a", "!c"));
}

TEST_F(queue_actors, take_acks_sent_just_before_the_end_of_a_consumer) {
  const auto queue = transient_queue("q");
  for (int round = 0; round < 50; ++round) {
    {
      caf::scoped_actor other{system};
      auto wish = a_consumer(1);
      wish.consumer = caf::actor_cast<caf::actor>(other->address());
      ASSERT_TRUE(ask<consume_ok>(queue->actor, std::move(wish)));
      enqueue(queue, {"a"});
      other->receive([](const deliver&) {});
      other->send(queue->actor, settle{other->id(), 1, 1, 1, verdict::ack});
    }
    const auto now = status(queue);
    ASSERT_EQ(now.ready, 0u) << "an acknowledged message came back";
  }
}

TEST_F(queue_actors, keep_for_a_taker_whatever_its_first_get_was_like) {
  const auto queue = transient_queue("q");
  enqueue(queue, {"a", "b"});
  const auto me = caf::actor_cast<caf::actor>(self->address());
  auto first = ask<got>(queue->actor, get{me, 7, /*no_ack*/ true});
  auto second = ask<got>(queue->actor, get{me, 7, /*no_ack*/ false});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->item.message->body(), "b");
  EXPECT_EQ(status(queue).unacked, 1u);
  self->send(queue->actor, release_consumer{me, 7});
  auto third = ask<got>(queue->actor, get{me, 7, true});
  ASSERT_TRUE(third);
  ASSERT_FALSE(third->empty);
  EXPECT_EQ(third->item.message->body(), "b");
  EXPECT_TRUE(third->item.redelivered);
}

TEST_F(queue_actors, tell_consumers_that_the_queue_was_deleted) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(4)));
  ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
  EXPECT_EQ(next<consumer_cancelled>().key, 4u);
}

TEST_F(queue_actors, answer_publishers_that_still_know_a_deleted_queue) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
  enqueue(queue, {"late"}, /*token*/ 9);
  EXPECT_EQ(next<enqueued>().token, 9u) << "its publisher would wait for ever, with all confirms behind";
}

TEST_F(queue_actors, refuse_whoever_comes_to_a_deleted_queue) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
  const auto consumed = ask<consume_ok>(queue->actor, a_consumer(1));
  ASSERT_FALSE(consumed);
  EXPECT_EQ(consumed.error().what, "NOT_FOUND - no queue 'q' in vhost '/'");
  const auto taken = ask<got>(queue->actor, get{caf::actor_cast<caf::actor>(self->address()), 1, true});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, errc::not_found);
}

TEST_F(queue_actors, end_once_nobody_holds_a_deleted_queue) {
  auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  enqueue(queue, {"a"});
  receive(1);
  self->monitor(queue->actor);
  ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
  status(queue); // it is there as long as we hold it
  EXPECT_FALSE(has_come<caf::down_msg>());
  next<consumer_cancelled>(); // a message holds its sender
  queue.reset();
  next<caf::down_msg>();
}

TEST_F(queue_actors, refuse_consumers_from_the_moment_an_auto_delete_queue_is_unused) {
  queue_spec spec;
  spec.name = "q";
  spec.auto_delete = true;
  const auto queue = declare(spec);
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  const auto me = caf::actor_cast<caf::actor>(self->address());
  self->send(queue->actor, release_consumer{me, 1});
  const auto late = ask<consume_ok>(queue->actor, a_consumer(2));
  ASSERT_FALSE(late) << "the queue is on its way out";
  EXPECT_EQ(late.error().code, errc::not_found);
}

TEST_F(queue_actors, grant_exclusive_use_to_one_only) {
  const auto queue = transient_queue("q");
  auto alone = a_consumer(1);
  alone.exclusive = true;
  ASSERT_TRUE(ask<consume_ok>(queue->actor, alone));
  const auto second = ask<consume_ok>(queue->actor, a_consumer(2));
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().what, HasSubstr("in exclusive use"));
  ASSERT_TRUE(ask<cancel_ok>(queue->actor, cancel_consumer{alone.consumer, 1}));
  EXPECT_TRUE(ask<consume_ok>(queue->actor, a_consumer(2)));
}

TEST_F(queue_actors, purge_what_is_ready_and_leave_what_is_out) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, /*prefetch*/ 1)));
  enqueue(queue, {"a", "b", "c"});
  receive(1);
  const auto gone = ask<purged>(queue->actor, purge{});
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->messages, 2u);
  EXPECT_EQ(status(queue).unacked, 1u);
}

/// A queue that is deep with few bytes.
class deep_queues : public broker_actors {
protected:
  deep_queues() : broker_actors(shallow()) {}
  static limits shallow() {
    limits bounds;
    bounds.backlog_bytes_max = 4000;
    return bounds;
  }
  const std::string big = std::string(1000, 'x');
};

TEST_F(deep_queues, hold_publishers_back_until_half_is_drained) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, /*prefetch*/ 1)));
  constexpr std::uint64_t batches = 400;
  for (std::uint64_t token = 1; token <= batches; ++token)
    enqueue(queue, {big}, token);
  receive(1);
  // All at once, by draining: one by one as a stuck queue lets them in would take 40 seconds.
  for (delivery_number last = 1; last < batches; ++last) {
    settle_up_to(queue, 1, last, verdict::ack, last);
    receive(1);
  }
  std::vector<std::uint64_t> tokens;
  while (tokens.size() < batches && !HasFailure())
    tokens.push_back(next<enqueued>().token);
  std::sort(tokens.begin(), tokens.end());
  std::vector<std::uint64_t> all(batches);
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(tokens, all) << "each batch is answered once";
}

TEST_F(deep_queues, let_one_publisher_in_when_nothing_drains) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, /*prefetch*/ 1)));
  enqueue(queue, std::vector<std::string>(6, big));
  const auto began = std::chrono::steady_clock::now();
  enqueue(queue, {big}, 1);
  enqueue(queue, {big}, 2);
  EXPECT_EQ(next<enqueued>().token, 1u);
  EXPECT_EQ(next<enqueued>().token, 2u);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 200ms) << "they were not held back";
}

TEST_F(deep_queues, let_everybody_in_when_the_last_consumer_goes) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, /*prefetch*/ 1)));
  constexpr std::uint64_t batches = 300; // would take 30 seconds one by one
  for (std::uint64_t token = 1; token <= batches; ++token)
    enqueue(queue, {big}, token);
  self->send(queue->actor, release_consumer{caf::actor_cast<caf::actor>(self->address()), 1});
  for (std::uint64_t count = 0; count < batches && !HasFailure(); ++count)
    next<enqueued>();
}

TEST_F(deep_queues, answer_those_they_hold_back_when_deleted) {
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, /*prefetch*/ 1)));
  constexpr std::uint64_t batches = 300;
  for (std::uint64_t token = 1; token <= batches; ++token)
    enqueue(queue, {big}, token);
  ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
  for (std::uint64_t count = 0; count < batches && !HasFailure(); ++count)
    next<enqueued>();
}

} // namespace
} // namespace switchboard::test
