#include "base/bounded_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

namespace switchboard {
namespace {

using testing::ElementsAre;

TEST(bounded_queue, hands_out_in_order) {
  bounded_queue<int> queue{3, overflow::reject};
  for (int i : {1, 2, 3})
    EXPECT_EQ(queue.push(i), push_result::taken);
  EXPECT_THAT(queue.pop_all(2), ElementsAre(1, 2));
  EXPECT_EQ(queue.pop(), 3);
  EXPECT_EQ(queue.try_pop(), std::nullopt);
}

TEST(bounded_queue, that_rejects_leaves_the_item_with_the_producer) {
  bounded_queue<std::unique_ptr<int>> queue{1, overflow::reject};
  EXPECT_EQ(queue.push(std::make_unique<int>(1)), push_result::taken);
  auto second = std::make_unique<int>(2);
  EXPECT_EQ(queue.push(std::move(second)), push_result::rejected);
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, 2);
  EXPECT_EQ(queue.dropped(), 0U);
}

TEST(bounded_queue, that_drops_the_new_keeps_the_old) {
  bounded_queue<int> queue{2, overflow::drop_new};
  queue.push(1);
  queue.push(2);
  EXPECT_EQ(queue.push(3), push_result::dropped_new);
  EXPECT_EQ(queue.dropped(), 1U);
  EXPECT_THAT(queue.pop_all(), ElementsAre(1, 2));
}

TEST(bounded_queue, that_drops_the_old_keeps_the_new) {
  bounded_queue<int> queue{2, overflow::drop_old};
  queue.push(1);
  queue.push(2);
  EXPECT_EQ(queue.push(3), push_result::dropped_old);
  EXPECT_EQ(queue.dropped(), 1U);
  EXPECT_THAT(queue.pop_all(), ElementsAre(2, 3));
}

TEST(bounded_queue, of_capacity_zero_holds_one) {
  bounded_queue<int> queue{0, overflow::reject};
  EXPECT_EQ(queue.capacity(), 1U);
  EXPECT_EQ(queue.push(1), push_result::taken);
  EXPECT_EQ(queue.push(2), push_result::rejected);
}

TEST(bounded_queue, closed_takes_nothing_and_gives_the_rest) {
  bounded_queue<int> queue{2, overflow::drop_old};
  queue.push(1);
  queue.close();
  queue.close();
  EXPECT_TRUE(queue.closed());
  EXPECT_EQ(queue.push(2), push_result::rejected);
  EXPECT_FALSE(queue.push_wait(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_TRUE(queue.pop_all().empty());
}

TEST(bounded_queue, wakes_a_waiting_consumer_with_an_item) {
  bounded_queue<int> queue{1, overflow::reject};
  auto got = std::async(std::launch::async, [&] { return queue.pop(); });
  queue.push(7);
  EXPECT_EQ(got.get(), 7);
}

TEST(bounded_queue, wakes_everybody_who_waits_when_closed) {
  bounded_queue<int> empty{1, overflow::reject};
  bounded_queue<int> full{1, overflow::reject};
  full.push(1);
  auto consumer = std::async(std::launch::async, [&] { return empty.pop(); });
  auto producer = std::async(std::launch::async, [&] { return full.push_wait(2); });
  empty.close();
  full.close();
  EXPECT_EQ(consumer.get(), std::nullopt);
  EXPECT_FALSE(producer.get());
}

TEST(bounded_queue, blocking_producers_lose_nothing_and_keep_each_ones_order) {
  constexpr int producers = 3;
  constexpr int each = 2000;
  bounded_queue<std::pair<int, int>> queue{8, overflow::reject};
  std::vector<std::thread> running;
  for (int who = 0; who < producers; ++who)
    running.emplace_back([&queue, who] {
      for (int n = 0; n < each; ++n)
        queue.push_wait({who, n});
    });
  std::vector<int> next(producers, 0);
  for (int received = 0; received < producers * each;) {
    for (const auto& [who, n] : queue.pop_all()) {
      EXPECT_EQ(n, next[static_cast<std::size_t>(who)]++);
      ++received;
    }
  }
  for (auto& thread : running)
    thread.join();
  EXPECT_EQ(queue.size(), 0U);
}

} // namespace
} // namespace switchboard
