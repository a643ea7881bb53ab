#include "broker/publisher.hpp"

#include <gmock/gmock.h>

#include <future>

#include "tests/broker/actor_fixture.hpp"

namespace switchboard::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class publishers : public broker_actors {
protected:
  caf::actor who = spawn_worker();
  ~publishers() override { self->send_exit(who, caf::exit_reason::user_shutdown); }

  void declare_fanout(std::string name, bool internal = false) {
    exchange_spec spec;
    spec.name = std::move(name);
    spec.type = "fanout";
    spec.internal = internal;
    ASSERT_TRUE(ask<exchange_ok>(node->topology(), declare_exchange{spec}));
  }
  void bind_queue(std::string exchange, std::string queue) {
    ASSERT_TRUE(ask<bound>(node->topology(), bind{{exchange, queue, false, "", {}}, "test"}));
  }
};

TEST_F(publishers, say_what_became_of_a_message) {
  transient_queue("q");
  declare_fanout("nowhere");
  declare_fanout("inner", /*internal*/ true);
  publisher out{node};
  EXPECT_EQ(out.publish(a_message("a", "q")), routed::queued);
  EXPECT_EQ(out.publish(a_message("a", "other")), routed::unroutable);
  EXPECT_EQ(out.publish(a_message("a", "", false, "nowhere")), routed::unroutable);
  EXPECT_EQ(out.publish(a_message("a", "", false, "missing")), routed::no_exchange);
  EXPECT_EQ(out.publish(a_message("a", "", false, "inner")), routed::internal);
  EXPECT_EQ(out.publish(a_message("a", "amq.rabbitmq.reply-to.nobody")), routed::unroutable);
}

/// Admits messages with that body.
class only final : public message_gate {
public:
  explicit only(std::string body) : body_(std::move(body)) {}
  bool admits(const message& what) override { return what.body() == body_; }

private:
  const std::string body_;
};

TEST_F(publishers, leave_out_queues_whose_gate_refuses_a_message) {
  const auto choosy = durable_queue("choosy"), other = durable_queue("other");
  declare_fanout("both");
  bind_queue("both", "choosy");
  bind_queue("both", "other");
  const auto gate = std::make_shared<only>("a");
  EXPECT_TRUE(choosy->set_gate(gate));
  EXPECT_TRUE(choosy->set_gate(gate)) << "the same";
  EXPECT_FALSE(choosy->set_gate(std::make_shared<only>("b")));
  on(who, [&](caf::event_based_actor* in) {
    publisher out{node};
    EXPECT_EQ(out.publish(a_message("a", "", true, "both")), routed::queued);
    EXPECT_EQ(out.publish(a_message("b", "", true, "both")), routed::queued);
    EXPECT_EQ(out.publish(a_message("b", "choosy", true)), routed::unroutable) << "as if nothing were bound";
    out.flush(in, 1, [] {});
  });
  EXPECT_EQ(status(choosy).ready, 1u);
  EXPECT_EQ(status(other).ready, 2u);
  EXPECT_THAT(log->messages(choosy->number), SizeIs(1));
}

TEST_F(publishers, send_one_batch_per_queue_and_count_the_answers_to_expect) {
  const auto first = transient_queue("first"), second = transient_queue("second");
  declare_fanout("both");
  bind_queue("both", "first");
  bind_queue("both", "second");
  publisher::sent sent;
  on(who, [&](caf::event_based_actor* in) {
    publisher out{node};
    const auto one = a_message("1", "", false, "both"), two = a_message("2", "first");
    out.publish(one);
    out.publish(two);
    sent = out.flush(in, 5, [] { ADD_FAILURE() << "nothing was durable"; });
    EXPECT_EQ(sent.bytes, one->footprint() + two->footprint());
    EXPECT_TRUE(out.empty());
  });
  EXPECT_EQ(sent.queues, 2u);
  EXPECT_FALSE(sent.durable);
  EXPECT_EQ(status(first).ready, 2u);
  EXPECT_EQ(status(second).ready, 1u);
  on(who, [](caf::event_based_actor* in) { EXPECT_THAT(static_cast<worker*>(in)->taken, ElementsAre(5u, 5u)); });
}

TEST_F(publishers, are_told_of_the_sync_only_after_it) {
  const auto queue = durable_queue("q");
  log->hold();
  std::promise<std::size_t> synced;
  auto done = synced.get_future();
  on(who, [&](caf::event_based_actor* in) {
    publisher out{node};
    out.publish(a_message("a", "q", /*persistent*/ true));
    EXPECT_TRUE(out.flush(in, 1, [&] { synced.set_value(log->messages(queue->number).size()); }).durable);
  });
  EXPECT_EQ(status(queue).ready, 1u) << "delivery need not wait";
  EXPECT_EQ(done.wait_for(0ms), std::future_status::timeout);
  log->let_go();
  ASSERT_EQ(done.wait_for(0ms), std::future_status::ready);
  EXPECT_EQ(done.get(), 1u) << "it was told before it was true";
}

TEST_F(publishers, write_to_the_log_what_is_persistent_in_durable_queues_only) {
  const auto durable = durable_queue("durable"), transient = transient_queue("transient");
  on(who, [&](caf::event_based_actor* in) {
    publisher out{node};
    out.publish(a_message("kept", "durable", true));
    out.publish(a_message("lost", "durable", false));
    out.publish(a_message("lost", "transient", true));
    out.flush(in, 1, [] {});
  });
  status(durable);
  EXPECT_THAT(log->messages(durable->number), SizeIs(1));
  EXPECT_THAT(log->messages(transient->number), IsEmpty());
}

TEST_F(publishers, see_their_puts_before_the_deletes_of_a_consumer_that_is_there_already) {
  const auto queue = durable_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1, 0, /*no_ack*/ true)));
  log->hold();
  on(who, [&](caf::event_based_actor* in) {
    publisher out{node};
    for (int count = 0; count < 100; ++count)
      out.publish(a_message("x", "q", true));
    out.flush(in, 1, [] {});
  });
  receive(100);
  status(queue); // its deletions are written
  status(queue);
  log->let_go();
  EXPECT_EQ(log->stray_deletions(), 0u);
  EXPECT_THAT(log->messages(queue->number), IsEmpty());
}

TEST_F(publishers, route_by_the_bindings_of_the_batch_and_keep_none_after_it) {
  const auto queue = transient_queue("q");
  declare_fanout("x");
  publisher out{node};
  EXPECT_EQ(out.publish(a_message("a", "", false, "x")), routed::unroutable);
  bind_queue("x", "q");
  out.begin();
  EXPECT_EQ(out.publish(a_message("a", "", false, "x")), routed::queued);
  ASSERT_TRUE(ask<bound>(node->topology(), unbind{{"x", "q", false, "", {}}, "test"}));
  out.begin();
  EXPECT_EQ(out.publish(a_message("b", "", false, "x")), routed::queued) << "one batch, one set of routes";
  on(who, [&](caf::event_based_actor* in) { out.flush(in, 1, [] {}); });
  EXPECT_EQ(out.publish(a_message("c", "", false, "x")), routed::unroutable);
  EXPECT_EQ(status(queue).ready, 2u);
}

TEST_F(publishers, let_go_of_queues_once_nothing_is_collected) {
  auto queue = transient_queue("q");
  publisher out{node};
  out.publish(a_message("a", "other")); // has looked at the routes
  out.begin();
  self->monitor(queue->actor);
  ASSERT_TRUE(ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false}));
  queue.reset();
  next<caf::down_msg>();
}

TEST_F(publishers, put_messages_into_a_transaction_of_somebody_else) {
  const auto queue = durable_queue("q");
  publisher out{node};
  auto within = log->begin();
  within->put_topology("entity/1", "state");
  EXPECT_EQ(out.publish(a_message("a", "q", true), *within), routed::queued);
  auto ready = out.take();
  EXPECT_TRUE(out.empty());
  EXPECT_THAT(log->messages(queue->number), IsEmpty());
  bool stored = false;
  log->commit(std::move(within), [&] { stored = true; });
  EXPECT_TRUE(stored);
  EXPECT_THAT(log->messages(queue->number), SizeIs(1));
  EXPECT_EQ(status(queue).ready, 0u) << "not before it is handed off";
  ready.send();
  EXPECT_EQ(status(queue).ready, 1u);
}

TEST_F(publishers, answer_straight_to_who_waits_for_a_reply) {
  const auto name = node->replies().add(caf::actor_cast<caf::actor>(self->address()), 3);
  publisher out{node};
  EXPECT_EQ(out.publish(a_message("one", name)), routed::replied);
  EXPECT_EQ(out.publish(a_message("two", name)), routed::replied);
  on(who, [&](caf::event_based_actor* in) { EXPECT_EQ(out.flush(in, 1, [] {}).queues, 0u); });
  const auto came = next<direct_reply>();
  EXPECT_EQ(came.key, 3u);
  ASSERT_THAT(came.messages, SizeIs(2));
  EXPECT_EQ(came.messages[1]->body(), "two");
  node->replies().remove(name);
  EXPECT_EQ(out.publish(a_message("three", name)), routed::unroutable);
}

} // namespace
} // namespace switchboard::test
