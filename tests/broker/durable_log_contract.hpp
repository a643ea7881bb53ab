// What the broker relies on in any durable_log. A new implementation adds a subject: `open()` gives a log on storage
// that the next open() of the same subject finds again, as after a restart.
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(store, durable_log_contract, my_subject);
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/durable_log.hpp"

namespace switchboard::test {

template <class Subject>
class durable_log_contract : public testing::Test {
protected:
  durable_log_contract() { reopen(); }

  void reopen() {
    log.reset(); // one at a time has the storage
    log = subject.open();
    ASSERT_TRUE(log);
  }
  static message_ptr text(std::string_view body) {
    return make_message("calls", "call.created", std::string_view("\0\0", 2), body, true);
  }
  template <class Fill>
  void commit(Fill fill) {
    auto changes = log->begin();
    fill(*changes);
    std::promise<void> done;
    auto synced = done.get_future();
    log->commit(std::move(changes), [&] { done.set_value(); });
    ASSERT_EQ(synced.wait_for(std::chrono::seconds{20}), std::future_status::ready);
  }
  std::vector<std::string> bodies(broker::queue_number queue) {
    std::vector<std::string> found;
    broker::position before = 0;
    const auto read = log->each_message(queue, [&](broker::position at, const message_ptr& what) {
      EXPECT_GT(at, before) << "not in order";
      before = at;
      found.emplace_back(what->body());
    });
    EXPECT_TRUE(read) << read.error().what;
    return found;
  }
  std::map<std::string, std::string> topology() {
    std::map<std::string, std::string> found;
    const auto read = log->each_topology(
        [&](std::string_view key, std::string_view bytes) { found.emplace(std::string{key}, std::string{bytes}); });
    EXPECT_TRUE(read) << read.error().what;
    return found;
  }

  Subject subject;
  std::shared_ptr<broker::durable_log> log;
};

TYPED_TEST_SUITE_P(durable_log_contract);

TYPED_TEST_P(durable_log_contract, is_empty_at_first) {
  EXPECT_THAT(this->topology(), testing::IsEmpty());
  EXPECT_THAT(this->bodies(1), testing::IsEmpty());
}

TYPED_TEST_P(durable_log_contract, keeps_messages_whole_and_in_order_across_a_restart) {
  const auto queue = this->log->next_queue_number();
  const auto at = this->log->take_positions(3);
  this->commit([&](broker::durable_transaction& changes) {
    changes.put_message(queue, at + 2, this->text("c"));
    changes.put_message(queue, at, this->text("a"));
    changes.put_message(queue, at + 1, this->text(std::string("\0b\xFF", 3)));
  });
  const std::vector<std::string> all{"a", std::string("\0b\xFF", 3), "c"};
  EXPECT_EQ(this->bodies(queue), all);
  this->reopen();
  EXPECT_EQ(this->bodies(queue), all);
  ASSERT_TRUE(this->log->each_message(queue, [](broker::position, const message_ptr& what) {
    EXPECT_EQ(what->exchange(), "calls");
    EXPECT_EQ(what->routing_key(), "call.created");
    EXPECT_EQ(what->properties(), std::string_view("\0\0", 2));
    EXPECT_TRUE(what->persistent());
  }));
}

TYPED_TEST_P(durable_log_contract, keeps_one_message_in_several_queues) {
  const auto first = this->log->next_queue_number(), second = this->log->next_queue_number();
  const auto at = this->log->take_positions(1);
  const auto what = this->text("both");
  this->commit([&](broker::durable_transaction& changes) {
    changes.put_message(first, at, what);
    changes.put_message(second, at, what);
  });
  this->commit([&](broker::durable_transaction& changes) { changes.delete_message(first, at); });
  this->reopen();
  EXPECT_THAT(this->bodies(first), testing::IsEmpty());
  EXPECT_THAT(this->bodies(second), testing::ElementsAre("both"));
}

TYPED_TEST_P(durable_log_contract, reads_a_queue_from_a_position_until_told_to_stop) {
  // Positions may be chosen by whoever owns the queue, and a queue may have a second number with the highest bit set.
  constexpr auto high = broker::position{1} << 63;
  const auto queue = this->log->next_queue_number(), other = high | queue;
  this->commit([&](broker::durable_transaction& changes) {
    changes.put_message(other, high + 1, this->text("another's"));
    for (const broker::position at : {broker::position{7}, high, high + 1, high + 2, high + 3})
      changes.put_message(queue, at, this->text(std::to_string(at)));
  });
  const auto read = [&](broker::position from, std::size_t count) {
    std::vector<broker::position> seen;
    EXPECT_TRUE(this->log->read_messages(queue, from, [&](broker::position at, message_ptr what) {
      EXPECT_EQ(what->body(), std::to_string(at));
      seen.push_back(at);
      return seen.size() < count;
    }));
    return seen;
  };
  for (int opened = 0; opened < 2; ++opened) {
    EXPECT_THAT(read(0, 99), testing::ElementsAre(7, high, high + 1, high + 2, high + 3));
    EXPECT_THAT(read(high + 1, 2), testing::ElementsAre(high + 1, high + 2));
    EXPECT_THAT(read(high + 3, 99), testing::ElementsAre(high + 3));
    EXPECT_THAT(read(high + 4, 99), testing::IsEmpty());
    this->reopen();
  }
  EXPECT_LT(this->log->take_positions(1), high);
}

TYPED_TEST_P(durable_log_contract, fetches_messages_by_position_and_says_which_are_not_there) {
  const auto queue = this->log->next_queue_number();
  const auto first = this->log->take_positions(10);
  this->commit([&](broker::durable_transaction& changes) {
    for (auto at = first; at < first + 10; ++at)
      changes.put_message(queue, at, this->text(std::to_string(at)));
    changes.put_message(queue + 1, first, this->text("another queue's"));
  });
  this->commit([&](broker::durable_transaction& changes) { changes.delete_message(queue, first + 4); });
  const std::vector<broker::position> wanted{first + 1, first + 4, first + 9};
  for (int opened = 0; opened < 2; ++opened) {
    std::map<broker::position, std::string> found;
    ASSERT_TRUE(this->log->fetch_messages(queue, wanted, [&](broker::position at, message_ptr what) {
      found[at] = what ? std::string{what->body()} : "none";
    }));
    EXPECT_EQ(found, (std::map<broker::position, std::string>{{first + 1, std::to_string(first + 1)},
                                                              {first + 4, "none"},
                                                              {first + 9, std::to_string(first + 9)}}));
    this->reopen();
  }
}

TYPED_TEST_P(durable_log_contract, applies_the_commits_of_a_thread_in_order) {
  const auto queue = this->log->next_queue_number();
  const auto at = this->log->take_positions(100);
  std::vector<int> order;
  for (int number = 0; number < 100; ++number) {
    auto put = this->log->begin();
    put->put_message(queue, at + number, this->text("x"));
    this->log->commit(std::move(put), [&order, number] { order.push_back(number); });
    auto remove = this->log->begin();
    if (number % 2 == 0)
      remove->delete_message(queue, at + number);
    this->log->commit(std::move(remove), {}); // nobody waits for it
  }
  this->commit([](broker::durable_transaction&) {}); // behind all others
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_THAT(order, testing::SizeIs(100));
  EXPECT_THAT(this->bodies(queue), testing::SizeIs(50));
  this->reopen();
  EXPECT_THAT(this->bodies(queue), testing::SizeIs(50));
}

TYPED_TEST_P(durable_log_contract, empties_one_queue_and_no_other) {
  const auto first = this->log->next_queue_number(), second = this->log->next_queue_number();
  const auto at = this->log->take_positions(4);
  this->commit([&](broker::durable_transaction& changes) {
    changes.put_message(first, at, this->text("1"));
    changes.put_message(second, at + 1, this->text("2"));
    changes.put_message(first, at + 2, this->text("3"));
  });
  this->commit([&](broker::durable_transaction& changes) { changes.delete_queue_messages(first); });
  EXPECT_THAT(this->bodies(first), testing::IsEmpty());
  EXPECT_THAT(this->bodies(second), testing::ElementsAre("2"));
}

TYPED_TEST_P(durable_log_contract, keeps_replaces_and_deletes_topology) {
  this->commit([](broker::durable_transaction& changes) {
    changes.put_topology("queue/%2F/a", "1");
    changes.put_topology("queue/%2F/b", "2");
  });
  this->commit([](broker::durable_transaction& changes) {
    changes.put_topology("queue/%2F/a", "3");
    changes.delete_topology("queue/%2F/b");
    changes.delete_topology("queue/%2F/never");
  });
  const std::map<std::string, std::string> left{{"queue/%2F/a", "3"}};
  EXPECT_EQ(this->topology(), left);
  this->reopen();
  EXPECT_EQ(this->topology(), left);
}

TYPED_TEST_P(durable_log_contract, gives_numbers_out_once) {
  const auto block = this->log->take_positions(10);
  EXPECT_GT(block, 0u) << "0 means: not in the log";
  const auto behind = this->log->take_positions(1);
  EXPECT_GE(behind, block + 10);
  const auto queue = this->log->next_queue_number();
  EXPECT_GT(queue, 0u);
  this->commit([&](broker::durable_transaction& changes) { changes.put_message(queue, behind, this->text("x")); });
  this->reopen();
  EXPECT_GT(this->log->take_positions(1), behind);
  EXPECT_GT(this->log->next_queue_number(), queue);
}

TYPED_TEST_P(durable_log_contract, serves_many_threads) {
  constexpr int writers = 4, each = 50;
  std::vector<broker::queue_number> queues;
  for (int number = 0; number < writers; ++number)
    queues.push_back(this->log->next_queue_number());
  std::vector<std::thread> threads;
  for (int number = 0; number < writers; ++number)
    threads.emplace_back([this, queue = queues[number]] {
      for (int count = 0; count < each; ++count) {
        auto changes = this->log->begin();
        changes->put_message(queue, this->log->take_positions(1), this->text(std::to_string(count)));
        this->log->commit(std::move(changes), {});
      }
      this->commit([](broker::durable_transaction&) {});
    });
  for (auto& thread : threads)
    thread.join();
  for (const auto queue : queues) {
    const auto found = this->bodies(queue);
    ASSERT_THAT(found, testing::SizeIs(each));
    for (int count = 0; count < each; ++count)
      EXPECT_EQ(found[count], std::to_string(count));
  }
}

REGISTER_TYPED_TEST_SUITE_P(durable_log_contract, is_empty_at_first, reads_a_queue_from_a_position_until_told_to_stop,
                            fetches_messages_by_position_and_says_which_are_not_there,
                            keeps_messages_whole_and_in_order_across_a_restart, keeps_one_message_in_several_queues,
                            applies_the_commits_of_a_thread_in_order, empties_one_queue_and_no_other,
                            keeps_replaces_and_deletes_topology, gives_numbers_out_once, serves_many_threads);

} // namespace switchboard::test
