#include "broker/deduplication.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/message_queue.hpp"
#include "messages/properties.hpp"
#include "tests/broker/actor_fixture.hpp"

namespace switchboard {
namespace {

message_ptr with_id(const std::string& id, bool persistent = false) {
  basic_properties properties;
  properties.message_id = id;
  if (persistent)
    properties.delivery_mode = 2;
  return make_message("", "q", encode_properties(properties), id, persistent);
}

} // namespace
} // namespace switchboard

namespace switchboard::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr deduplication::instant eleven{11h};

TEST(deduplication, knows_an_id_while_its_message_is_there_and_for_the_window_after) {
  deduplication ids{1s};
  EXPECT_TRUE(ids.enter("a", eleven));
  EXPECT_FALSE(ids.enter("a", eleven + 1h)) << "it is still there";
  ids.leave("a", eleven + 1h);
  EXPECT_FALSE(ids.enter("a", eleven + 1h + 999ms));
  EXPECT_TRUE(ids.enter("a", eleven + 1h + 1s));
}

TEST(deduplication, has_nothing_against_messages_without_an_id) {
  deduplication ids{1s};
  EXPECT_TRUE(ids.enter("", eleven));
  EXPECT_TRUE(ids.enter("", eleven));
}

TEST(deduplication, tells_what_left_once_and_takes_it_back_when_it_is_over) {
  deduplication ids{1s};
  ids.enter("a", eleven);
  ids.enter("b", eleven);
  ids.leave("a", eleven);
  std::vector<std::string> told;
  const auto write = [&](const deduplication::left& each) {
    told.push_back(each.id);
    return position{77};
  };
  ids.write(write);
  ids.write(write);
  EXPECT_THAT(told, ElementsAre("a"));
  EXPECT_THAT(ids.take_old_records(), IsEmpty());
  ids.forget_expired(eleven + 1s);
  EXPECT_THAT(ids.take_old_records(), ElementsAre(77));
}

TEST(deduplication, goes_on_after_a_restart) {
  deduplication ids{1s};
  ids.restore("gone", eleven - 1s, 8);
  ids.restore("a", eleven + 500ms, 7);
  EXPECT_FALSE(ids.enter("a", eleven));
  EXPECT_TRUE(ids.enter("gone", eleven));
  EXPECT_TRUE(ids.enter("a", eleven + 600ms));
  const auto read = decode_id(*encode_id({"an id", time_point{5s}}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, "an id");
  EXPECT_EQ(read->until, time_point{5s});
}

queue_arguments deduplicating(std::int64_t window_ms) {
  field_table asked;
  asked.set("x-deduplicate-window", window_ms);
  asked.set("x-max-length", std::int64_t{2});
  asked.set("x-overflow", "reject-publish");
  return read_queue_arguments(asked, "q");
}

TEST(a_deduplicating_queue, drops_repeats_and_says_that_it_took_them) {
  message_queue queue{deduplicating(1000)};
  std::vector<position> done;
  EXPECT_TRUE(queue.enqueue({with_id("a"), 1, false}, eleven, done));
  EXPECT_TRUE(queue.enqueue({with_id("a"), 2, false}, eleven, done));
  EXPECT_EQ(queue.ready(), 1u);
  EXPECT_THAT(done, ElementsAre(2));
}

TEST(a_deduplicating_queue, lets_a_refused_message_come_again) {
  message_queue queue{deduplicating(1000)};
  std::vector<position> done;
  for (const auto* id : {"a", "b"})
    queue.enqueue({with_id(id), 0, false}, eleven, done);
  EXPECT_FALSE(queue.enqueue({with_id("c"), 0, false}, eleven, done)) << "it is full";
  const auto taker = queue.add({.passive = true});
  queue.get(taker, true, done, eleven);
  EXPECT_TRUE(queue.enqueue({with_id("c"), 0, false}, eleven, done));
  EXPECT_EQ(queue.ready(), 2u);
}

} // namespace
} // namespace switchboard::broker

namespace switchboard::test {
namespace {

using deduplicating_actors = broker_actors;

TEST_F(deduplicating_actors, know_what_was_acknowledged_before_a_restart) {
  queue_spec spec;
  spec.name = "q";
  spec.durable = true;
  spec.arguments.set("x-deduplicate-window", std::int64_t{60'000});
  auto queue = declare(spec);
  const auto sender = spawn_worker();
  const auto publish = [&](std::string id) {
    on(sender, [&](caf::event_based_actor* who) {
      publisher out{node};
      out.begin();
      out.publish(with_id(id, true));
      out.flush(who, 1, [] {});
    });
  };
  publish("a");
  publish("b");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  EXPECT_THAT(receive(2), testing::ElementsAre("a", "b"));
  settle_up_to(queue, 1, 1);
  EXPECT_EQ(status(queue).unacked, 1u);
  restart();
  queue = std::static_pointer_cast<const queue_handle>(node->routes()->find_queue("q"));
  publish("a"); // was acknowledged
  publish("b"); // is still there
  publish("c");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(2)));
  EXPECT_THAT(receive(2), testing::ElementsAre("!b", "c"));
  EXPECT_EQ(status(queue).ready, 0u);
  ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
  stop();
  EXPECT_THAT(log->messages(ids_of(queue->number)), testing::IsEmpty());
}

} // namespace
} // namespace switchboard::test
