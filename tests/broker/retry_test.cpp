#include "broker/retry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/message_queue.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t no_jitter = 1000; // the middle of the dice

TEST(a_retry_schedule, is_the_seeds_by_default) {
  std::vector<milliseconds> waits;
  for (std::uint64_t failures = 1; const auto wait = retry_wait({}, failures, no_jitter); ++failures)
    waits.push_back(*wait);
  EXPECT_THAT(waits, ElementsAre(1s, 2s, 4s, 8s, 16s, 32s)); // and the first attempt is at once: 7 in all
}

TEST(a_retry_schedule, is_what_was_asked_for) {
  const retry_rules rules{100ms, 500ms, 3, 5};
  EXPECT_EQ(retry_wait(rules, 1, no_jitter), 100ms);
  EXPECT_EQ(retry_wait(rules, 2, no_jitter), 300ms);
  EXPECT_EQ(retry_wait(rules, 3, no_jitter), 500ms);
  EXPECT_EQ(retry_wait(rules, 4, no_jitter), 500ms);
  EXPECT_EQ(retry_wait(rules, 5, no_jitter), std::nullopt);
  EXPECT_EQ(retry_wait({1s, 32s, 2, 1}, 1, no_jitter), std::nullopt);
}

TEST(a_retry_schedule, strays_by_a_tenth_at_most) {
  EXPECT_EQ(retry_wait({}, 4, 0), 7200ms);
  EXPECT_EQ(retry_wait({}, 4, 2000), 8800ms);
  for (std::uint64_t random = 1; random != 0; random *= 2) {
    EXPECT_GE(*retry_wait({}, 4, random), 7200ms);
    EXPECT_LE(*retry_wait({}, 4, random), 8800ms);
  }
}

TEST(a_retry_schedule, has_no_end_of_numbers) {
  EXPECT_EQ(retry_wait({1ms, milliseconds{ten_years_ms}, 1e300, 1'000'000'000}, 999'999'999, no_jitter),
            milliseconds{ten_years_ms});
}

TEST(a_dead_letter_queue, has_the_queues_name) {
  EXPECT_EQ(dead_letter_queue("orders"), "orders.dead");
  EXPECT_EQ(dead_letter_queue("amq.gen-x"), "");
  EXPECT_EQ(dead_letter_queue(std::string(250, 'x')).size(), 255u);
  EXPECT_EQ(dead_letter_queue(std::string(251, 'x')), "");
}

TEST(a_retry_record, is_read_as_it_was_written) {
  const auto read = decode_retry(*encode_retry({7, 3, 5, time_point{1234ms}}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->message, 7u);
  EXPECT_EQ(read->failures, 3u);
  EXPECT_EQ(read->returns, 5u);
  EXPECT_EQ(read->due, time_point{1234ms});
  EXPECT_FALSE(decode_retry(*make_message("", "", {}, "short", true)));
}

queue_arguments retrying(field_table arguments = {}) {
  if (arguments.fields().empty())
    arguments.set("x-retry-limit", std::int64_t{3});
  return read_queue_arguments(arguments, "q");
}

TEST(retry_arguments, are_none_unless_one_is_given) {
  EXPECT_FALSE(read_queue_arguments({}, "q").retry);
  field_table one;
  one.set("x-retry-multiplier", 1.5);
  const auto read = read_queue_arguments(one, "q");
  EXPECT_EQ(read.retry, (retry_rules{1s, 32s, 1.5, 7}));
  EXPECT_TRUE(read.own_dead_letters);
  EXPECT_EQ(read.dead_letter_routing_key, "q.dead");
  EXPECT_EQ(read.delivery_limit, retry_returns_max);
}

TEST(retry_arguments, leave_dead_letters_to_whoever_is_named_for_them) {
  field_table both;
  both.set("x-retry-min", std::int64_t{60'000});
  both.set("x-dead-letter-exchange", "dlx");
  const auto read = read_queue_arguments(both, "q");
  EXPECT_EQ(read.retry, (retry_rules{60s, 60s, 2, 7})) << "no wait is shorter than the least";
  EXPECT_FALSE(read.own_dead_letters);
  EXPECT_EQ(read.dead_letter_exchange, "dlx");
}

class a_retrying_queue : public testing::Test {
protected:
  static message_ptr text(const std::string& body) { return make_message("", "q", std::string(2, '\0'), body, true); }
  void put(const std::string& body, position at) { queue.enqueue({text(body), at, false}, now, done); }
  std::vector<std::string> pump() {
    std::vector<std::string> out;
    queue.pump(
        [&](auto, auto number, queued item) {
          out.push_back(std::string{item.message->body()} + (item.redelivered ? "!" : ""));
          last = number;
          headers = decode_properties(item.message->properties())->headers;
        },
        done, now);
    return out;
  }
  void pass(milliseconds time) {
    now += time;
    queue.wake(now);
  }
  void reject(delivery_number number) { queue.settle(consumer, number, number, verdict::reject, done, now); }
  /// What the log would be told, as "message:failures/returns".
  std::vector<std::string> written() {
    std::vector<std::string> all;
    queue.write_attempts([&](const message_queue::attempts& each) {
      all.push_back(std::to_string(each.message) + ":" + std::to_string(each.failures) + "/" +
                    std::to_string(each.returns));
      return ++records;
    });
    return all;
  }

  message_queue queue{retrying()};
  message_queue::consumer_id consumer = queue.add({});
  std::vector<position> done;
  message_queue::instant now{1h};
  delivery_number last = 0;
  position records = 1000;
  std::optional<field_table> headers;
};

TEST_F(a_retrying_queue, lets_what_failed_wait_while_others_pass) {
  put("a", 1);
  put("b", 2);
  EXPECT_THAT(pump(), ElementsAre("a", "b"));
  reject(1);
  EXPECT_EQ(queue.waiting(), 1u);
  EXPECT_EQ(queue.ready(), 0u);
  put("c", 3);
  EXPECT_THAT(pump(), ElementsAre("c"));
  pass(800ms);
  EXPECT_THAT(pump(), IsEmpty());
  pass(400ms);
  EXPECT_THAT(pump(), ElementsAre("a!"));
  ASSERT_TRUE(headers);
  EXPECT_EQ(headers->find("x-delivery-count")->as_integer(), 1);
  EXPECT_EQ(queue.waiting(), 0u);
  EXPECT_THAT(done, IsEmpty());
}

TEST_F(a_retrying_queue, puts_it_back_to_its_place) {
  put("a", 1);
  EXPECT_THAT(pump(), ElementsAre("a"));
  reject(1);
  queue.stop(consumer);
  put("b", 2);
  pass(2s);
  consumer = queue.add({});
  EXPECT_THAT(pump(), ElementsAre("a!", "b"));
}

TEST_F(a_retrying_queue, gives_up_after_the_last_attempt) {
  put("a", 1);
  for (delivery_number attempt = 1; attempt <= 3; ++attempt) {
    EXPECT_EQ(pump().size(), 1u) << attempt;
    EXPECT_THAT(queue.take_dead(), IsEmpty());
    reject(attempt);
    pass(10s);
  }
  EXPECT_THAT(pump(), IsEmpty());
  const auto dead = queue.take_dead();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].why, death::rejected);
  EXPECT_EQ(dead[0].failures, 3u);
  EXPECT_EQ(dead[0].at, 1u);
  EXPECT_EQ(queue.waiting() + queue.ready() + queue.unacked(), 0u);
}

TEST_F(a_retrying_queue, tells_the_log_of_each_attempt_and_forgets_it_in_the_end) {
  put("a", 7);
  pump();
  reject(1);
  EXPECT_THAT(written(), ElementsAre("7:1/1"));
  pass(10s);
  pump();
  reject(2);
  EXPECT_THAT(written(), ElementsAre("7:2/2"));
  EXPECT_THAT(queue.take_old_records(), ElementsAre(1001));
  pass(10s);
  pump();
  queue.settle(consumer, 3, 3, verdict::ack, done);
  EXPECT_THAT(queue.take_old_records(), ElementsAre(1002));
  EXPECT_THAT(done, ElementsAre(7));
  EXPECT_FALSE(queue.has_unwritten());
}

TEST_F(a_retrying_queue, goes_on_after_a_restart_where_it_was) {
  message_queue next{retrying()};
  next.restore({text("waits"), 7, true}, now, {2, 2, 55, now + 5s});
  next.restore({text("is back"), 8, true}, now, {1, 1, 56, now - 5s});
  queue = std::move(next);
  consumer = queue.add({});
  EXPECT_THAT(pump(), ElementsAre("is back!"));
  pass(5s);
  EXPECT_THAT(pump(), ElementsAre("waits!"));
  reject(2);
  EXPECT_EQ(queue.take_dead().size(), 1u) << "that was the third time";
  EXPECT_THAT(queue.take_old_records(), ElementsAre(55));
}

TEST_F(a_retrying_queue, does_not_let_a_message_end_its_consumers_for_ever) {
  put("poison", 1);
  std::size_t deliveries = 0;
  while (pump().size() == 1) {
    ++deliveries;
    queue.release(consumer, done); // it died of it
    consumer = queue.add({});
  }
  EXPECT_EQ(deliveries, retry_returns_max + 1);
  const auto dead = queue.take_dead();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].why, death::delivery_limit);
}

TEST_F(a_retrying_queue, does_not_count_failures_as_returns) {
  field_table many;
  many.set("x-retry-limit", std::int64_t{100});
  many.set("x-retry-max", std::int64_t{1});
  many.set("x-retry-min", std::int64_t{1});
  queue = message_queue{retrying(many)};
  consumer = queue.add({});
  put("a", 1);
  for (delivery_number attempt = 1; attempt < 100; ++attempt) {
    ASSERT_EQ(pump().size(), 1u) << attempt;
    reject(attempt);
    pass(10ms);
  }
  EXPECT_THAT(queue.take_dead(), IsEmpty());
  EXPECT_EQ(pump().size(), 1u);
}

TEST_F(a_retrying_queue, keeps_only_what_failed_as_dead_letters_of_its_own) {
  field_table short_lived;
  short_lived.set("x-retry-limit", std::int64_t{1});
  short_lived.set("x-message-ttl", std::int64_t{10});
  queue = message_queue{retrying(short_lived)};
  put("late", 1);
  now += 20ms;
  queue.expire(now, done);
  EXPECT_THAT(queue.take_dead(), IsEmpty());
  EXPECT_THAT(done, ElementsAre(1));
}

TEST_F(a_retrying_queue, is_purged_with_what_waits) {
  put("a", 1);
  pump();
  reject(1);
  put("b", 2);
  EXPECT_EQ(queue.purge(done), 2u);
  EXPECT_THAT(done, ElementsAre(2, 1));
  EXPECT_FALSE(queue.next_wake());
}

} // namespace
} // namespace switchboard::broker
