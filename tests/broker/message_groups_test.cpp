// Order for each resource, whoever consumes.
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/message_queue.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class a_grouped_queue : public testing::Test {
protected:
  struct given {
    message_queue::consumer_id to;
    delivery_number number;
    std::string body;
  };

  static queue_arguments arguments(std::int64_t attempts = 3) {
    field_table asked;
    asked.set("x-group-by", "call");
    asked.set("x-retry-min", std::int64_t{1000});
    asked.set("x-retry-limit", attempts);
    return read_queue_arguments(asked, "q");
  }
  /// "a1": the first of group a.
  void put(const std::vector<std::string>& bodies) {
    for (const auto& body : bodies) {
      basic_properties properties;
      properties.headers.emplace();
      if (body[0] != '-')
        properties.headers->set("call", body.substr(0, 1));
      queue.enqueue({make_message("", "q", encode_properties(properties), body, false), 0, false}, now, done);
    }
  }
  std::vector<std::string> pump() {
    std::vector<std::string> bodies;
    queue.pump(
        [&](auto to, auto number, queued item) {
          bodies.emplace_back(item.message->body());
          out[bodies.back()] = {to, number, bodies.back()};
        },
        done, now);
    return bodies;
  }
  void settle(const std::string& body, verdict what = verdict::ack) {
    const auto& which = out.at(body);
    queue.settle(which.to, which.number, which.number, what, done, now);
  }
  message_queue::consumer_id to(const std::string& body) { return out.at(body).to; }

  message_queue queue{arguments()};
  std::vector<position> done;
  message_queue::instant now{1h};
  std::map<std::string, given> out;
};

TEST_F(a_grouped_queue, gives_one_of_a_group_at_a_time) {
  queue.add({});
  put({"a1", "a2", "b1", "a3"});
  EXPECT_THAT(pump(), ElementsAre("a1", "b1"));
  EXPECT_EQ(queue.ready(), 2u) << "they stand behind";
  settle("a1");
  EXPECT_THAT(pump(), ElementsAre("a2"));
  settle("b1");
  EXPECT_THAT(pump(), IsEmpty());
  settle("a2");
  EXPECT_THAT(pump(), ElementsAre("a3"));
}

TEST_F(a_grouped_queue, holds_a_group_up_while_its_first_waits_for_its_next_attempt) {
  queue.add({});
  put({"a1", "a2", "b1"});
  pump();
  settle("a1", verdict::reject);
  EXPECT_THAT(pump(), IsEmpty());
  put({"c1"});
  EXPECT_THAT(pump(), ElementsAre("c1")) << "others pass";
  now += 2s;
  queue.wake(now);
  EXPECT_THAT(pump(), ElementsAre("a1"));
  settle("a1");
  EXPECT_THAT(pump(), ElementsAre("a2"));
}

TEST_F(a_grouped_queue, lets_the_others_pass_once_the_first_is_dead) {
  queue.add({});
  put({"a1", "a2"});
  for (int attempt = 0; attempt < 3; ++attempt) {
    EXPECT_THAT(pump(), ElementsAre("a1"));
    settle("a1", verdict::reject);
    now += 10s;
    queue.wake(now);
  }
  EXPECT_EQ(queue.take_dead().size(), 1u);
  EXPECT_THAT(pump(), ElementsAre("a2"));
}

TEST_F(a_grouped_queue, keeps_a_group_with_its_consumer) {
  for (int i = 0; i < 3; ++i)
    queue.add({});
  std::map<char, message_queue::consumer_id> homes;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::string> bodies;
    for (char group = 'a'; group <= 'z'; ++group)
      bodies.push_back(std::string{group} + std::to_string(round));
    put(bodies);
    EXPECT_EQ(pump().size(), 26u);
    for (const auto& body : bodies) {
      EXPECT_EQ(homes.emplace(body[0], to(body)).first->second, to(body));
      settle(body);
    }
  }
  std::map<message_queue::consumer_id, int> shares;
  for (const auto& [group, home] : homes)
    ++shares[home];
  EXPECT_EQ(shares.size(), 3u) << "nobody is left out";
}

TEST_F(a_grouped_queue, lets_a_group_wait_for_its_consumer_and_others_pass) {
  const auto x = queue.add({.prefetch = 1});
  const auto y = queue.add({.prefetch = 100});
  put({"a1"});
  pump();
  std::vector<std::string> more;
  for (char group = 'b'; group <= 'z'; ++group)
    more.push_back(std::string{group} + "1");
  put(more);
  std::map<message_queue::consumer_id, int> given_to;
  for (const auto& body : pump())
    ++given_to[to(body)];
  EXPECT_LE(given_to[x], 1) << "it has room for one";
  EXPECT_GT(given_to[y], 5);
  std::size_t of_x = 0;
  while (queue.ready() > 0) {
    const auto held = queue.ready();
    for (const auto& [body, which] : std::map{out})
      if (which.to == x)
        settle(body);
    pump();
    ASSERT_LT(queue.ready(), held);
    ++of_x;
  }
  EXPECT_GT(of_x, 3u);
}

TEST_F(a_grouped_queue, gives_the_groups_of_a_consumer_that_goes_to_the_others_in_order) {
  const auto x = queue.add({.prefetch = 1});
  put({"a1", "a2", "b1", "c1", "-", "d1"});
  EXPECT_THAT(pump(), ElementsAre("a1"));
  queue.release(x, done);
  queue.add({});
  EXPECT_THAT(pump(), ElementsAre("a1", "b1", "c1", "-", "d1"));
  settle("a1");
  EXPECT_THAT(pump(), ElementsAre("a2"));
}

TEST_F(a_grouped_queue, does_not_group_what_has_no_value) {
  queue.add({});
  put({"-1", "-2", "-3"});
  EXPECT_THAT(pump(), ElementsAre("-1", "-2", "-3"));
}

TEST_F(a_grouped_queue, lets_consumers_without_acknowledgement_have_all) {
  queue.add({.no_ack = true});
  put({"a1", "a2", "a3"});
  EXPECT_THAT(pump(), ElementsAre("a1", "a2", "a3"));
}

TEST_F(a_grouped_queue, keeps_order_for_who_gets_one_by_one) {
  const auto taker = queue.add({.passive = true});
  put({"a1", "a2", "b1"});
  EXPECT_EQ(queue.get(taker, false, done, now)->second.message->body(), "a1");
  EXPECT_EQ(queue.get(taker, false, done, now)->second.message->body(), "b1");
  EXPECT_FALSE(queue.get(taker, false, done, now));
  queue.settle(taker, 1, 1, verdict::requeue, done, now);
  EXPECT_EQ(queue.get(taker, false, done, now)->second.message->body(), "a1");
}

TEST_F(a_grouped_queue, is_purged_with_what_stands_behind) {
  queue.add({.prefetch = 1});
  put({"a1", "a2", "b1", "c1"});
  EXPECT_THAT(pump(), ElementsAre("a1"));
  EXPECT_EQ(queue.purge(done), 3u);
  EXPECT_EQ(queue.ready(), 0u);
  settle("a1");
  put({"a4"});
  EXPECT_THAT(pump(), ElementsAre("a4"));
}

/// Whatever happens, each group's messages are done in their order, and all are.
TEST_F(a_grouped_queue, keeps_order_through_anything) {
  queue = message_queue{arguments(1'000'000)}; // nothing dies of it
  std::mt19937 dice{20261121};
  std::map<char, int> put_so_far, done_so_far;
  std::vector<message_queue::consumer_id> consumers;
  for (int step = 0; step < 20'000; ++step) {
    switch (dice() % 8) {
    case 0:
      if (consumers.size() < 4)
        consumers.push_back(queue.add({.prefetch = static_cast<std::uint32_t>(1 + dice() % 3)}));
      break;
    case 1:
      if (!consumers.empty() && dice() % 10 == 0) {
        queue.release(consumers.back(), done);
        std::erase_if(out, [&](const auto& each) { return each.second.to == consumers.back(); });
        consumers.pop_back();
      }
      break;
    case 2:
    case 3:
      if (step < 15'000) {
        const char group = static_cast<char>('a' + dice() % 6);
        put({std::string{group} + std::to_string(++put_so_far[group])});
      }
      break;
    case 4:
      now += 500ms;
      queue.wake(now);
      break;
    default:
      if (out.empty())
        break;
      auto which = out.begin();
      std::advance(which, dice() % out.size());
      const auto body = which->first;
      const auto fate = dice() % 10;
      if (fate == 0) {
        settle(body, verdict::reject);
      } else if (fate == 1) {
        settle(body, verdict::requeue);
      } else {
        ASSERT_EQ(std::stoi(body.substr(1)), ++done_so_far[body[0]]) << "group " << body[0];
        settle(body);
      }
      out.erase(body);
    }
    pump();
  }
  EXPECT_THAT(queue.take_dead(), IsEmpty());
  for (int round = 0; queue.ready() + queue.unacked() + queue.waiting() > 0; ++round) {
    ASSERT_LT(round, 100'000);
    if (consumers.empty())
      consumers.push_back(queue.add({}));
    now += 1s;
    queue.wake(now);
    pump();
    for (const auto& [body, which] : std::map{out}) {
      ASSERT_EQ(std::stoi(body.substr(1)), ++done_so_far[body[0]]);
      settle(body);
      out.erase(body);
    }
  }
  EXPECT_EQ(done_so_far, put_so_far);
}

} // namespace
} // namespace switchboard::broker
