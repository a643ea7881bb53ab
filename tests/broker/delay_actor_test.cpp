#include "broker/delay_actor.hpp"

#include <gmock/gmock.h>

#include "tests/broker/actor_fixture.hpp"

namespace switchboard::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class delay_actors : public broker_actors {
protected:
  void declare_delayed(bool durable) {
    exchange_spec spec{.name = "D", .type = "x-delayed-message", .durable = durable};
    spec.arguments.append("x-delayed-type", "direct");
    const auto made = ask<exchange_ok>(node->topology(), declare_exchange{std::move(spec), false});
    ASSERT_TRUE(made) << made.error().what;
  }
  void bind_to(const std::string& queue) {
    binding_spec spec{.source = "D", .destination = queue, .routing_key = "k"};
    ASSERT_TRUE(ask<bound>(node->topology(), bind{std::move(spec), "test"}));
  }
  static message_ptr delayed(std::string_view body, int delay_ms, bool persistent = false) {
    basic_properties properties;
    properties.headers.emplace();
    properties.headers->append("x-delay", delay_ms);
    if (persistent)
      properties.delivery_mode = 2;
    return make_message("D", "k", encode_properties(properties), body, persistent);
  }
  /// What became of the first one when it was routed; all go at once.
  publisher::sent publish(std::vector<message_ptr> all, std::uint64_t token = 1) {
    publisher::sent sent;
    on(publisher_, [&](caf::event_based_actor* self) {
      publisher out{node};
      out.begin();
      for (const auto& each : all)
        EXPECT_EQ(out.publish(each), routed::queued);
      sent = out.flush(self, token, {});
    });
    return sent;
  }
  std::vector<std::uint64_t> taken() {
    std::vector<std::uint64_t> found;
    on(publisher_, [&](caf::event_based_actor* self) { found = static_cast<worker*>(self)->taken; });
    return found;
  }
  queue_number delay_number() {
    std::vector<const endpoint*> found;
    std::string headers;
    field_table table;
    table.append("x-delay", 1);
    encode_fields(table, headers);
    node->routes()->route("D", "k", headers, found);
    return found.at(0)->number;
  }
  caf::actor publisher_ = spawn_worker();
};

TEST_F(delay_actors, send_on_what_is_due_with_the_bindings_of_that_moment) {
  declare_delayed(false);
  const auto queue = transient_queue("q");
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  publish({delayed("later", 250), delayed("soon", 150)});
  bind_to("q"); // only now
  EXPECT_THAT(receive(2), ElementsAre("soon", "later"));
}

TEST_F(delay_actors, answer_a_publisher_once_the_log_has_it) {
  declare_delayed(true);
  log->hold();
  const auto sent = publish({delayed("a", 3'600'000), delayed("b", 3'600'000, true)});
  EXPECT_EQ(sent.queues, 1u);
  EXPECT_FALSE(sent.durable) << "the delay writes for itself";
  EXPECT_THAT(taken(), IsEmpty());
  log->let_go();
  while (taken().empty()) {
  }
  EXPECT_THAT(taken(), ElementsAre(1));
  EXPECT_THAT(log->messages(delay_number()), SizeIs(2)) << "transient ones too, as in the plugin";
}

TEST_F(delay_actors, keep_what_waits_over_a_restart_and_move_it_in_one_transaction) {
  declare_delayed(true);
  auto queue = durable_queue("q");
  bind_to("q");
  publish({delayed("second", 400, true), delayed("first", 300, true)});
  while (taken().empty()) {
  }
  restart();
  queue = ask<queue_ok>(node->topology(), find_queue{"q", "test"})->queue;
  EXPECT_THAT(log->messages(delay_number()), SizeIs(2));
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  EXPECT_THAT(receive(2), ElementsAre("first", "second"));
  EXPECT_THAT(log->messages(delay_number()), IsEmpty());
  EXPECT_THAT(log->messages(queue->number), SizeIs(2));
}

TEST_F(delay_actors, take_over_what_another_transaction_wrote_for_them) {
  declare_delayed(true);
  const auto number = delay_number();
  publisher out{node};
  out.begin();
  auto changes = log->begin();
  EXPECT_EQ(out.publish(delayed("x", 3'600'000), *changes), routed::queued);
  auto handoff = out.take();
  EXPECT_TRUE(handoff.durable());
  log->commit(std::move(changes), {});
  ASSERT_THAT(log->messages(number), SizeIs(1));
  const auto before = log->messages(number).begin()->first;
  handoff.send();
  while (log->messages(number).contains(before)) {
  }
  EXPECT_THAT(log->messages(number), SizeIs(1));
}

TEST_F(delay_actors, go_with_their_exchange) {
  declare_delayed(true);
  const auto number = delay_number();
  publish({delayed("x", 3'600'000)});
  while (taken().empty()) {
  }
  const auto old_routes = node->routes(); // a publisher's snapshot of a moment ago
  ASSERT_TRUE(ask<exchange_ok>(node->topology(), delete_exchange{"D", false}));
  EXPECT_THAT(log->messages(number), IsEmpty());
  std::vector<const endpoint*> found;
  field_table table;
  table.append("x-delay", 1);
  std::string headers;
  encode_fields(table, headers);
  old_routes->route("D", "k", headers, found);
  self->send(static_cast<const queue_handle*>(found.at(0))->actor,
             enqueue_batch{{{delayed("late", 10), 0}}, caf::actor_cast<caf::actor>(self->address()), 7});
  EXPECT_EQ(next<enqueued>().token, 7u);
  EXPECT_THAT(log->messages(number), IsEmpty());
}

} // namespace
} // namespace switchboard::test
