#include "broker/message_queue.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchboard::broker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

message_ptr text(const std::string& body) { return make_message("", "q", std::string(2, '\0'), body, false); }

struct taken {
  message_queue::consumer_id to;
  delivery_number number;
  std::string body;
  bool redelivered;
  friend bool operator==(const taken&, const taken&) = default;
};
void PrintTo(const taken& what, std::ostream* out) {
  *out << what.to << '#' << what.number << ' ' << what.body << (what.redelivered ? " again" : "");
}

class a_message_queue : public testing::Test {
protected:
  void put(std::initializer_list<const char*> bodies, position first = 0) {
    for (const auto* body : bodies) {
      queue.enqueue({text(body), first, false});
      first += first ? 1 : 0;
    }
  }
  std::vector<taken> pump() {
    std::vector<taken> out;
    queue.pump(
        [&](auto to, auto number, queued item) {
          out.push_back({to, number, std::string{item.message->body()}, item.redelivered});
        },
        done);
    return out;
  }

  message_queue queue;
  std::vector<position> done;
};

TEST_F(a_message_queue, hands_messages_out_in_the_order_they_came) {
  const auto c = queue.add({});
  put({"a", "b", "c"});
  EXPECT_THAT(pump(), ElementsAre(taken{c, 1, "a", false}, taken{c, 2, "b", false}, taken{c, 3, "c", false}));
  EXPECT_EQ(queue.ready(), 0u);
  EXPECT_EQ(queue.unacked(), 3u);
}

TEST_F(a_message_queue, gives_consumers_one_message_each_in_turn) {
  const auto x = queue.add({});
  const auto y = queue.add({});
  put({"a", "b", "c"});
  EXPECT_THAT(pump(), ElementsAre(taken{x, 1, "a", false}, taken{y, 1, "b", false}, taken{x, 2, "c", false}));
}

TEST_F(a_message_queue, stops_at_the_prefetch_and_goes_on_with_an_ack) {
  const auto c = queue.add({.prefetch = 2});
  put({"a", "b", "c", "d"});
  EXPECT_EQ(pump().size(), 2u);
  queue.settle(c, 1, 1, verdict::ack, done);
  EXPECT_THAT(pump(), ElementsAre(taken{c, 3, "c", false}));
}

TEST_F(a_message_queue, stops_when_the_link_is_full_and_goes_on_with_a_grant) {
  const auto c = queue.add({.no_ack = true});
  for (std::size_t n = 0; n < link_messages_max + 1; ++n)
    put({"x"});
  EXPECT_EQ(pump().size(), link_messages_max);
  EXPECT_THAT(pump(), IsEmpty());
  queue.grant(c, 1, 1000);
  EXPECT_EQ(pump().size(), 1u);
}

TEST_F(a_message_queue, sends_a_message_larger_than_the_link_alone) {
  const auto c = queue.add({});
  queue.enqueue({text(std::string(link_bytes_max + 1, 'x')), 0, false});
  put({"b"});
  EXPECT_EQ(pump().size(), 1u);
  queue.grant(c, 1, link_bytes_max * 2);
  EXPECT_EQ(pump().size(), 1u);
}

TEST_F(a_message_queue, puts_a_requeued_message_back_in_its_place_and_marks_it) {
  const auto c = queue.add({.prefetch = 3});
  put({"a", "b", "c", "d"});
  pump();
  queue.settle(c, 1, 1, verdict::ack, done);
  queue.settle(c, 2, 3, verdict::requeue, done);
  EXPECT_THAT(pump(), ElementsAre(taken{c, 4, "b", true}, taken{c, 5, "c", true}, taken{c, 6, "d", false}));
}

TEST_F(a_message_queue, merges_what_comes_back_from_two_consumers_by_age) {
  const auto x = queue.add({.prefetch = 2});
  const auto y = queue.add({.prefetch = 2});
  put({"a", "b", "c", "d", "e"}); // x: a c, y: b d
  pump();
  queue.stop(x);
  queue.release(x);
  queue.stop(y);
  queue.release(y);
  const auto z = queue.add({});
  EXPECT_THAT(pump(), ElementsAre(taken{z, 1, "a", true}, taken{z, 2, "b", true}, taken{z, 3, "c", true},
                                  taken{z, 4, "d", true}, taken{z, 5, "e", false}));
}

TEST_F(a_message_queue, reports_the_log_positions_of_what_is_done_with) {
  const auto c = queue.add({});
  put({"a", "b", "c", "d"}, 10);
  pump();
  queue.settle(c, 1, 1, verdict::ack, done);
  queue.settle(c, 2, 2, verdict::reject, done);
  queue.settle(c, 3, 3, verdict::settled, done); // its owner has deleted it already
  queue.settle(c, 4, 4, verdict::requeue, done);
  EXPECT_THAT(done, ElementsAre(10u, 11u));
}

TEST_F(a_message_queue, is_done_with_a_no_ack_message_at_once) {
  queue.add({.no_ack = true});
  put({"a"}, 7);
  pump();
  EXPECT_THAT(done, ElementsAre(7u));
  EXPECT_EQ(queue.unacked(), 0u);
}

TEST_F(a_message_queue, settles_a_number_once_only) {
  const auto c = queue.add({});
  put({"a", "b"}, 1);
  pump();
  queue.settle(c, 2, 2, verdict::ack, done);
  queue.settle(c, 1, 2, verdict::ack, done);
  queue.settle(c, 1, 99, verdict::requeue, done);
  EXPECT_THAT(done, ElementsAre(2u, 1u));
  EXPECT_EQ(queue.unacked(), 0u);
  EXPECT_EQ(queue.ready(), 0u);
}

TEST_F(a_message_queue, serves_the_higher_priority_while_it_can_take_more) {
  const auto low = queue.add({.priority = -1});
  const auto high = queue.add({.prefetch = 2, .priority = 5});
  put({"a", "b", "c"});
  EXPECT_THAT(pump(), ElementsAre(taken{high, 1, "a", false}, taken{high, 2, "b", false}, taken{low, 1, "c", false}));
}

TEST_F(a_message_queue, allows_exclusive_use_only_alone) {
  const auto c = queue.add({});
  EXPECT_FALSE(queue.may_add(true));
  EXPECT_TRUE(queue.may_add(false));
  queue.stop(c);
  ASSERT_TRUE(queue.may_add(true));
  const auto alone = queue.add({.exclusive = true});
  EXPECT_FALSE(queue.may_add(false));
  queue.release(alone);
  EXPECT_TRUE(queue.may_add(false));
}

TEST_F(a_message_queue, keeps_a_stopped_consumers_messages_until_they_are_settled) {
  const auto c = queue.add({});
  put({"a", "b"});
  pump();
  EXPECT_TRUE(queue.stop(c));
  EXPECT_FALSE(queue.stop(c));
  put({"c"});
  EXPECT_THAT(pump(), IsEmpty());
  queue.settle(c, 1, 1, verdict::ack, done);
  EXPECT_TRUE(queue.knows(c));
  queue.settle(c, 2, 2, verdict::requeue, done);
  EXPECT_FALSE(queue.knows(c));
  EXPECT_EQ(queue.ready(), 2u);
}

TEST_F(a_message_queue, says_when_the_last_consumer_leaves) {
  const auto x = queue.add({});
  const auto y = queue.add({});
  EXPECT_FALSE(queue.stop(x));
  EXPECT_TRUE(queue.release(y));
}

TEST_F(a_message_queue, answers_get_with_the_head_and_lets_it_be_settled) {
  const auto getter = queue.add({.passive = true});
  put({"a", "b"}, 5);
  const auto first = queue.get(getter, false, done);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->second.message->body(), "a");
  EXPECT_THAT(done, IsEmpty());
  queue.settle(getter, first->first, first->first, verdict::ack, done);
  EXPECT_TRUE(queue.get(getter, true, done));
  EXPECT_THAT(done, ElementsAre(5u, 6u));
  EXPECT_FALSE(queue.get(getter, true, done));
  EXPECT_EQ(queue.consumers(), 0u);
}

TEST_F(a_message_queue, finds_deliveries_among_any_settled_before_while_one_is_never_settled) {
  const auto c = queue.add({});
  constexpr delivery_number many = 2000; // less than the link takes
  for (delivery_number number = 1; number <= many; ++number)
    queue.enqueue({text("m"), number, false});
  pump();
  const auto settle = [&](delivery_number number) {
    done.clear();
    queue.settle(c, number, number, verdict::ack, done);
    return done;
  };
  for (delivery_number number = 2; number <= many; number += 2) { // gaps are closed up on the way
    EXPECT_THAT(settle(number), ElementsAre(number));
    EXPECT_THAT(settle(number), IsEmpty());
  }
  for (delivery_number number = 3; number <= many; number += 2)
    EXPECT_THAT(settle(number), ElementsAre(number));
  EXPECT_EQ(queue.unacked(), 1u);
  queue.grant(c, many, 1 << 20);
  put({"next"}, many + 1);
  EXPECT_THAT(pump(), ElementsAre(taken{c, many + 1, "next", false}));
  queue.release(c);
  EXPECT_EQ(queue.ready(), 2u);
}

TEST_F(a_message_queue, purges_only_what_is_ready) {
  queue.add({.prefetch = 1});
  put({"a", "b", "c"}, 1);
  pump();
  EXPECT_EQ(queue.purge(done), 2u);
  EXPECT_THAT(done, ElementsAre(2u, 3u));
  EXPECT_EQ(queue.unacked(), 1u);
  EXPECT_EQ(queue.ready_bytes(), 0u);
}

/// The same operations on a queue so simple that it can't be wrong: a list by age, and a map of what is out.
TEST(a_message_queue_under_random_use, agrees_with_a_simple_model) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random{seed};
    const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    message_queue queue;
    std::vector<position> done;
    std::map<position, bool> ready; // age -> redelivered
    std::map<std::pair<message_queue::consumer_id, delivery_number>, position> out;
    std::map<message_queue::consumer_id, std::uint32_t> prefetch;
    std::map<message_queue::consumer_id, delivery_number> last;
    std::set<position> gone;
    position next = 1;
    for (int step = 0; step < 300; ++step) {
      switch (pick(6)) {
      case 0:
      case 1:
        queue.enqueue({text("m"), next, false});
        ready[next++] = false;
        break;
      case 2:
        if (prefetch.size() < 4) {
          const auto limit = 1 + pick(5);
          prefetch[queue.add({.prefetch = limit})] = limit;
        }
        break;
      case 3: // release somebody
        if (!prefetch.empty()) {
          const auto who = std::next(prefetch.begin(), pick(static_cast<unsigned>(prefetch.size())))->first;
          queue.release(who);
          for (auto at = out.begin(); at != out.end();)
            if (at->first.first == who) {
              ready[at->second] = true;
              at = out.erase(at);
            } else {
              ++at;
            }
          prefetch.erase(who);
        }
        break;
      default: // settle a range of somebody
        if (!out.empty()) {
          const auto who = std::next(out.begin(), pick(static_cast<unsigned>(out.size())))->first.first;
          const auto first = 1 + pick(static_cast<unsigned>(last[who]));
          const auto to = first + pick(3);
          const auto what = pick(3) == 0 ? verdict::requeue : verdict::ack;
          done.clear();
          queue.settle(who, first, to, what, done);
          std::vector<position> expected;
          for (auto number = first; number <= to; ++number)
            if (auto at = out.find({who, number}); at != out.end()) {
              if (what == verdict::requeue)
                ready[at->second] = true;
              else
                expected.push_back(at->second);
              out.erase(at);
            }
          ASSERT_EQ(done, expected) << "seed " << seed;
        }
      }
      queue.pump(
          [&](auto who, auto number, const queued& item) {
            ASSERT_FALSE(ready.empty()) << "seed " << seed;
            ASSERT_EQ(item.at, ready.begin()->first) << "oldest first, seed " << seed;
            ASSERT_EQ(item.redelivered, ready.begin()->second) << "seed " << seed;
            ASSERT_EQ(number, ++last[who]) << "numbers without a gap, seed " << seed;
            ready.erase(ready.begin());
            out[{who, number}] = item.at;
            ASSERT_LE(std::count_if(out.begin(), out.end(), [&](const auto& at) { return at.first.first == who; }),
                      prefetch[who])
                << "seed " << seed;
            queue.grant(who, 1, item.message->footprint());
          },
          done);
      ASSERT_EQ(queue.ready(), ready.size()) << "seed " << seed;
      ASSERT_EQ(queue.unacked(), out.size()) << "seed " << seed;
      if (!ready.empty()) {
        for (const auto& [who, limit] : prefetch)
          ASSERT_GE(std::count_if(out.begin(), out.end(), [&](const auto& at) { return at.first.first == who; }), limit)
              << "somebody could take more, seed " << seed;
      }
    }
  }
}

} // namespace
} // namespace switchboard::broker
