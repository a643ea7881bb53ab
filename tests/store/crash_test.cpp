// A process dies by SIGKILL; the next one finds everything that was confirmed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

using testing::ElementsAre;

/// Runs `work` in a process of its own, which then kills itself as hard as it goes. No thread may run here by now.
void in_a_process_that_dies(const std::function<void()>& work) {
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    work();
    ::kill(::getpid(), SIGKILL);
    ::_exit(1); // not reached
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
}

/// Submits and waits for the confirmation, and for nothing that closing would do.
void submit_and_wait(environment& store, batch what) {
  std::promise<void> durable;
  store.submit(std::move(what), [&] { durable.set_value(); });
  durable.get_future().wait();
}

TEST(crash, everything_confirmed_is_there_afterwards) {
  temporary_directory directory;
  in_a_process_that_dies([&] {
    auto store = must_open(small_store(directory.path()));
    batch what;
    what.put_message(1, store->take_positions(), text_message("one"));
    what.put_message(1, store->take_positions(), text_message("two"));
    what.put_topology("queue/a", "durable");
    what.put_entity(an_entity("c1", 1000, "answered"));
    what.append_journal(a_line("c1", 1, 1000));
    what.put_reply(a_reply("m1", 5000, "the call"));
    what.put_timer(a_timer("hang_up", 9000));
    what.put_outbox({store->take_positions(), 0, "to a conference"});
    submit_and_wait(*store, std::move(what));
  });
  const auto store = must_open(small_store(directory.path()));
  EXPECT_EQ(store->incarnation(), 1u);
  EXPECT_THAT(bodies(*store, 1), ElementsAre("one", "two"));
  EXPECT_THAT(entity_ids(*store), ElementsAre("c1"));
  EXPECT_EQ((*store->find_entity("call", "c1"))->state, "answered");
  EXPECT_THAT(journal_sequences(*store, "c1"), ElementsAre(1));
  EXPECT_EQ((*store->find_reply("bin-manager.call.request", "m1"))->bytes, "the call");
  EXPECT_THAT(timers(*store), ElementsAre("c1/hang_up@9000"));
  int topology = 0, outbox = 0;
  EXPECT_TRUE(store->each_topology([&](auto, auto) { return ++topology, true; }));
  EXPECT_TRUE(store->each_outbox([&](auto&&) { return ++outbox, true; }));
  EXPECT_EQ(topology, 1);
  EXPECT_EQ(outbox, 1);
}

TEST(crash, numbers_taken_before_it_are_not_given_again) {
  temporary_directory directory;
  position last = 0;
  for (int round = 0; round < 3; ++round) {
    in_a_process_that_dies([&] {
      auto store = must_open(small_store(directory.path()));
      batch what;
      what.put_message(store->next_queue_number(), store->take_positions(2'500'000) + 2'499'999, text_message("far"));
      submit_and_wait(*store, std::move(what));
    });
    const auto store = must_open(small_store(directory.path()));
    const auto next = store->take_positions();
    EXPECT_GT(next, last + 2'500'000);
    const auto queue = store->next_queue_number();
    for (queue_number used = 1; used < queue; ++used)
      for (auto one = bodies(*store, used, next); !one.empty(); one.clear())
        ADD_FAILURE() << "position at or above " << next << " is in queue " << used;
    EXPECT_TRUE(bodies(*store, queue).empty());
    last = next;
  }
}

/// Publishes until it is killed and tells each confirmed number through the pipe.
[[noreturn]] void publish_until_killed(const std::string& directory, int confirmations) {
  auto store = must_open(small_store(directory));
  std::atomic<std::int64_t> waiting{0};
  for (std::uint64_t number = store->take_positions();; number = store->take_positions()) {
    batch what;
    what.put_message(1, number, text_message(std::to_string(number)));
    if (number % 3 == 0) // put and taken in one batch: never there
      what.delete_message(1, number);
    ++waiting;
    store->submit(std::move(what), [&waiting, confirmations, number] {
      --waiting;
      if (::write(confirmations, &number, sizeof number) != sizeof number)
        ::_exit(1);
    });
    while (waiting > 64)
      std::this_thread::yield();
  }
}

/// Reads confirmations until there are `enough`, kills, and reads what was still in the pipe.
std::vector<std::uint64_t> confirmed_before_kill(const std::string& directory, std::size_t enough) {
  int pipe_ends[2];
  EXPECT_EQ(::pipe(pipe_ends), 0);
  const auto child = ::fork();
  if (child < 0) { // kill() would take -1 for everybody
    ADD_FAILURE() << "fork failed";
    return {};
  }
  if (child == 0) {
    ::close(pipe_ends[0]);
    publish_until_killed(directory, pipe_ends[1]);
  }
  ::close(pipe_ends[1]);
  std::vector<std::uint64_t> confirmed;
  std::uint64_t number = 0;
  while (::read(pipe_ends[0], &number, sizeof number) == sizeof number) {
    confirmed.push_back(number);
    if (confirmed.size() == enough)
      ::kill(child, SIGKILL);
  }
  ::close(pipe_ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status));
  return confirmed;
}

TEST(crash, killed_at_any_moment_nothing_confirmed_is_lost_or_reordered) {
  temporary_directory directory;
  std::vector<std::string> expected;
  std::size_t enough = 1;
  for (int round = 0; round < 10; ++round, enough = enough * 2 + 7) {
    for (const auto number : confirmed_before_kill(directory.path(), enough))
      if (number % 3 != 0)
        expected.push_back(std::to_string(number));
    const auto store = must_open(small_store(directory.path()));
    const auto found = bodies(*store, 1);
    // What was written but not confirmed any more may be there too, behind the confirmed ones of its round.
    std::size_t next = 0;
    for (const auto& body : found)
      next += next < expected.size() && body == expected[next];
    ASSERT_EQ(next, expected.size()) << "round " << round;
    for (const auto& body : found)
      ASSERT_NE(std::stoull(body) % 3, 0u);
  }
  EXPECT_GT(expected.size(), 4000u);
}

} // namespace
} // namespace switchboard::store
