#include "bridges/amqp/amqp_unacked.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bridges/amqp/amqp_channel.hpp"
#include "bridges/amqp/amqp_confirms.hpp"

namespace switchboard::amqp {
namespace {

struct range {
  const consumer* from;
  broker::delivery_number first, last;
  friend bool operator==(const range&, const range&) = default;
};

class delivery_tags : public testing::Test {
protected:
  std::vector<range> take(std::uint64_t tag, bool multiple) {
    std::vector<settled_range> out;
    known = tags.take(tag, multiple, out);
    std::vector<range> result;
    for (const auto& at : out)
      result.push_back({at.from, at.first, at.last});
    return result;
  }
  unacked tags;
  consumer x, y;
  bool known = false;
};

TEST_F(delivery_tags, count_up_from_one_with_and_without_acks) {
  EXPECT_EQ(tags.add(nullptr, 1), 1u);
  EXPECT_EQ(tags.add(&x, 1), 2u);
  EXPECT_EQ(tags.add(nullptr, 2), 3u);
  EXPECT_EQ(tags.size(), 1u);
}

TEST_F(delivery_tags, settle_as_ranges_per_consumer_in_tag_order) {
  tags.add(&x, 1);
  tags.add(&x, 2);
  tags.add(&y, 1);
  tags.add(&x, 3);
  EXPECT_THAT(take(0, true), testing::ElementsAre(range{&x, 1, 2}, range{&y, 1, 1}, range{&x, 3, 3}));
  EXPECT_EQ(tags.size(), 0u);
}

TEST_F(delivery_tags, are_unknown_when_settled_never_sent_or_of_a_no_ack_delivery) {
  tags.add(&x, 1);
  tags.add(nullptr, 1);
  tags.add(&x, 2);
  take(1, false);
  EXPECT_TRUE(known);
  for (const std::uint64_t tag : {0u, 1u, 2u, 9u}) {
    take(tag, false);
    EXPECT_FALSE(known) << tag;
  }
  take(9, true);
  EXPECT_FALSE(known);
  EXPECT_THAT(take(3, true), testing::ElementsAre(range{&x, 2, 2}));
  take(0, true); // all of nothing is fine
  EXPECT_TRUE(known);
}

TEST_F(delivery_tags, of_a_multiple_ack_must_be_out_too) {
  tags.add(&x, 1);
  tags.add(&x, 2);
  take(2, false);
  EXPECT_THAT(take(2, true), testing::IsEmpty());
  EXPECT_FALSE(known);
  EXPECT_EQ(tags.size(), 1u);
}

TEST_F(delivery_tags, held_by_a_transaction_are_unknown_until_it_ends) {
  for (broker::delivery_number number = 1; number <= 4; ++number)
    tags.add(&x, number);
  EXPECT_TRUE(tags.hold(3, false, 1));
  EXPECT_FALSE(tags.hold(3, false, 2));
  EXPECT_FALSE(tags.hold(3, true, 2));
  EXPECT_TRUE(tags.hold(4, true, 2)); // 1, 2 and 4
  EXPECT_EQ(tags.size(), 4u);
  std::vector<settled_range> out;
  std::vector<std::pair<std::uint32_t, std::size_t>> ends;
  tags.take_held(out, [&](std::uint32_t number) { ends.emplace_back(number, out.size()); });
  EXPECT_THAT(ends, testing::ElementsAre(std::pair{1u, std::size_t{1}}, std::pair{2u, std::size_t{3}}));
  EXPECT_EQ(out[0].first, 3u);
  EXPECT_EQ(tags.size(), 0u);
}

TEST_F(delivery_tags, held_by_a_transaction_that_is_rolled_back_are_out_again) {
  tags.add(&x, 1);
  tags.add(&x, 2);
  EXPECT_TRUE(tags.hold(0, true, 1));
  EXPECT_THAT(take(0, true), testing::IsEmpty());
  tags.give_back_held();
  EXPECT_THAT(take(0, true), testing::ElementsAre(range{&x, 1, 2}));
}

TEST_F(delivery_tags, are_found_among_any_settled_before_while_one_is_never_settled) {
  constexpr std::uint64_t many = 5000;
  for (std::uint64_t number = 1; number <= many; ++number)
    tags.add(&x, number);
  for (std::uint64_t tag = 2; tag <= many; tag += 2) { // every other one, so that gaps are closed up on the way
    EXPECT_THAT(take(tag, false), testing::ElementsAre(range{&x, tag, tag}));
    take(tag, false);
    EXPECT_FALSE(known) << tag;
  }
  EXPECT_EQ(tags.size(), many / 2);
  for (std::uint64_t tag = 3; tag <= many; tag += 2)
    EXPECT_THAT(take(tag, false), testing::ElementsAre(range{&x, tag, tag}));
  EXPECT_EQ(tags.add(&y, 1), many + 1);
  EXPECT_THAT(take(many + 1, true), testing::ElementsAre(range{&x, 1, 1}, range{&y, 1, 1}));
}

TEST(publish_batches, forget_a_channel_but_not_what_it_waits_for) {
  confirms batches;
  std::vector<std::uint64_t> acked;
  const auto first = batches.next_token();
  batches.open(1, 100, {{1, 10, {}, false}, {2, 3, {}, false}}, {});
  batches.forget(1);
  batches.finish([&](const confirms::mark& at) { acked.push_back(at.up_to); });
  EXPECT_EQ(batches.bytes(), 100u);
  batches.step(first);
  batches.finish([&](const confirms::mark& at) { acked.push_back(at.up_to); });
  EXPECT_THAT(acked, testing::ElementsAre(3u));
}

TEST(publish_batches, finish_in_order_whatever_order_their_parts_come_in) {
  confirms batches;
  std::vector<std::uint64_t> acked;
  const auto finish = [&] { batches.finish([&](const confirms::mark& at) { acked.push_back(at.up_to); }); };
  const auto first = batches.next_token();
  batches.open(2, 100, {{1, 10, {}, false}}, {});
  const auto second = batches.next_token();
  batches.open(1, 50, {{1, 20, {}, false}, {2, 5, {}, false}}, {});
  EXPECT_EQ(batches.bytes(), 150u);
  batches.step(second);
  finish();
  EXPECT_THAT(acked, testing::IsEmpty());
  batches.step(first);
  batches.step(first);
  batches.step(first); // once too often: ignored
  finish();
  EXPECT_THAT(acked, testing::ElementsAre(10u, 20u, 5u));
  EXPECT_EQ(batches.bytes(), 0u);
  EXPECT_TRUE(batches.empty());
}

TEST(amqp_confirms, find_what_a_full_queue_refused) {
  confirms batches;
  // Channel 1 published numbers 8, 9, 10, then channel 2 its 3, then channel 1 its 11.
  batches.open(2, 100, {{1, 11, {}, false}, {2, 3, {}, false}}, {{0, 1, 8}, {3, 2, 3}, {4, 1, 11}});
  batches.refuse(1, {1, 3});
  batches.refuse(1, {4, 1}); // another queue
  batches.refuse(7, {0});    // no such batch
  batches.step(1);
  batches.step(1);
  std::vector<std::pair<int, std::vector<std::uint64_t>>> refused;
  batches.finish([&](const confirms::mark& at) { refused.emplace_back(at.channel, at.refused); });
  EXPECT_EQ(refused, (std::vector<std::pair<int, std::vector<std::uint64_t>>>{{1, {9, 11}}, {2, {3}}}));
}

TEST(amqp_confirms, refuse_a_publish_once_though_its_channel_has_several_marks) {
  confirms batches;
  batches.open(1, 100, {{1, 1, {}, false}, {2, 1, {}, false}, {1, 2, {}, false}}, {{0, 1, 1}, {1, 2, 1}, {2, 1, 2}});
  batches.refuse(1, {0});
  batches.step(1);
  std::vector<std::size_t> refused;
  batches.finish([&](const confirms::mark& at) { refused.push_back(at.refused.size()); });
  EXPECT_THAT(refused, testing::ElementsAre(1, 0, 0));
}

TEST(amqp_confirms, tell_a_commit_that_part_of_it_was_refused) {
  confirms batches;
  batches.open(1, 100, {{1, 0, {}, true}}, {{0, 1, 0}});
  batches.refuse(1, {2});
  batches.step(1);
  bool failed = false;
  batches.finish([&](const confirms::mark& at) { failed = at.commit && !at.refused.empty(); });
  EXPECT_TRUE(failed);
}

TEST(unacked, says_when_something_has_been_out_for_too_long) {
  using namespace std::chrono_literals;
  consumer to;
  unacked all;
  std::vector<settled_range> taken;
  std::chrono::steady_clock::time_point now{};
  EXPECT_FALSE(all.overdue(now, 100ms)); // nothing is out
  const auto first = all.add(&to, 1);
  EXPECT_FALSE(all.overdue(now += 1000ms, 100ms)); // seen for the first time
  const auto second = all.add(&to, 2);
  EXPECT_FALSE(all.overdue(now += 60ms, 100ms));
  ASSERT_TRUE(all.take(first, false, taken));
  EXPECT_FALSE(all.overdue(now += 60ms, 100ms)); // the second is 60 ms old
  all.add(&to, 3);
  EXPECT_TRUE(all.overdue(now += 60ms, 100ms));
  ASSERT_TRUE(all.take(second, false, taken));
  EXPECT_FALSE(all.overdue(now, 100ms)); // the third was seen only now
  all.take_all(taken);
  EXPECT_FALSE(all.overdue(now += 1000ms, 100ms));
}

TEST(unacked, keeps_as_many_looks_as_fit_into_the_limit) {
  using namespace std::chrono_literals;
  consumer to;
  unacked all;
  std::vector<settled_range> taken;
  std::chrono::steady_clock::time_point now{};
  for (int i = 0; i < 1000; ++i) { // steady traffic, each acknowledged one look later
    const auto tag = all.add(&to, static_cast<broker::delivery_number>(i));
    if (tag > 1) {
      ASSERT_TRUE(all.take(tag - 1, false, taken));
    }
    ASSERT_FALSE(all.overdue(now += 60ms, 100ms)) << i;
  }
}

} // namespace
} // namespace switchboard::amqp
