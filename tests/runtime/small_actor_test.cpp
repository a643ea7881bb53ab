#include "runtime/small_actor.hpp"

#include <map>
#include <thread>

#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <gmock/gmock.h>

#include "tests/runtime/diary.hpp"

namespace switchboard::runtime {
namespace {

using testing::ElementsAre;

/// Stands at the gate with 0, throws at a negative number, and writes the others down.
class small final : public small_actor {
public:
  small(caf::actor_config& config, std::size_t user_max, gate& at, diary& seen)
      : small_actor(config, user_max, time_point{}), gate_(at), seen_(seen) {}
  label handler_label() const override { return {"/small", "small"}; }
  void on_exit() override { seen_.write("exit"); }

protected:
  void handle(caf::mailbox_element& what) override {
    if (!what.content().match_elements<int>())
      return;
    const auto number = what.content().get_as<int>(0);
    if (number == 0)
      return gate_.pass();
    if (number < 0)
      throw std::runtime_error("asked to fail");
    seen_.write(std::to_string(number));
    if (number == 99)
      quit();
  }
  void on_refused(caf::mailbox_element&) override { seen_.write("refused"); }

private:
  gate& gate_;
  diary& seen_;
};

struct small_actors : testing::Test {
  diary seen;
  gate at;
  caf::actor_system_config config;
  caf::actor_system system{config};

  caf::actor busy(std::size_t user_max = 1000) {
    auto made = system.spawn<small>(user_max, at, seen);
    caf::anon_send(made, 0);
    at.wait_until_entered();
    return made;
  }
  /// Waits for its end.
  caf::error reason_of(const caf::actor& who) {
    caf::scoped_actor self{system};
    self->monitor(who);
    caf::error why = caf::sec::request_timeout;
    self->receive([&](const caf::down_msg& down) { why = down.reason; }, caf::after(std::chrono::seconds{10}) >> [] {});
    return why;
  }
};

TEST_F(small_actors, do_what_is_sent_with_high_priority_first_and_each_lane_in_order) {
  const auto who = busy();
  for (int i = 1; i <= 3; ++i)
    caf::anon_send(who, i);
  for (int i = 11; i <= 13; ++i)
    caf::anon_send<caf::message_priority::high>(who, i);
  caf::anon_send(who, 99);
  at.let_go();
  EXPECT_EQ(reason_of(who), caf::exit_reason::normal);
  EXPECT_THAT(seen.lines(), ElementsAre("11", "12", "13", "1", "2", "3", "99", "exit"));
}

TEST_F(small_actors, refuse_what_finds_the_user_lane_full_and_nothing_of_high_priority) {
  const auto who = busy(2); // the one at the gate is counted
  for (int i = 1; i <= 3; ++i)
    caf::anon_send(who, i);
  for (int i = 11; i <= 13; ++i)
    caf::anon_send<caf::message_priority::high>(who, i);
  const auto& counts = static_cast<small*>(caf::actor_cast<caf::abstract_actor*>(who))->counts();
  EXPECT_EQ(counts.mailbox, 2);
  at.let_go();
  EXPECT_TRUE(seen.wait_for_count("1", 1));
  EXPECT_THAT(seen.lines(), ElementsAre("refused", "refused", "11", "12", "13", "1"));
  caf::anon_send(who, 99);
  reason_of(who);
  EXPECT_EQ(counts.mailbox, 0);
  EXPECT_EQ(counts.handled, 6U);
}

TEST_F(small_actors, end_by_an_exit_message_by_themselves_or_by_an_exception) {
  const auto exits = busy();
  at.let_go();
  caf::anon_send_exit(exits, caf::exit_reason::user_shutdown);
  EXPECT_EQ(reason_of(exits), caf::exit_reason::normal);
  const auto fails = system.spawn<small>(10U, at, seen);
  caf::anon_send(fails, -1);
  EXPECT_EQ(reason_of(fails), caf::exit_reason::normal);
  caf::anon_send(fails, 1); // to nobody
  EXPECT_THAT(seen.lines(), ElementsAre("exit", "exit"));
}

TEST_F(small_actors, answer_requests_with_an_error_alive_or_not) {
  const auto ask = [&](const caf::actor& who) {
    caf::error why;
    caf::scoped_actor self{system};
    self->request(who, std::chrono::seconds{10}, 1).receive([] {}, [&](const caf::error& no) { why = no; });
    return why;
  };
  const auto who = system.spawn<small>(10U, at, seen);
  EXPECT_EQ(ask(who), caf::sec::request_receiver_down);
  caf::anon_send(who, 99);
  reason_of(who);
  EXPECT_EQ(ask(who), caf::sec::request_receiver_down);
  EXPECT_THAT(seen.lines(), ElementsAre("99", "exit"));
}

TEST_F(small_actors, lose_nothing_that_many_threads_send_at_once) {
  constexpr int senders = 4, each = 20'000;
  const auto who = system.spawn<small>(std::size_t{senders} * each + 10, at, seen);
  std::vector<std::thread> threads;
  for (int sender = 1; sender <= senders; ++sender)
    threads.emplace_back([&, sender] {
      for (int i = 0; i < each; ++i)
        if (i % 2)
          caf::anon_send(who, sender * 1'000'000 + i);
        else
          caf::anon_send<caf::message_priority::high>(who, sender * 1'000'000 + i);
    });
  for (auto& thread : threads)
    thread.join();
  EXPECT_TRUE(seen.wait_for(std::size_t{senders} * each));
  std::map<int, int> last; // by sender and lane
  for (const auto& line : seen.lines()) {
    const auto number = std::stoi(line);
    auto& before = last[number / 1'000'000 * 2 + number % 2];
    EXPECT_LT(before, number);
    before = number;
  }
  EXPECT_EQ(seen.lines().size(), std::size_t{senders} * each);
}

TEST_F(small_actors, are_gone_with_their_last_reference_if_nobody_told_them_anything) {
  { const auto who = system.spawn<small>(10U, at, seen); }
  EXPECT_THAT(seen.lines(), ElementsAre("exit"));
}

} // namespace
} // namespace switchboard::runtime
