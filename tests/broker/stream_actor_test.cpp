#include "broker/stream_actor.hpp"

#include <gmock/gmock.h>

#include "tests/broker/actor_fixture.hpp"

namespace switchboard::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class stream_actors : public broker_actors {
protected:
  queue_ptr stream(field_table more = {}) {
    queue_spec spec;
    spec.name = "s";
    spec.durable = true;
    spec.arguments = std::move(more);
    spec.arguments.append("x-queue-type", "stream");
    return declare(std::move(spec));
  }
  queue_ptr found() { return ask<queue_ok>(node->topology(), find_queue{"s", "test"})->queue; }
  start_consumer reader(consumer_key key, field_value start, std::uint32_t prefetch = 100) {
    auto what = a_consumer(key, prefetch);
    what.own_prefetch = prefetch;
    what.arguments.append("x-stream-offset", std::move(start));
    return what;
  }
  /// And waits until they are on disk.
  void append(const queue_ptr& queue, std::vector<std::string> bodies) {
    enqueue(queue, std::move(bodies), 1);
    EXPECT_EQ(next<enqueued>().token, 1u);
  }
  /// body@offset, of all consumers, as they come.
  std::vector<std::string> read(std::size_t count) {
    std::vector<std::string> all;
    while (all.size() < count) {
      const auto batch = next<deliver>();
      for (const auto& item : batch.items) {
        const auto properties = decode_properties(item.message->properties());
        all.push_back(std::string{item.message->body()} + "@" +
                      std::to_string(*properties->headers->find("x-stream-offset")->as_integer()));
      }
      if (batch.items.empty())
        break;
    }
    return all;
  }
};

TEST_F(stream_actors, give_each_consumer_everything_from_its_offset) {
  const auto queue = stream();
  append(queue, {"a", "b", "c"});
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(1, "first")));
  EXPECT_THAT(read(3), ElementsAre("a@0", "b@1", "c@2"));
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(2, 1)));
  EXPECT_THAT(read(2), ElementsAre("b@1", "c@2"));
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(3, "last")));
  EXPECT_THAT(read(1), ElementsAre("c@2"));
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(4, "next")));
  append(queue, {"d"});
  EXPECT_THAT(read(4), ElementsAre("d@3", "d@3", "d@3", "d@3"));
  EXPECT_EQ(status(queue).ready, 4u);
  EXPECT_EQ(status(queue).consumers, 4u);
}

TEST_F(stream_actors, take_acks_for_credit_only) {
  const auto queue = stream();
  append(queue, {"a", "b", "c", "d"});
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(1, "first", /*prefetch*/ 2)));
  EXPECT_THAT(read(2), ElementsAre("a@0", "b@1"));
  EXPECT_EQ(status(queue).unacked, 2u);
  EXPECT_FALSE(has_come<deliver>());
  settle_up_to(queue, 1, 1);
  EXPECT_THAT(read(1), ElementsAre("c@2"));
  self->send(queue->actor, release_consumer{caf::actor_cast<caf::actor>(self->address()), 1});
  EXPECT_EQ(status(queue).ready, 4u) << "nothing is lost, nothing comes back";
  EXPECT_EQ(status(queue).consumers, 0u);
}

TEST_F(stream_actors, tell_nobody_what_is_not_on_disk) {
  const auto queue = stream();
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(1, "next")));
  log->hold();
  enqueue(queue, {"a"}, 5);
  status(queue);
  EXPECT_FALSE(has_come<deliver>());
  EXPECT_FALSE(has_come<enqueued>());
  log->let_go();
  EXPECT_EQ(next<enqueued>().token, 5u);
  EXPECT_THAT(read(1), ElementsAre("a@0"));
}

TEST_F(stream_actors, keep_offsets_over_a_restart) {
  append(stream(), {"a", "b"});
  restart();
  append(found(), {"c"});
  restart();
  ASSERT_TRUE(ask<consume_ok>(found()->actor, reader(1, "first")));
  EXPECT_THAT(read(3), ElementsAre("a@0", "b@1", "c@2"));
  EXPECT_EQ(status(found()).ready, 3u);
}

TEST_F(stream_actors, read_far_back_from_the_log) {
  const auto queue = stream();
  const std::string filling(64 << 10, 'x');
  for (int i = 0; i < 20; ++i) // 20 MiB, of which the actor keeps 4
    append(queue, std::vector<std::string>(16, filling));
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(1, "first", 1000)));
  std::size_t seen = 0;
  while (seen < 320) {
    const auto batch = next<deliver>();
    ASSERT_THAT(batch.items, testing::Not(IsEmpty()));
    std::size_t bytes = 0;
    for (const auto& item : batch.items) {
      const auto properties = decode_properties(item.message->properties());
      ASSERT_EQ(properties->headers->find("x-stream-offset")->as_integer(), static_cast<std::int64_t>(seen++));
      bytes += item.message->footprint();
    }
    self->send(queue->actor, grant{self->id(), 1, batch.items.size(), bytes});
  }
}

TEST_F(stream_actors, let_old_segments_go) {
  field_table small;
  small.append("x-max-length-bytes", 10'000);
  small.append("x-stream-max-segment-size-bytes", 2'000);
  const auto queue = stream(std::move(small));
  for (int i = 0; i < 100; ++i)
    append(queue, {std::string(500, 'x')});
  const auto left = status(queue).ready;
  EXPECT_GE(left, 14u);
  EXPECT_LE(left, 22u);
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(1, "first")));
  EXPECT_EQ(read(1).front(), std::string(500, 'x') + "@" + std::to_string(100 - left));
  std::size_t kept = 0;
  for (const auto& [at, what] : log->messages(queue->number))
    kept += at >= message_base;
  EXPECT_EQ(kept, left);
}

TEST_F(stream_actors, take_over_what_another_transaction_wrote_for_them) {
  auto queue = stream();
  publisher out{node};
  out.begin();
  auto changes = log->begin();
  EXPECT_EQ(out.publish(a_message("x", "s"), *changes), routed::queued);
  auto lost = out.take();
  log->commit(std::move(changes), {});
  restart(); // before the stream hears of it
  queue = found();
  EXPECT_EQ(status(queue).ready, 1u);
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(1, "first")));
  EXPECT_THAT(read(1), ElementsAre("x@0"));
  restart();
  EXPECT_EQ(status(found()).ready, 1u);
}

TEST_F(stream_actors, refuse_what_streams_cannot_do) {
  const auto queue = stream();
  get one;
  one.consumer = caf::actor_cast<caf::actor>(self->address());
  EXPECT_EQ(ask<got>(queue->actor, std::move(one)).error().what,
            "NOT_IMPLEMENTED - basic.get not supported by stream queues queue 's' in vhost '/'");
  EXPECT_EQ(ask<purged>(queue->actor, purge{}).error().what,
            "NOT_IMPLEMENTED - queue.purge not supported by stream queues queue 's' in vhost '/'");
  EXPECT_FALSE(ask<consume_ok>(queue->actor, a_consumer(1)));
}

TEST_F(stream_actors, tell_their_consumers_and_empty_the_log_when_they_go) {
  const auto queue = stream();
  append(queue, {"a"});
  ASSERT_TRUE(ask<consume_ok>(queue->actor, reader(1, "next")));
  ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"s", "test", /*if_unused*/ true, /*if_empty*/ true}));
  EXPECT_EQ(next<consumer_cancelled>().key, 1u);
  EXPECT_THAT(log->messages(queue->number), IsEmpty());
}

} // namespace
} // namespace switchboard::test
