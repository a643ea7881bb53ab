#include "runtime/bounded_actor.hpp"

#include <thread>

#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <gmock/gmock.h>

#include "broker/errors.hpp"
#include "runtime/actor_threads.hpp"
#include "tests/runtime/diary.hpp"

namespace switchboard::runtime {
namespace {

using testing::ElementsAre;

/// Stands at the gate with its first message; writes the others down.
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
              if (number < 0)
                throw std::runtime_error("asked to fail");
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

struct bounded : testing::Test {
  diary seen;
  gate at;
  directory all;
  std::shared_ptr<actor_card> card = all.enter("/slow", "slow", {});
  struct hooked : caf::actor_system_config {
    hooked() { add_thread_hook<actor_thread_hook>(); }
  } config;
  caf::actor_system system{config};

  /// An actor with room for two that stands at the gate with its first message.
  caf::actor busy(mailbox_overflow when_full, milliseconds wait_max = 10s) {
    auto made = system.spawn<slow>(lane_policy{2, when_full, wait_max}, card, at, seen);
    caf::anon_send(made, 0);
    at.wait_until_entered();
    return made;
  }

  /// Ends it once all sent before is handled; the reason it ended with.
  error end(const caf::actor& who) {
    caf::scoped_actor self{system};
    self->monitor(who);
    caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
    error why{errc::timed_out, "it did not end"};
    self->receive([&](const caf::down_msg& down) { why = broker::from_caf(down.reason); }, caf::after(10s) >> [] {});
    return why;
  }
  bool ends(const caf::actor& who) { return end(who).code != errc::timed_out; }

  /// What a request is answered with while the gate is closed.
  errc refusal(const caf::actor& who, int number) {
    caf::scoped_actor self{system};
    auto why = errc::timed_out;
    self->request(who, 10s, number)
        .receive([&](int) { why = errc::not_implemented; },
                 [&](const caf::error& no) { why = broker::from_caf(no).code; });
    return why;
  }

  std::ptrdiff_t count(std::string_view line) {
    const auto lines = seen.lines();
    return std::count(lines.begin(), lines.end(), line);
  }
};

TEST_F(bounded, a_request_that_finds_the_lane_full_is_answered_at_once) {
  const auto who = busy(mailbox_overflow::reject);
  caf::anon_send(who, 1);
  EXPECT_EQ(refusal(who, 2), errc::unavailable);
  EXPECT_EQ(card->mailbox, 2); // with the one at work
  at.let_go();
  EXPECT_TRUE(ends(who));
  EXPECT_THAT(seen.lines(), ElementsAre("1"));
  EXPECT_EQ(card->mailbox, 0);
}

TEST_F(bounded, reject_tells_the_sender_and_drop_new_nobody) {
  for (const auto policy : {mailbox_overflow::reject, mailbox_overflow::drop_new}) {
    gate fresh;
    auto made = system.spawn<slow>(lane_policy{2, policy}, all.enter("/slow", "slow", {}), fresh, seen);
    caf::anon_send(made, 0);
    fresh.wait_until_entered();
    caf::anon_send(made, 1);
    caf::anon_send(made, 2);        // full
    EXPECT_EQ(count("refused"), 1); // from the first round only
    EXPECT_EQ(refusal(made, 3), errc::unavailable);
    fresh.let_go();
    EXPECT_TRUE(ends(made));
  }
  EXPECT_EQ(count("2"), 0);
}

TEST_F(bounded, drop_old_keeps_the_newest_in_order) {
  const auto who = busy(mailbox_overflow::drop_old);
  for (int number = 1; number <= 1000; ++number)
    caf::anon_send(who, number);
  EXPECT_EQ(card->mailbox, 2);
  at.let_go();
  ASSERT_TRUE(seen.wait_for(2));
  EXPECT_TRUE(ends(who));
  EXPECT_THAT(seen.lines(), ElementsAre("999", "1000"));
  EXPECT_EQ(card->mailbox, 0);
}

TEST_F(bounded, drop_old_answers_the_request_it_throws_away) {
  const auto who = busy(mailbox_overflow::drop_old);
  caf::scoped_actor self{system};
  auto oldest = self->request(who, 10s, 1);
  caf::anon_send(who, 2);
  caf::anon_send(who, 3); // takes the place of the request
  auto why = errc::not_implemented;
  oldest.receive([](int) {}, [&](const caf::error& no) { why = broker::from_caf(no).code; });
  EXPECT_EQ(why, errc::unavailable);
  at.let_go();
  ASSERT_TRUE(seen.wait_for(2));
  EXPECT_TRUE(ends(who));
  EXPECT_THAT(seen.lines(), ElementsAre("2", "3"));
}

TEST_F(bounded, drop_old_answers_what_waits_when_the_actor_ends) {
  const auto who = busy(mailbox_overflow::drop_old);
  caf::scoped_actor self{system};
  caf::anon_send(who, -1); // ends it
  auto asked = self->request(who, 10s, 1);
  at.let_go();
  auto why = errc::not_implemented;
  asked.receive([](int) {}, [&](const caf::error& no) { why = broker::from_caf(no).code; });
  EXPECT_EQ(why, errc::unavailable);
  EXPECT_EQ(refusal(who, 2), errc::unavailable); // and so does one that has ended
}

TEST_F(bounded, drop_old_serves_requests_of_many_senders_all_answered) {
  gate open;
  open.let_go();
  auto who = system.spawn<slow>(lane_policy{8, mailbox_overflow::drop_old}, card, open, seen);
  constexpr int threads = 4, each = 2000;
  std::atomic<int> answered{0}, refused{0};
  std::vector<std::thread> senders;
  for (int t = 0; t < threads; ++t)
    senders.emplace_back([&] {
      caf::scoped_actor self{system};
      std::vector<decltype(self->request(who, 30s, 1))> asked;
      for (int i = 0; i < each; ++i)
        asked.push_back(self->request(who, 30s, 0));
      for (auto& one : asked)
        one.receive([&](int) { ++answered; },
                    [&](const caf::error& why) {
                      if (broker::from_caf(why).code == errc::unavailable)
                        ++refused;
                    });
    });
  for (auto& one : senders)
    one.join();
  EXPECT_EQ(answered + refused, threads * each);
  EXPECT_GT(answered, 0);
  EXPECT_TRUE(ends(who));
}

TEST_F(bounded, block_makes_a_thread_of_its_own_wait_until_there_is_room) {
  const auto who = busy(mailbox_overflow::block);
  caf::anon_send(who, 1);
  std::atomic<bool> through{false};
  std::thread sender{[&] {
    caf::anon_send(who, 2);
    through = true;
    seen.write("sent");
  }};
  EXPECT_FALSE(through);
  at.let_go();
  EXPECT_TRUE(seen.wait_for_count("2", 1));
  sender.join();
  EXPECT_TRUE(through);
  EXPECT_EQ(count("refused"), 0);
  EXPECT_TRUE(ends(who));
}

TEST_F(bounded, block_has_a_bound_in_time) {
  const auto who = busy(mailbox_overflow::block, 30ms);
  caf::anon_send(who, 1);
  const auto began = std::chrono::steady_clock::now();
  caf::anon_send(who, 2);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 30ms);
  EXPECT_EQ(count("refused"), 1);
  at.let_go();
  EXPECT_TRUE(ends(who));
}

TEST_F(bounded, block_never_holds_a_thread_that_runs_actors) {
  const auto who = busy(mailbox_overflow::block);
  caf::anon_send(who, 1);
  // anon_send() names no execution unit: only the mark of the thread tells.
  system.spawn([&](caf::event_based_actor* self) {
    caf::anon_send(who, 2);
    seen.write("worker through");
    self->send(who, 3);
    seen.write("actor through");
  });
  EXPECT_TRUE(seen.wait_for(4));
  EXPECT_THAT(seen.lines(), ElementsAre("refused", "worker through", "refused", "actor through"));
  at.let_go();
  EXPECT_TRUE(ends(who));
}

TEST_F(bounded, block_lets_go_of_whoever_waits_for_an_actor_that_ends) {
  const auto who = busy(mailbox_overflow::block);
  caf::anon_send(who, 1);
  auto why = errc::not_implemented;
  std::thread sender{[&] { why = refusal(who, 2); }};
  caf::anon_send_exit(who, caf::exit_reason::user_shutdown);
  at.let_go();
  sender.join();
  EXPECT_THAT(why, testing::AnyOf(errc::unavailable, errc::not_implemented)); // ended, or it came before the end
  EXPECT_TRUE(ends(who));
}

TEST_F(bounded, stop_ends_the_actor_as_unavailable) {
  const auto who = busy(mailbox_overflow::stop);
  caf::scoped_actor self{system};
  self->monitor(who);
  caf::anon_send(who, 1);
  EXPECT_EQ(refusal(who, 2), errc::unavailable);
  caf::anon_send(who, 3);
  EXPECT_EQ(count("refused"), 1);
  at.let_go();
  error why;
  self->receive([&](const caf::down_msg& down) { why = broker::from_caf(down.reason); }, caf::after(10s) >> [] {});
  EXPECT_EQ(why.code, errc::unavailable);
  EXPECT_EQ(why.what, "/slow has too much to do");
}

TEST_F(bounded, the_control_lane_is_never_full_whatever_the_policy) {
  for (const auto policy : {mailbox_overflow::reject, mailbox_overflow::drop_new, mailbox_overflow::drop_old,
                            mailbox_overflow::block, mailbox_overflow::stop}) {
    diary here;
    gate fresh;
    auto who = system.spawn<slow>(lane_policy{2, policy, 1ms}, all.enter("/slow", "slow", {}), fresh, here);
    caf::anon_send(who, 0);
    fresh.wait_until_entered();
    for (int flood = 0; flood < 20; ++flood)
      caf::anon_send(who, 5);
    for (int message = 0; message < 100; ++message)
      caf::anon_send<caf::message_priority::high>(who, std::string{"control"});
    fresh.let_go();
    // Under `stop` the exit message came before them, and CAF takes turns among urgent messages.
    if (policy != mailbox_overflow::stop) {
      EXPECT_TRUE(here.wait_for_count("control", 100)) << static_cast<int>(policy);
    }
    EXPECT_TRUE(ends(who)); // and so did the exit message come through
    const auto lines = here.lines();
    const auto refused = std::count(lines.begin(), lines.end(), "refused");
    const bool tells = policy != mailbox_overflow::drop_new && policy != mailbox_overflow::drop_old;
    EXPECT_EQ(refused, tells ? 19 : 0) << static_cast<int>(policy);
  }
}

TEST_F(bounded, a_request_whose_handler_throws_is_answered_and_the_actor_ends_with_the_reason) {
  gate open;
  auto who = system.spawn<slow>(lane_policy{}, card, open, seen);
  caf::scoped_actor self{system};
  self->monitor(who);
  EXPECT_EQ(refusal(who, -1), errc::internal);
  error why;
  self->receive([&](const caf::down_msg& down) { why = broker::from_caf(down.reason); }, caf::after(10s) >> [] {});
  EXPECT_EQ(why, (error{errc::internal, "/slow: asked to fail"}));
}

} // namespace
} // namespace switchboard::runtime
