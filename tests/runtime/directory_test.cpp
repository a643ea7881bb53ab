#include "runtime/directory.hpp"

#include <thread>

#include <gmock/gmock.h>

#include "base/handler_section.hpp"
#include "runtime/metrics.hpp"
#include "runtime/shutdown.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> paths(const directory& all, std::string_view prefix = {}, std::size_t limit = 1000) {
  std::vector<std::string> found;
  for (const auto& row : all.list(prefix, limit))
    found.push_back(row.path);
  return found;
}

TEST(directory, lists_those_who_live_by_path) {
  directory all;
  const auto call = all.enter("/services/call", "service", {});
  auto agent = all.enter("/services/agent", "service", {});
  const auto session = all.enter("/amqp/sessions/1", "amqp_session", {});
  EXPECT_THAT(paths(all), ElementsAre("/amqp/sessions/1", "/services/agent", "/services/call"));
  EXPECT_THAT(paths(all, "/services"), ElementsAre("/services/agent", "/services/call"));
  EXPECT_THAT(paths(all, {}, 1), ElementsAre("/amqp/sessions/1"));
  agent.reset();
  EXPECT_THAT(paths(all, "/services"), ElementsAre("/services/call"));
  EXPECT_EQ(all.size(), 2U);
}

TEST(directory, keeps_two_of_one_path_apart) {
  directory all;
  const auto first = all.enter("/a", "x", {});
  const auto second = all.enter("/a", "x", {});
  EXPECT_THAT(paths(all), ElementsAre("/a", "/a#2"));
}

TEST(directory, adds_up_by_kind) {
  directory all;
  const auto first = all.enter("/a", "x", {});
  const auto second = all.enter("/b", "x", {});
  const auto third = all.enter("/c", "y", {});
  first->mailbox = 3;
  second->mailbox = 4;
  auto totals = all.totals();
  EXPECT_EQ(totals["x"].actors, 2U);
  EXPECT_EQ(totals["x"].mailbox, 7);
  EXPECT_EQ(totals["y"].actors, 1U);
}

TEST(directory, asks_crowds_who_is_there) {
  struct : actor_crowd {
    std::string_view kind() const override { return "entity"; }
    std::size_t size() const override { return 2; }
    std::int64_t mailbox() const override { return 5; }
    void list(std::string_view prefix, std::vector<actor_row>& into) const override {
      for (const auto* path : {"/entities/call/2", "/entities/call/1"})
        if (std::string_view{path}.starts_with(prefix))
          into.push_back({path, "entity"});
    }
  } crowd;
  directory all;
  const auto service = all.enter("/services/call", "service", {});
  all.enter(crowd);
  EXPECT_THAT(paths(all), ElementsAre("/entities/call/1", "/entities/call/2", "/services/call"));
  EXPECT_THAT(paths(all, "/entities/call/2"), ElementsAre("/entities/call/2"));
  EXPECT_EQ(all.size(), 3U);
  EXPECT_EQ(all.totals()["entity"].mailbox, 5);
  all.leave(crowd);
  EXPECT_THAT(paths(all), ElementsAre("/services/call"));
  EXPECT_FALSE(all.totals().contains("entity"));
}

TEST(directory, forgets_the_dead_as_it_grows) {
  directory all;
  for (int round = 0; round < 100'000; ++round)
    all.enter("/short/" + std::to_string(round), "x", {});
  EXPECT_EQ(all.size(), 0U);
  EXPECT_TRUE(all.list().empty());
}

TEST(shutdown, names_who_blocks_a_phase_and_goes_on) {
  directory all;
  const auto stuck = all.enter("/entities/call/7", "entity", {});
  const auto other = all.enter("/services/call", "service", {});
  std::vector<std::string> ran;
  const auto phase = [&](std::string name, bool done) {
    return shutdown_phase{name, 1s, "/entities", [&ran, name, done](milliseconds) {
                            ran.push_back(name);
                            return done;
                          }};
  };
  const auto reports = run_phases({phase("drain", true), phase("finish", false), phase("flush", true)}, all);
  EXPECT_THAT(ran, ElementsAre("drain", "finish", "flush"));
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_TRUE(reports[0].in_time);
  EXPECT_TRUE(reports[0].blocked_by.empty());
  EXPECT_FALSE(reports[1].in_time);
  EXPECT_THAT(reports[1].blocked_by, ElementsAre("/entities/call/7"));
}

TEST(shutdown, names_those_stuck_in_a_handler_before_those_with_work_and_leaves_out_the_idle) {
  struct stuck_actor final : watched_handler {
    label handler_label() const override { return {"/entities/call/9", "entity"}; }
  } const nine;
  directory all;
  const auto idle = all.enter("/entities/call/1", "entity", {});
  const auto busy = all.enter("/entities/call/2", "entity", {});
  const auto stuck = all.enter("/entities/call/9", "entity", {});
  busy->mailbox = 3;
  const handler_section here{nine};
  const auto reports = run_phases({{"finish", 1s, "/entities",
                                    [](milliseconds) {
                                      while (running_handlers(100ms).empty())
                                        std::this_thread::yield();
                                      return false;
                                    }}},
                                  all);
  EXPECT_THAT(reports.at(0).blocked_by, ElementsAre("/entities/call/9", "/entities/call/2"));
}

TEST(metrics, stand_on_the_page_with_name_help_and_labels) {
  metrics all;
  all.requests.Add({{"service", "call"}, {"method", "GET"}, {"status", "200"}}).Increment();
  auto& gauge = all.gauge("switchboard_things", "How many things.").Add({});
  all.on_collect([&gauge, turn = 0](metrics&) mutable { gauge.Set(++turn); });
  EXPECT_THAT(all.page(), HasSubstr("switchboard_things 1"));
  const auto page = all.page();
  EXPECT_THAT(page, HasSubstr("switchboard_things 2"));
  EXPECT_THAT(page, HasSubstr("# HELP switchboard_requests_total Requests answered by services of this node."));
  EXPECT_THAT(page, HasSubstr("# TYPE switchboard_requests_total counter"));
  EXPECT_THAT(page, HasSubstr(R"(switchboard_requests_total{method="GET",service="call",status="200"} 1)"));
  EXPECT_THAT(page, HasSubstr("switchboard_log_lines_lost_total 0"));
}

} // namespace
} // namespace switchboard::runtime
