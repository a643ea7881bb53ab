#include "store/elision.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

std::vector<bool> skipped(const std::vector<batch>& batches) {
  std::vector<std::span<const batch::operation>> group;
  for (const auto& one : batches)
    group.emplace_back(one.operations());
  return elide(group).skipped;
}

template <class Fill>
batch filled(Fill fill) {
  batch made;
  fill(made);
  return made;
}

TEST(elision, a_message_taken_in_its_own_group_is_never_written) {
  const auto put = filled([](batch& b) {
    b.put_message(1, 5, text_message("a"));
    b.put_message(1, 6, text_message("b"));
    b.put_message(2, 5, text_message("c"));
  });
  const auto taken = filled([](batch& b) {
    b.delete_message(1, 5);
    b.delete_message(1, 4); // of an earlier group
  });
  EXPECT_EQ(skipped({put, taken}), (std::vector<bool>{true, false, false, true, false}));
  EXPECT_EQ(skipped({taken, put}), (std::vector<bool>{false, false, false, false, false}));
}

TEST(elision, what_a_purge_follows_is_never_written) {
  const auto group = filled([](batch& b) {
    b.put_message(1, 5, text_message("a"));
    b.delete_message(1, 2);
    b.put_message(2, 6, text_message("other queue"));
    b.delete_queue_messages(1);
    b.put_message(1, 7, text_message("after"));
  });
  EXPECT_EQ(skipped({group}), (std::vector<bool>{true, true, false, false, false}));
  EXPECT_EQ(skipped({group, filled([](batch& b) { b.delete_queue_messages(1); })}),
            (std::vector<bool>{true, true, false, true, true, false}));
}

TEST(elision, an_outbox_number_is_no_message_position) {
  const auto group = filled([](batch& b) {
    b.put_outbox({5, 0, "a"});
    b.put_message(5, 5, text_message("a"));
    b.put_outbox({6, 0, "b"});
    b.delete_outbox(5);
  });
  EXPECT_EQ(skipped({group}), (std::vector<bool>{true, false, false, true}));
}

TEST(elision, only_the_last_state_of_an_entity_is_written) {
  const auto group = filled([](batch& b) {
    b.put_entity(an_entity("c1", 1, "first"));
    b.put_entity(an_entity("c2", 1));
    b.put_entity(an_entity("c1", 1, "second"));
    b.put_topology("queue/c1", "1");
    b.put_topology("queue/c1", "2");
  });
  EXPECT_EQ(skipped({group}), (std::vector<bool>{true, false, false, true, false}));
}

TEST(elision, a_deletion_is_kept_for_what_is_on_disk) {
  const auto group = filled([](batch& b) {
    b.put_entity(an_entity("c1", 1));
    b.delete_entity("call", "c1");
    b.put_timer(a_timer("ring", 1));
    b.delete_timer("call", "c1", "ring");
  });
  EXPECT_EQ(skipped({group}), (std::vector<bool>{true, false, true, false}));
}

TEST(elision, deleting_all_timers_leaves_those_armed_afterwards) {
  const auto group = filled([](batch& b) {
    b.put_timer(a_timer("ring", 1));
    b.put_timer(a_timer("ring", 1, "c12"));
    b.delete_timer("call", "c1", "hold");
    b.delete_timers("call", "c1");
    b.put_timer(a_timer("wrap_up", 2));
  });
  EXPECT_EQ(skipped({group}), (std::vector<bool>{true, false, true, false, false}));
}

TEST(elision, history_is_never_skipped) {
  const auto group = filled([](batch& b) {
    b.append_journal(a_line("c1", 1, 1));
    b.append_journal(a_line("c1", 1, 1));
    b.delete_entity("call", "c1");
  });
  EXPECT_EQ(skipped({group}), (std::vector<bool>{false, false, false}));
}

/// What would stand in the tables: the plainest reading of each operation.
struct naive_tables {
  std::map<std::pair<queue_number, position>, std::string> messages;
  std::map<std::string, std::string> entities;
  std::map<std::pair<std::string, std::string>, std::int64_t> timers;
  std::set<std::uint64_t> outbox;

  void operator()(const batch::message_put& op) { messages[{op.queue, op.at}] = op.message->body(); }
  void operator()(const batch::message_delete& op) { messages.erase({op.queue, op.at}); }
  void operator()(const batch::queue_delete& op) {
    std::erase_if(messages, [&](const auto& one) { return one.first.first == op.queue; });
  }
  void operator()(const entity_record& op) { entities[op.id] = op.state; }
  void operator()(const batch::entity_delete& op) { entities.erase(op.id); }
  void operator()(const timer_record& op) { timers[{op.id, op.name}] = op.due.time_since_epoch().count(); }
  void operator()(const batch::timer_delete& op) { timers.erase({op.id, op.name}); }
  void operator()(const batch::timers_delete& op) {
    std::erase_if(timers, [&](const auto& one) { return one.first.first == op.id; });
  }
  void operator()(const outbox_record& op) { outbox.insert(op.number); }
  void operator()(const batch::outbox_delete& op) { outbox.erase(op.number); }
  template <class Other>
  void operator()(const Other&) {}

  friend bool operator==(const naive_tables&, const naive_tables&) = default;
};

/// Random traffic in which positions and numbers are put once, as the contract says.
batch random_batch(std::mt19937& dice, position& next) {
  const auto roll = [&](std::uint64_t sides) { return std::uint64_t{dice()} % sides; };
  const auto name = [&] { return std::string(1, static_cast<char>('a' + roll(3))); };
  batch made;
  for (auto left = roll(12); left > 0; --left)
    switch (roll(10)) {
    case 0:
    case 1:
      made.put_message(1 + next % 3, next, text_message(std::to_string(next))), ++next;
      break;
    case 2:
    case 3:
      if (const auto at = next - roll(8); at > 0)
        made.delete_message(1 + at % 3, at);
      break;
    case 4:
      if (roll(4) == 0)
        made.delete_queue_messages(1 + roll(3));
      break;
    case 5:
      made.put_entity(an_entity(name(), 1, std::to_string(dice())));
      break;
    case 6:
      made.delete_entity("call", name());
      break;
    case 7:
      made.put_timer(a_timer(name(), static_cast<std::int64_t>(roll(1000)), name()));
      break;
    case 8:
      roll(3) == 0 ? made.delete_timers("call", name()) : made.delete_timer("call", name(), name());
      break;
    case 9:
      made.put_outbox({next, 0, ""}), ++next;
      if (roll(2) == 0)
        made.delete_outbox(next - 1 - roll(5));
      break;
    }
  return made;
}

TEST(elision, leaves_the_same_tables_as_doing_everything) {
  std::mt19937 dice{20260120};
  std::size_t all_skipped = 0;
  for (int round = 0; round < 300; ++round) {
    naive_tables everything, without;
    position next = 10;
    for (int group = 0; group < 5; ++group) {
      std::vector<batch> batches;
      std::vector<std::span<const batch::operation>> parts;
      for (int i = 0; i < 4; ++i)
        batches.push_back(random_batch(dice, next));
      for (const auto& one : batches)
        parts.emplace_back(one.operations());
      const auto plan = elide(parts);
      std::size_t index = 0;
      for (const auto& one : batches)
        for (const auto& what : one.operations()) {
          std::visit(everything, what);
          if (!plan.skipped[index])
            std::visit(without, what);
          all_skipped += plan.skipped[index++];
        }
      ASSERT_EQ(everything, without) << "round " << round << " group " << group;
    }
  }
  EXPECT_GT(all_skipped, 3000u);
}

} // namespace
} // namespace switchboard::store
