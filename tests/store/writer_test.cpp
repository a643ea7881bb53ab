// Groups, order and threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

batch one_message(queue_number queue, position at, std::string_view body = "x") {
  batch made;
  made.put_message(queue, at, text_message(body));
  return made;
}

TEST(writer, completions_run_in_submission_order) {
  temporary_store store;
  std::vector<int> order; // of the writer thread until flush() returns
  {
    held_writer held{*store};
    for (int i = 0; i < 200; ++i) {
      batch what; // empty ones keep their place in the order too
      if (i % 3 != 0)
        what.put_topology("key", std::to_string(i));
      store->submit(std::move(what), [&order, i] { order.push_back(i); });
    }
  }
  ASSERT_TRUE(store->flush());
  std::vector<int> expected(200);
  for (int i = 0; i < 200; ++i)
    expected[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(order, expected);
}

TEST(writer, a_completion_finds_its_batch_committed) {
  temporary_store store;
  std::vector<std::string> seen;
  store->submit(one_message(1, 1, "first"), [&] { seen = bodies(*store, 1); });
  ASSERT_TRUE(store->flush());
  EXPECT_THAT(seen, ElementsAre("first"));
}

TEST(writer, what_gathers_during_one_commit_is_the_next_group) {
  temporary_store store;
  {
    held_writer held{*store};
    for (position at = 1; at <= 100; ++at)
      store->submit(one_message(1, at));
    EXPECT_GT(store->stats().waiting_bytes, 0u);
  }
  ASSERT_TRUE(store->flush());
  EXPECT_EQ(store->stats().commits, 1u);
  EXPECT_EQ(store->stats().waiting_bytes, 0u);
  EXPECT_EQ(bodies(*store, 1).size(), 100u);
}

TEST(writer, a_group_holds_no_more_than_its_bytes_but_at_least_one_batch) {
  auto how = small_store({});
  how.group_bytes_max = 5 * one_message(1, 1).footprint();
  temporary_store store{how};
  {
    held_writer held{*store};
    for (position at = 1; at <= 20; ++at)
      store->submit(one_message(1, at));
    batch large;
    for (position at = 21; at <= 40; ++at)
      large.put_message(1, at, text_message("y"));
    store->submit(std::move(large));
  }
  ASSERT_TRUE(store->flush());
  EXPECT_EQ(store->stats().commits, 5u);
  EXPECT_EQ(bodies(*store, 1).size(), 40u);
}

TEST(writer, a_message_taken_before_its_group_is_written_never_is) {
  temporary_store store;
  store->submit(one_message(1, 1, "stays"));
  ASSERT_TRUE(store->flush());
  {
    held_writer held{*store};
    store->submit(one_message(1, 2, "taken"));
    store->submit(one_message(1, 3, "kept"));
    batch taken;
    taken.delete_message(1, 2);
    store->submit(std::move(taken));
  }
  ASSERT_TRUE(store->flush());
  EXPECT_EQ(store->stats().elided, 1u);
  EXPECT_THAT(bodies(*store, 1), ElementsAre("stays", "kept"));
}

TEST(writer, keeps_messages_no_longer_than_until_they_are_in_lmdb) {
  temporary_store store;
  const auto before = message::resident_bytes();
  store->submit(one_message(1, 1, std::string(100'000, 'x')));
  ASSERT_TRUE(store->flush());
  EXPECT_GT(message::resident_bytes(), before); // in the log
  ASSERT_TRUE(store->each_message(1, 0, [](stored_message&&) { return false; }));
  EXPECT_EQ(message::resident_bytes(), before);
}

TEST(writer, a_large_group_goes_to_lmdb_at_once_and_frees_its_messages_before_it_is_confirmed) {
  temporary_store store;
  const auto before = message::resident_bytes();
  std::int64_t resident = -1;
  store->submit(one_message(1, 1, std::string(5'000'000, 'x')), [&] { resident = message::resident_bytes(); });
  ASSERT_TRUE(store->flush());
  EXPECT_EQ(resident, before);
  EXPECT_EQ(store->stats().checkpoints, 1u);
}

TEST(writer, a_completion_may_submit_more) {
  temporary_store store;
  std::promise<void> second;
  store->submit(one_message(1, 1), [&] { store->submit(one_message(1, 2), [&] { second.set_value(); }); });
  second.get_future().wait();
  EXPECT_EQ(bodies(*store, 1).size(), 2u);
}

TEST(writer, flush_in_a_completion_is_refused_instead_of_waiting_for_itself) {
  temporary_store store;
  std::promise<expected<void>> answer;
  store->submit({}, [&] { answer.set_value(store->flush()); });
  const auto refused = answer.get_future().get();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::wrong_state);
}

TEST(writer, closing_writes_and_confirms_everything_first) {
  temporary_store store;
  int confirmed = 0;
  {
    auto held = std::make_unique<held_writer>(*store);
    for (position at = 1; at <= 50; ++at)
      store->submit(one_message(1, at), [&] { ++confirmed; });
    held->let_go();
  }
  store.close();
  EXPECT_EQ(confirmed, 50);
  store.reopen();
  EXPECT_EQ(bodies(*store, 1).size(), 50u);
}

TEST(writer, eight_threads_submit_and_four_read) {
  auto how = small_store({});
  how.sync = false;
  how.group_bytes_max = 64u << 10;
  temporary_store store{how};
  constexpr int submitters = 8;
  constexpr int batches = 400;
  std::vector<std::vector<int>> confirmed(submitters);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int who = 0; who < submitters; ++who)
    threads.emplace_back([&, who] {
      const auto queue = store->next_queue_number();
      position before = 0;
      for (int i = 0; i < batches; ++i) {
        batch what;
        const auto at = store->take_positions(2);
        EXPECT_GT(at, before);
        what.put_message(queue, at, text_message(std::to_string(i)));
        what.put_message(queue, at + 1, text_message("odd"));
        if (before)
          what.delete_message(queue, before + 1);
        what.put_entity(an_entity("e" + std::to_string(who), who, std::to_string(i)));
        what.put_timer(a_timer("t", i, "e" + std::to_string(who)));
        what.put_reply(a_reply(std::to_string(who) + '.' + std::to_string(i), 1'000'000));
        store->submit(std::move(what), [&confirmed, who, i] { confirmed[static_cast<std::size_t>(who)].push_back(i); });
        before = at;
      }
    });
  for (int who = 0; who < 4; ++who)
    threads.emplace_back([&] {
      while (!done) {
        EXPECT_LE(entity_ids(*store).size(), std::size_t{submitters});
        timers(*store);
        EXPECT_TRUE(store->find_reply("bin-manager.call.request", "3.7"));
        EXPECT_TRUE(store->find_entity("call", "e1"));
        store->stats();
      }
    });
  for (int who = 0; who < submitters; ++who)
    threads[static_cast<std::size_t>(who)].join();
  ASSERT_TRUE(store->flush());
  done = true;
  for (int who = submitters; who < submitters + 4; ++who)
    threads[static_cast<std::size_t>(who)].join();

  std::size_t messages = 0;
  for (queue_number queue = 1; queue <= submitters; ++queue)
    messages += bodies(*store, queue).size();
  EXPECT_EQ(messages, std::size_t{submitters * (batches + 1)});
  EXPECT_EQ(timers(*store).size(), std::size_t{submitters});
  for (int who = 0; who < submitters; ++who) {
    EXPECT_EQ(confirmed[static_cast<std::size_t>(who)].size(), std::size_t{batches});
    EXPECT_TRUE(std::is_sorted(confirmed[static_cast<std::size_t>(who)].begin(),
                               confirmed[static_cast<std::size_t>(who)].end()));
    EXPECT_EQ((*store->find_entity("call", "e" + std::to_string(who)))->state, std::to_string(batches - 1));
    for (int i = 0; i < batches; ++i)
      EXPECT_TRUE(*store->find_reply("bin-manager.call.request", std::to_string(who) + '.' + std::to_string(i)));
  }
}

} // namespace
} // namespace switchboard::store
