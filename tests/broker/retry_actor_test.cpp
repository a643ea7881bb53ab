// Retry as a consumer sees it: through the queue's actor, its log and a restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/retry.hpp"
#include "tests/broker/actor_fixture.hpp"

namespace switchboard::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class retrying_actors : public broker_actors {
protected:
  queue_ptr retry_queue(std::int64_t wait_ms, std::int64_t attempts) {
    queue_spec spec;
    spec.name = "q";
    spec.durable = true;
    spec.arguments.set("x-retry-min", wait_ms);
    spec.arguments.set("x-retry-max", wait_ms);
    spec.arguments.set("x-retry-limit", attempts);
    return declare(std::move(spec));
  }
  void publish(std::vector<std::string> bodies) {
    on(sender, [&](caf::event_based_actor* who) {
      publisher out{node};
      out.begin();
      for (const auto& body : bodies)
        out.publish(a_message(body, "q", true));
      out.flush(who, 1, [] {});
    });
  }
  queue_ptr find(const std::string& name) {
    return std::static_pointer_cast<const queue_handle>(node->routes()->find_queue(name));
  }
  /// The letter that gets there; empty if none does.
  message_ptr letter(const std::string& name) {
    const auto until = std::chrono::steady_clock::now() + deadline;
    while (std::chrono::steady_clock::now() < until) {
      const auto queue = find(name);
      if (!queue)
        continue;
      auto found = ask<got>(queue->actor, get{caf::actor_cast<caf::actor>(self->address()), 9, true});
      if (found && !found->empty)
        return found->item.message;
    }
    return {};
  }

  caf::actor sender = spawn_worker();
};

TEST_F(retrying_actors, bring_back_what_was_rejected_and_bury_it_in_the_end) {
  const auto queue = retry_queue(20, 3);
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  publish({"a"});
  EXPECT_THAT(receive(1), ElementsAre("a"));
  for (delivery_number attempt = 1; attempt < 3; ++attempt) {
    settle_up_to(queue, 1, attempt, verdict::reject);
    EXPECT_THAT(receive(1), ElementsAre("!a"));
  }
  settle_up_to(queue, 1, 3, verdict::reject);
  const auto dead = letter("q.dead");
  ASSERT_TRUE(dead);
  EXPECT_EQ(dead->body(), "a");
  EXPECT_TRUE(dead->persistent());
  const auto headers = decode_properties(dead->properties())->headers;
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers->find("x-retry-attempts")->as_integer(), 3);
  EXPECT_EQ(headers->text("x-first-death-queue"), "q");
  EXPECT_EQ(headers->text("x-first-death-reason"), "rejected");
  EXPECT_EQ(status(queue).ready + status(queue).unacked + status(queue).waiting, 0u);
  stop();
  EXPECT_THAT(log->messages(queue->number), IsEmpty());
  EXPECT_THAT(log->messages(retries_of(queue->number)), IsEmpty()) << "nothing is left of its attempts";
}

TEST_F(retrying_actors, go_on_counting_after_a_restart) {
  auto queue = retry_queue(300, 2);
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  publish({"a", "b"});
  EXPECT_THAT(receive(2), ElementsAre("a", "b"));
  settle_up_to(queue, 1, 1, verdict::reject);
  EXPECT_EQ(status(queue).waiting, 1u);
  restart();
  queue = find("q");
  ASSERT_TRUE(queue);
  EXPECT_EQ(status(queue).waiting, 1u) << "it waits on";
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(2)));
  EXPECT_THAT(receive(2), ElementsAre("!b", "!a"));
  settle_up_to(queue, 2, 2, verdict::reject, 2); // its second time
  const auto dead = letter("q.dead");
  ASSERT_TRUE(dead);
  EXPECT_EQ(dead->body(), "a");
}

TEST_F(retrying_actors, forget_what_they_know_with_the_queue) {
  const auto queue = retry_queue(60'000, 2);
  ASSERT_TRUE(ask<consume_ok>(queue->actor, a_consumer(1)));
  publish({"a"});
  EXPECT_THAT(receive(1), ElementsAre("a"));
  settle_up_to(queue, 1, 1, verdict::reject);
  EXPECT_EQ(status(queue).waiting, 1u);
  const auto gone = ask<queue_deleted>(node->topology(), delete_queue{"q", "test", false, false});
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->messages, 1u);
  stop();
  EXPECT_THAT(log->messages(queue->number), IsEmpty());
  EXPECT_THAT(log->messages(retries_of(queue->number)), IsEmpty());
}

} // namespace
} // namespace switchboard::test
