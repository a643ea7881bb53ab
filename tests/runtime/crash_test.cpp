// A node that is killed in the middle of its work is found whole at the next start. The child is this binary again
// (fork alone would share random bytes and threads), kept to one test that never returns.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <gmock/gmock.h>
#include <sys/wait.h>

#include "tests/runtime/node_fixture.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;

constexpr const char* folder_variable = "SWITCHBOARD_TEST_CRASH_FOLDER";

const std::string create_c1 = R"({"message_id":"m-1","timestamp":"2026-01-20T12:00:00.000Z","method":"POST",)"
                              R"("route":"/v1/counters","headers":{"customer_id":"customer-1"},"body":{"id":"c-1"}})";

/// Not a test of its own: run by the parent below. Says what it got on descriptor 3, then waits to be killed.
TEST(crash, DISABLED_child) {
  const auto* folder = std::getenv(folder_variable);
  ASSERT_NE(folder, nullptr);
  auto node = core::start(counter_node(folder));
  ASSERT_TRUE(node);
  client peer{**node};
  peer.declare("observer", "counter.events");
  const auto first = peer.call(create_c1);
  peer.call(envelope("POST", "/v1/counters/c-1/add"));
  peer.call(envelope("POST", "/v1/counters/c-1/remind", R"({"delay_ms":3600000})"));
  // Work without end goes on while the parent kills.
  ASSERT_EQ(::write(3, (first + "\n").c_str(), first.size() + 1), static_cast<ssize_t>(first.size() + 1));
  for (int number = 0;; ++number)
    peer.call(envelope("POST", "/v1/counters", R"({"value":1})"));
}

/// Runs the child until it has said its line, kills it, and returns the line.
std::string run_and_kill(const std::string& folder) {
  int pipe_ends[2];
  EXPECT_EQ(::pipe(pipe_ends), 0);
  const auto child = ::fork();
  if (child == 0) {
    ::dup2(pipe_ends[1], 3);
    ::setenv(folder_variable, folder.c_str(), 1);
    ::execl("/proc/self/exe", "runtime_test", "--gtest_also_run_disabled_tests", "--gtest_filter=crash.DISABLED_child",
            nullptr);
    ::_exit(127);
  }
  ::close(pipe_ends[1]);
  std::string line;
  for (char c = 0; ::read(pipe_ends[0], &c, 1) == 1 && c != '\n';)
    line.push_back(c);
  ::close(pipe_ends[0]);
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
  return line;
}

TEST(crash, a_killed_node_comes_back_with_state_replies_timers_and_events_each_once) {
  temporary_folder folder;
  const auto first = run_and_kill(folder.str());
  ASSERT_FALSE(first.empty());

  auto time = std::make_shared<shifted_clock>();
  auto started = core::start(counter_node(folder.str(), time));
  ASSERT_TRUE(started) << started.error().what;
  auto& node = **started;
  client peer{node};

  EXPECT_EQ(peer.call(create_c1), first) << "the stored reply";
  const auto shown = json::parse(peer.call(envelope("GET", "/v1/counters/c-1")));
  EXPECT_EQ(shown["body"]["value"], 1) << "the state";

  time->advance(2h);
  node.entities().timers().wake();
  peer.consume(peer.find("observer"));
  std::map<std::string, int> of_c1;
  std::map<std::string, int> event_ids;
  while (of_c1["counter.reminded"] == 0) {
    const auto seen = peer.next_event();
    ASSERT_TRUE(seen) << "the timer did not fire";
    ++event_ids[seen->fact.event_id];
    if (seen->fact.resource_id == "c-1")
      ++of_c1[seen->fact.event_type];
  }
  EXPECT_EQ(of_c1["counter.created"], 1);
  EXPECT_EQ(of_c1["counter.changed"], 1);
  for (const auto& [id, times] : event_ids)
    EXPECT_EQ(times, 1) << id;

  // Each counter that was made has its event and each event its counter: they were committed together or not at all.
  std::size_t stored = 0;
  ASSERT_TRUE(node.store().each_entity("counter", [&](store::entity_record&&) { return ++stored, true; }));
  EXPECT_EQ(event_ids.size(), stored + 2); // one created each; changed and reminded of c-1
}

} // namespace
} // namespace switchboard::runtime
