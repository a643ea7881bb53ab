#include "runtime/supervisor.hpp"

#include <map>
#include <mutex>

#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <gmock/gmock.h>

#include "broker/errors.hpp"
#include "runtime/bounded_actor.hpp"
#include "tests/runtime/diary.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

struct supervised : testing::Test {
  // Outlive the actors.
  diary seen;
  std::mutex mutex;
  std::map<std::string, caf::actor> live; ///< by name, under mutex
  system_clock time;
  metrics counts;
  directory all;
  caf::actor_system_config config;
  caf::actor_system system{config};
  io_threads io{system, 1};
  node_context node{system, io, time, nullptr, counts, all, "test"};
  caf::actor root;

  void TearDown() override {
    if (root)
      end(root);
    root = nullptr;
    live.clear();
    EXPECT_TRUE(seen.wait_for_all_ends());
  }

  /// True once the actor has ended.
  bool end(const caf::actor& who) {
    caf::scoped_actor self{system};
    self->monitor(who);
    caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
    bool ended = false;
    self->receive([&](const caf::down_msg&) { ended = true; }, caf::after(10s) >> [] {});
    return ended;
  }

  /// A child that writes when it starts and ends, and ends with an error when it gets "fail".
  child_spec child(std::string name, restart_policy restart = restart_policy::permanent) {
    return {name, "test", restart, [this, name]() -> expected<caf::actor> {
              auto made = system.spawn([this, name](caf::event_based_actor* self) -> caf::behavior {
                self->attach_functor([this, name] { seen.write(name + " ends"); });
                return {[self](const std::string& order) {
                          self->quit(order == "fail" ? caf::error{caf::exit_reason::kill} : caf::error{});
                        },
                        [](int) {}};
              });
              const std::lock_guard hold{mutex};
              live[name] = made;
              seen.write(name + " starts");
              return made;
            }};
  }

  void start(restart_strategy strategy, unsigned most = 5) {
    supervisor_options options{"/test", strategy, {}};
    options.limits.most = most;
    options.limits.wait = {1ms, 2ms, 0};
    root = spawn_supervisor(node, options);
  }

  template <class Response, class Request>
  expected<Response> ask(Request what) {
    caf::scoped_actor self{system};
    expected<Response> result{errc::timed_out, ""};
    self->request(root, 10s, std::move(what))
        .receive([&](Response& answer) { result = std::move(answer); },
                 [&](const caf::error& why) { result = broker::from_caf(why); });
    return result;
  }
  void add(child_spec spec) { ASSERT_TRUE(ask<child_added>(add_child{std::move(spec)})); }
  void tell(const std::string& name, const std::string& order) {
    const std::lock_guard hold{mutex};
    caf::anon_send(live.at(name), order);
  }
};

TEST_F(supervised, a_child_that_fails_is_started_again_alone) {
  start(restart_strategy::one_for_one);
  add(child("a"));
  add(child("b"));
  tell("a", "fail");
  ASSERT_TRUE(seen.wait_for(4));
  EXPECT_THAT(seen.lines(), ElementsAre("a starts", "b starts", "a ends", "a starts"));
  EXPECT_EQ(ask<child_state>(inspect_child{"a"})->restarts, 1U);
  EXPECT_EQ(ask<child_state>(inspect_child{"b"})->restarts, 0U);
  EXPECT_THAT(counts.page(), testing::HasSubstr("switchboard_actor_restarts_total{kind=\"test\"} 1"));
}

TEST_F(supervised, one_for_all_ends_the_siblings_and_starts_all_in_order) {
  start(restart_strategy::one_for_all);
  for (const auto* name : {"a", "b", "c"})
    add(child(name));
  tell("b", "fail");
  ASSERT_TRUE(seen.wait_for(9));
  auto lines = seen.lines();
  EXPECT_EQ(lines[3], "b ends");
  EXPECT_THAT((std::vector<std::string>{lines[4], lines[5]}), testing::UnorderedElementsAre("a ends", "c ends"));
  EXPECT_THAT((std::vector<std::string>{lines.begin() + 6, lines.end()}),
              ElementsAre("a starts", "b starts", "c starts"));
}

TEST_F(supervised, rest_for_one_leaves_those_started_before_alone) {
  start(restart_strategy::rest_for_one);
  for (const auto* name : {"a", "b", "c"})
    add(child(name));
  tell("b", "fail");
  ASSERT_TRUE(seen.wait_for(7));
  auto lines = seen.lines();
  EXPECT_THAT((std::vector<std::string>{lines.begin() + 3, lines.end()}),
              ElementsAre("b ends", "c ends", "b starts", "c starts"));
}

TEST_F(supervised, a_child_that_keeps_failing_is_parked_until_it_is_revived) {
  start(restart_strategy::one_for_one, 2);
  add(child("a"));
  for (std::size_t line = 1; line <= 5; line += 2) {
    ASSERT_TRUE(seen.wait_for(line)); // started
    tell("a", "fail");
    ASSERT_TRUE(seen.wait_for(line + 1)); // ended
  }
  auto state = ask<child_state>(inspect_child{"a"});
  for (int patience = 0; !state->parked && patience < 1000; ++patience) // its down message is on its way
    state = ask<child_state>(inspect_child{"a"});
  ASSERT_TRUE(state->parked);
  EXPECT_FALSE(state->actor);
  EXPECT_THAT(counts.page(), testing::HasSubstr("switchboard_actor_parked_total{kind=\"test\"} 1"));
  EXPECT_EQ(seen.lines().size(), 6U);

  ASSERT_TRUE(ask<child_state>(revive_child{"a"})->actor);
  EXPECT_EQ(seen.lines().back(), "a starts");
}

TEST_F(supervised, a_transient_child_that_ends_well_is_not_started_again) {
  start(restart_strategy::one_for_one);
  add(child("a", restart_policy::transient));
  tell("a", "end");
  ASSERT_TRUE(seen.wait_for(2));
  add(child("b")); // answered after a's end was looked at, or before: either way nothing starts
  EXPECT_THAT(seen.lines(), ElementsAre("a starts", "a ends", "b starts"));
}

TEST_F(supervised, a_permanent_child_that_ends_well_is_started_again) {
  start(restart_strategy::one_for_one);
  add(child("a"));
  tell("a", "end");
  ASSERT_TRUE(seen.wait_for(3));
  EXPECT_THAT(seen.lines(), ElementsAre("a starts", "a ends", "a starts"));
}

TEST_F(supervised, a_temporary_child_that_fails_is_not_started_again) {
  start(restart_strategy::one_for_all);
  add(child("a", restart_policy::temporary));
  add(child("b"));
  tell("a", "fail");
  ASSERT_TRUE(seen.wait_for_count("a ends", 1));
  tell("b", "fail"); // and its siblings' restarts don't bring it back
  ASSERT_TRUE(seen.wait_for_count("b starts", 2));
  EXPECT_THAT(seen.lines(), ElementsAre("a starts", "b starts", "a ends", "b ends", "b starts"));
}

TEST_F(supervised, a_parked_child_stays_so_when_its_siblings_restart) {
  start(restart_strategy::one_for_all, 0); // the first failure parks
  add(child("a"));
  add(child("b"));
  tell("a", "fail");
  ASSERT_TRUE(seen.wait_for_count("a ends", 1));
  auto state = ask<child_state>(inspect_child{"a"});
  for (int patience = 0; !state->parked && patience < 1000; ++patience) // its down message is on its way
    state = ask<child_state>(inspect_child{"a"});
  EXPECT_TRUE(state->parked);
  EXPECT_FALSE(ask<child_state>(inspect_child{"b"})->parked);
  EXPECT_THAT(seen.lines(), ElementsAre("a starts", "b starts", "a ends"));
}

/// Ends by what its handler throws.
class thrower final : public bounded_actor {
public:
  thrower(caf::actor_config& config, std::shared_ptr<actor_card> card, diary& seen)
      : bounded_actor(config, {}, std::move(card)) {
    seen.write("thrower starts");
    attach_functor([&seen] { seen.write("thrower ends"); });
  }
  caf::behavior make_behavior() override {
    return {[](int number) {
      if (number == 0)
        throw std::runtime_error("asked to fail");
      return number;
    }};
  }
};

TEST_F(supervised, a_child_whose_handler_throws_is_started_again_and_the_node_lives) {
  start(restart_strategy::one_for_one);
  add({"t", "test", restart_policy::permanent,
       [this]() -> expected<caf::actor> { return system.spawn<thrower>(all.enter("/test/t", "test", {}), seen); }});
  const auto first = ask<child_state>(inspect_child{"t"})->actor;
  caf::anon_send(first, 0);
  ASSERT_TRUE(seen.wait_for_count("thrower starts", 2));
  auto state = ask<child_state>(inspect_child{"t"});
  ASSERT_TRUE(state->actor);
  EXPECT_NE(state->actor, first);
  EXPECT_EQ(state->restarts, 1U);
  caf::scoped_actor self{system};
  int answer = 0;
  self->request(state->actor, 10s, 7).receive([&](int number) { answer = number; }, [](const caf::error&) {});
  EXPECT_EQ(answer, 7);
}

TEST_F(supervised, a_child_that_can_not_start_is_refused_with_its_reason) {
  start(restart_strategy::one_for_one);
  const auto added = ask<child_added>(add_child{{"a", "test", restart_policy::permanent, [] {
                                                   return expected<caf::actor>{errc::io_failed, "no port"};
                                                 }}});
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error(), (error{errc::io_failed, "no port"}));
  EXPECT_EQ(ask<child_state>(inspect_child{"a"}).error().code, errc::not_found);
}

TEST_F(supervised, stopping_ends_the_children_last_first) {
  start(restart_strategy::one_for_one);
  for (const auto* name : {"a", "b", "c"})
    add(child(name));
  ASSERT_TRUE(ask<children_stopped>(stop_children{}));
  auto lines = seen.lines();
  EXPECT_THAT((std::vector<std::string>{lines.begin() + 3, lines.end()}), ElementsAre("c ends", "b ends", "a ends"));
}

} // namespace
} // namespace switchboard::runtime
