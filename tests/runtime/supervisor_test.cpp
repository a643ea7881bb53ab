#include "runtime/supervisor.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <gmock/gmock.h>

#include "broker/errors.hpp"
#include "runtime/bounded_actor.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

/// What happened, in order; tests wait for a line instead of sleeping.
class diary {
public:
  void write(std::string line) {
    const std::lock_guard hold{mutex_};
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }
  bool wait_for(std::size_t count) {
    std::unique_lock hold{mutex_};
    return changed_.wait_for(hold, 10s, [&] { return lines_.size() >= count; });
  }
  std::vector<std::string> lines() {
    const std::lock_guard hold{mutex_};
    return lines_;
  }
  bool wait_for_count(std::string_view line, std::ptrdiff_t wanted) {
    std::unique_lock hold{mutex_};
    return changed_.wait_for(hold, 10s, [&] { return std::count(lines_.begin(), lines_.end(), line) >= wanted; });
  }
  /// Whoever started has ended, to its last word: the supervisor's down message comes before that.
  bool wait_for_all_ends() {
    const auto count = [this](std::string_view what) {
      return std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) { return line.ends_with(what); });
    };
    std::unique_lock hold{mutex_};
    return changed_.wait_for(hold, 10s, [&] { return count(" ends") == count(" starts"); });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
};

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

// -- bounded mailboxes ------------------------------------------------------------------------------------------------

struct gate {
  std::mutex mutex;
  std::condition_variable opened;
  bool entered = false, open = false;
  void pass() {
    std::unique_lock hold{mutex};
    entered = true;
    opened.notify_all();
    opened.wait(hold, [this] { return open; });
  }
  void wait_until_entered() {
    std::unique_lock hold{mutex};
    opened.wait(hold, [this] { return entered; });
  }
  void let_go() {
    const std::lock_guard hold{mutex};
    open = true;
    opened.notify_all();
  }
};

/// Stands at the gate with its first message; counts the others.
class slow final : public bounded_actor {
public:
  slow(caf::actor_config& config, lane_policy policy, std::shared_ptr<actor_card> card, gate& at, diary& seen)
      : bounded_actor(config, policy, std::move(card)), gate_(at), seen_(seen) {}
  caf::behavior make_behavior() override {
    return {[this](int number) {
              if (number == 0)
                gate_.pass();
              else
                seen_.write(std::to_string(number));
              return number;
            },
            [this](const std::string& text) { seen_.write(text); }};
  }

protected:
  void on_refused(caf::mailbox_element&) override { seen_.write("refused"); }

private:
  gate& gate_;
  diary& seen_;
};

struct bounded : supervised {
  gate at;
  std::shared_ptr<actor_card> card = all.enter("/slow", "slow", {});

  caf::actor busy(mailbox_overflow when_full) {
    auto made = system.spawn<slow>(lane_policy{2, when_full}, card, at, seen);
    caf::anon_send(made, 0);
    at.wait_until_entered(); // its one message is at work, and counts until it is done
    return made;
  }
};

TEST_F(bounded, a_request_that_finds_the_lane_full_is_answered_at_once) {
  const auto who = busy(mailbox_overflow::reject);
  caf::anon_send(who, 1);
  caf::scoped_actor self{system};
  error refusal;
  self->request(who, 10s, 2).receive([](int) {}, [&](const caf::error& why) { refusal = broker::from_caf(why); });
  EXPECT_EQ(refusal.code, errc::unavailable);
  EXPECT_EQ(card->mailbox, 2);
  at.let_go();
  EXPECT_TRUE(end(who));
  EXPECT_THAT(seen.lines(), ElementsAre("1"));
  EXPECT_EQ(card->mailbox, 0);
}

TEST_F(bounded, a_message_too_many_is_refused_or_dropped_as_the_policy_says) {
  for (const auto policy : {mailbox_overflow::reject, mailbox_overflow::drop_new}) {
    gate fresh;
    auto made = system.spawn<slow>(lane_policy{2, policy}, all.enter("/slow", "slow", {}), fresh, seen);
    caf::anon_send(made, 0);
    fresh.wait_until_entered();
    caf::anon_send(made, 1);
    caf::anon_send(made, 2); // full
    const auto refused = seen.lines();
    EXPECT_EQ(std::count(refused.begin(), refused.end(), "refused"), 1); // from the first round only
    fresh.let_go();
    EXPECT_TRUE(end(made));
  }
}

TEST_F(bounded, the_control_lane_is_never_full) {
  const auto who = busy(mailbox_overflow::reject);
  for (int flood = 0; flood < 100; ++flood)
    caf::anon_send(who, 5);
  for (int message = 0; message < 100; ++message)
    caf::anon_send<caf::message_priority::high>(who, std::string{"control"});
  at.let_go();
  // CAF takes turns between urgent messages and the exit message: wait for the last of the former.
  EXPECT_TRUE(seen.wait_for_count("control", 100));
  EXPECT_TRUE(end(who)); // and so did the exit message come through
  const auto lines = seen.lines();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "control"), 100);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "refused"), 99);
}

} // namespace
} // namespace switchboard::runtime
