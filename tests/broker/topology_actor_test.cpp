#include "broker/topology_actor.hpp"

#include <gmock/gmock.h>

#include "tests/broker/actor_fixture.hpp"

namespace switchboard::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class topology_actors : public broker_actors {
protected:
  expected<queue_ok> find(std::string name, std::string owner = "test") {
    return ask<queue_ok>(node->topology(), find_queue{std::move(name), std::move(owner)});
  }
  /// Publishes as a connection would and waits until queues have it.
  void publish(std::vector<message_ptr> what) {
    const auto who = spawn_worker();
    on(who, [&](caf::event_based_actor* in) {
      publisher out{node};
      for (const auto& one : what)
        EXPECT_EQ(out.publish(one), routed::queued);
      out.flush(in, 1, [] {});
    });
    self->send_exit(who, caf::exit_reason::user_shutdown);
  }
};

TEST_F(topology_actors, answer_a_durable_declare_only_when_it_is_on_disk) {
  log->hold();
  queue_spec spec;
  spec.name = "q";
  spec.durable = true;
  spec.owner = "test";
  bool answered = false;
  auto pending = self->request(node->topology(), deadline, declare_queue{spec, false});
  ASSERT_TRUE(find("q")) << "others see it at once";
  EXPECT_EQ(log->waiting(), 1u);
  EXPECT_THAT(log->topology(), IsEmpty());
  std::thread disk{[&] { log->let_go(); }};
  pending.receive(
      [&](const queue_ok&) {
        answered = true;
        EXPECT_THAT(log->topology(), SizeIs(1));
      },
      [](const caf::error& why) { FAIL() << from_caf(why).what; });
  disk.join();
  EXPECT_TRUE(answered);
}

TEST_F(topology_actors, find_everything_durable_again_and_nothing_else) {
  exchange_spec calls;
  calls.name = "calls";
  calls.type = "topic";
  calls.durable = true;
  ASSERT_TRUE(ask<exchange_ok>(node->topology(), declare_exchange{calls}));
  auto kept = durable_queue("kept");
  transient_queue("lost");
  ASSERT_TRUE(ask<bound>(node->topology(), bind{{"calls", "kept", false, "call.#", {}}, "test"}));
  publish({a_message("1", "call.created", true, "calls"), a_message("2", "call.hungup", false, "calls"),
           a_message("3", "kept", true), a_message("4", "call.x", true, "calls")});
  ASSERT_TRUE(ask<consume_ok>(kept->actor, a_consumer(1, 0, false)));
  EXPECT_THAT(receive(4), ElementsAre("1", "2", "3", "4"));
  settle_up_to(kept, 1, 3, verdict::ack, 3);
  status(kept);
  kept.reset();

  restart();
  EXPECT_FALSE(find("lost"));
  const auto again = find("kept");
  ASSERT_TRUE(again);
  ASSERT_TRUE(ask<consume_ok>(again->queue->actor, a_consumer(1, 0, true)));
  EXPECT_THAT(receive(2), ElementsAre("!1", "!4")) << "not what was transient, not what was acknowledged";
  publish({a_message("5", "call.created", true, "calls")});
  EXPECT_THAT(receive(1), ElementsAre("5")) << "the binding is there again";
  EXPECT_EQ(log->stray_deletions(), 0u);
}

TEST_F(topology_actors, end_when_a_queue_fails) {
  const auto queue = transient_queue("q");
  self->monitor(node->topology());
  caf::anon_send(queue->actor, caf::exit_msg{self->address(), caf::make_error(caf::sec::runtime_error)});
  bool ended = false;
  self->receive([&](const caf::down_msg& down) { ended = bool{down.reason}; }, caf::after(deadline) >> [] {});
  EXPECT_TRUE(ended);
}

TEST_F(topology_actors, write_the_last_acks_when_the_node_stops) {
  auto queue = durable_queue("q");
  const auto number = queue->number;
  publish({a_message("a", "q", true)});
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  receive(1);
  settle_up_to(queue, 1, 1);
  queue.reset();
  stop();
  self.reset();
  system.await_all_actors_done();
  EXPECT_THAT(log->messages(number), IsEmpty());
}

TEST_F(topology_actors, delete_a_queue_with_its_messages_on_disk) {
  auto queue = durable_queue("q");
  const auto number = queue->number;
  publish({a_message("a", "q", true), a_message("b", "q", true)});
  const auto gone = ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false});
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->messages, 2u);
  EXPECT_THAT(log->messages(number), IsEmpty());
  EXPECT_THAT(log->topology(), IsEmpty());
  EXPECT_FALSE(find("q"));
}

TEST_F(topology_actors, keep_a_queue_that_is_not_empty_or_not_unused_if_so_asked) {
  const auto queue = transient_queue("q");
  enqueue(queue, {"a"});
  const auto full = ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, /*if_empty*/ true});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, errc::precondition_failed);
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  const auto used = ask<queue_deleted>(node->topology(), delete_queue{"q", "test", /*if_unused*/ true, false});
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, errc::precondition_failed);
  EXPECT_TRUE(find("q"));
}

TEST_F(topology_actors, count_the_messages_of_a_queue_declared_again) {
  const auto queue = transient_queue("q");
  enqueue(queue, {"a", "b"});
  queue_spec again;
  again.name = "q";
  again.owner = "test";
  const auto found = ask<queue_ok>(node->topology(), declare_queue{again, false});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->messages, 2u);
  EXPECT_EQ(found->queue->number, queue->number);
}

TEST_F(topology_actors, delete_the_exclusive_queues_of_an_owner_that_is_gone) {
  queue_spec spec;
  spec.name = "mine";
  spec.exclusive = true;
  spec.owner = "amqp/1";
  ASSERT_TRUE(declare(spec));
  const auto locked = find("mine", "amqp/2");
  ASSERT_FALSE(locked);
  EXPECT_EQ(locked.error().code, errc::resource_locked);
  self->send(node->topology(), owner_gone{"amqp/1"});
  const auto gone = find("mine", "amqp/2");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, errc::not_found);
}

TEST_F(topology_actors, delete_an_auto_delete_queue_with_its_last_consumer) {
  queue_spec spec;
  spec.name = "q";
  spec.auto_delete = true;
  auto queue = declare(spec);
  const auto me = caf::actor_cast<caf::actor>(self->address());
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(2)));
  ASSERT_TRUE(ask<cancel_ok>(queue->actor, cancel_consumer{me, 1}));
  EXPECT_TRUE(find("q"));
  self->monitor(queue->actor);
  ASSERT_TRUE(ask<cancel_ok>(queue->actor, cancel_consumer{me, 2}));
  queue.reset();
  next<caf::down_msg>();
  EXPECT_FALSE(find("q"));
}

TEST_F(topology_actors, say_what_is_wrong_with_a_damaged_record_and_end) {
  durable_queue("q");
  stop();
  log->put_raw_topology("queue/%2F/broken", "{not json");
  const auto started = broker::broker::start(system, {home.get()}, log, {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, errc::corrupt);
  EXPECT_THAT(started.error().what, HasSubstr("broken"));
  // The fixture's end waits for every actor: what was restored before the error is let go.
}

} // namespace
} // namespace switchboard::test
