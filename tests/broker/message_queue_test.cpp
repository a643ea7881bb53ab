#include "broker/message_queue.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages/properties.hpp"

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
      queue.enqueue({text(body), first, false}, {}, done);
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

TEST_F(a_message_queue, keeps_a_consumers_turn_that_had_room_again_before_it_came) {
  const auto x = queue.add({.prefetch = 1});
  const auto y = queue.add({});
  put({"a", "b"});
  EXPECT_THAT(pump(), ElementsAre(taken{x, 1, "a", false}, taken{y, 1, "b", false}));
  queue.settle(x, 1, 1, verdict::ack, done);
  put({"c"});
  EXPECT_THAT(pump(), ElementsAre(taken{x, 2, "c", false}));
}

TEST_F(a_message_queue, lets_a_consumer_whose_turn_came_in_vain_stand_at_the_end) {
  const auto x = queue.add({.prefetch = 1});
  const auto y = queue.add({});
  put({"a", "b", "c"}); // at c it was x's turn
  EXPECT_EQ(pump().size(), 3u);
  queue.settle(x, 1, 1, verdict::ack, done);
  put({"d", "e"});
  EXPECT_THAT(pump(), ElementsAre(taken{y, 3, "d", false}, taken{x, 2, "e", false}));
}

TEST_F(a_message_queue, stops_at_the_prefetch_and_goes_on_with_an_ack) {
  const auto c = queue.add({.prefetch = 2});
  put({"a", "b", "c", "d"});
  EXPECT_EQ(pump().size(), 2u);
  queue.settle(c, 1, 1, verdict::ack, done);
  EXPECT_THAT(pump(), ElementsAre(taken{c, 3, "c", false}));
}

TEST_F(a_message_queue, goes_on_with_a_higher_prefetch_and_waits_under_a_lower_one) {
  const auto c = queue.add({.prefetch = 1});
  put({"a", "b", "c", "d"});
  EXPECT_EQ(pump().size(), 1u);
  queue.set_prefetch(c, 3);
  EXPECT_EQ(pump().size(), 2u);
  queue.set_prefetch(c, 1);
  queue.settle(c, 1, 2, verdict::ack, done);
  EXPECT_TRUE(pump().empty());
  queue.set_prefetch(c, 0);
  EXPECT_EQ(pump().size(), 1u);
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
  queue.enqueue({text(std::string(link_bytes_max + 1, 'x')), 0, false}, {}, done);
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
  queue.release(x, done);
  queue.stop(y);
  queue.release(y, done);
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
  queue.release(alone, done);
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
  EXPECT_TRUE(queue.release(y, done));
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
    queue.enqueue({text("m"), number, false}, {}, done);
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
  queue.release(c, done);
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
// -- x- arguments ---------------------------------------------------------------------------------------------------

constexpr message_queue::instant start{std::chrono::hours{1}};

message_ptr with(basic_properties properties, const std::string& body) {
  return make_message("", "q", encode_properties(properties), body, false);
}
basic_properties expiring(std::string ms) {
  basic_properties made;
  made.expiration = std::move(ms);
  return made;
}
basic_properties urgent(std::uint8_t priority) {
  basic_properties made;
  made.priority = priority;
  return made;
}

class a_message_queue_with_arguments : public testing::Test {
protected:
  bool put(const std::string& body, message_queue::instant at = start) {
    return queue.enqueue({text(body), ++last_position, false}, at, done);
  }
  std::vector<std::string> bodies() {
    std::vector<std::string> out;
    queue.pump([&](auto, auto, queued item) { out.emplace_back(item.message->body()); }, done);
    return out;
  }
  std::vector<std::string> dead() {
    std::vector<std::string> out;
    for (const auto& each : queue.take_dead())
      out.push_back(std::string{each.message->body()} + " " + std::string{name_of(each.why)});
    return out;
  }

  message_queue queue;
  std::vector<position> done;
  position last_position = 0;
};

TEST_F(a_message_queue_with_arguments, lets_messages_go_when_their_time_is_over) {
  queue = message_queue{{.message_ttl = milliseconds{100}}};
  put("a");
  queue.enqueue({with(expiring("30"), "b"), ++last_position, false}, start, done);
  put("c", start + milliseconds{50});
  EXPECT_EQ(queue.next_expiry(), start + milliseconds{100});
  queue.expire(start + milliseconds{99}, done); // b is over, but not at the head
  EXPECT_EQ(queue.ready(), 3u);
  queue.expire(start + milliseconds{100}, done);
  EXPECT_EQ(queue.ready(), 1u);
  EXPECT_THAT(done, ElementsAre(1, 2));
  EXPECT_EQ(queue.next_expiry(), start + milliseconds{150});
}

TEST_F(a_message_queue_with_arguments, hands_out_at_once_what_may_not_wait_at_all) {
  queue = message_queue{{.message_ttl = milliseconds{0}}};
  queue.add({.prefetch = 1});
  put("a");
  put("b");
  EXPECT_THAT(bodies(), ElementsAre("a"));
  queue.expire(start, done);
  EXPECT_EQ(queue.ready(), 0u);
}

TEST_F(a_message_queue_with_arguments, a_returned_message_keeps_its_time) {
  queue = message_queue{{.message_ttl = milliseconds{100}}};
  const auto c = queue.add({});
  put("a");
  EXPECT_THAT(bodies(), ElementsAre("a"));
  queue.settle(c, 1, 1, verdict::requeue, done);
  EXPECT_EQ(queue.next_expiry(), start + milliseconds{100});
}

TEST_F(a_message_queue_with_arguments, drops_the_oldest_when_it_is_too_long) {
  queue = message_queue{{.max_length = 2, .dead_letter_exchange = "dlx"}};
  for (const auto* body : {"a", "b", "c"})
    EXPECT_TRUE(put(body));
  queue.trim(done);
  EXPECT_THAT(dead(), ElementsAre("a maxlen"));
  EXPECT_THAT(done, IsEmpty());
  queue = message_queue{{.max_length_bytes = 3}};
  put("aa");
  put("bb");
  queue.trim(done);
  EXPECT_EQ(queue.ready(), 1u);
  EXPECT_THAT(done, ElementsAre(4));
}

TEST_F(a_message_queue_with_arguments, refuses_when_it_is_full_and_says_so) {
  queue = message_queue{{.max_length = 1, .when_full = overflow::reject_publish, .dead_letter_exchange = "dlx"}};
  EXPECT_TRUE(put("a"));
  EXPECT_FALSE(put("b"));
  EXPECT_THAT(done, ElementsAre(2));
  EXPECT_THAT(dead(), IsEmpty());
  queue = message_queue{{.max_length = 0, .when_full = overflow::reject_publish_dlx, .dead_letter_exchange = "dlx"}};
  EXPECT_FALSE(put("c"));
  EXPECT_THAT(dead(), ElementsAre("c maxlen"));
}

TEST_F(a_message_queue_with_arguments, keeps_what_it_once_took_even_over_its_length_if_it_refuses_instead) {
  queue = message_queue{{.max_length = 1, .when_full = overflow::reject_publish}};
  const auto c = queue.add({.prefetch = 1});
  put("a");
  EXPECT_THAT(bodies(), ElementsAre("a"));
  EXPECT_TRUE(put("b"));
  queue.settle(c, 1, 1, verdict::requeue, done);
  queue.restore({text("c"), 9, true}, start);
  queue.trim(done);
  EXPECT_EQ(queue.ready(), 3u);
  EXPECT_THAT(done, IsEmpty());
}

TEST_F(a_message_queue_with_arguments, serves_higher_priorities_first_and_each_in_order) {
  queue = message_queue{{.max_priority = 5}};
  put("low 1");
  queue.enqueue({with(urgent(3), "mid"), 0, false}, start, done);
  queue.enqueue({with(urgent(9), "top 1"), 0, false}, start, done); // over the maximum: the maximum
  queue.enqueue({with(urgent(5), "top 2"), 0, false}, start, done);
  put("low 2");
  const auto c = queue.add({});
  EXPECT_THAT(bodies(), ElementsAre("top 1", "top 2", "mid", "low 1", "low 2"));
  queue.settle(c, 1, 5, verdict::requeue, done);
  EXPECT_THAT(bodies(), ElementsAre("top 1", "top 2", "mid", "low 1", "low 2"));
}

TEST_F(a_message_queue_with_arguments, serves_one_consumer_at_a_time_and_then_the_next_in_line) {
  queue = message_queue{{.single_active_consumer = true}};
  const auto first = queue.add({});
  const auto second = queue.add({});
  put("a");
  put("b");
  std::vector<message_queue::consumer_id> to;
  const auto pump = [&] { queue.pump([&](auto id, auto, queued) { to.push_back(id); }, done); };
  pump();
  EXPECT_THAT(to, ElementsAre(first, first));
  put("c");
  queue.stop(first);
  pump();
  EXPECT_THAT(to, ElementsAre(first, first, second));
  queue.release(first, done);
  pump();
  EXPECT_THAT(to, ElementsAre(first, first, second, second, second));
}

TEST_F(a_message_queue_with_arguments, of_type_quorum_makes_the_longest_waiting_consumer_active_whatever_its_priority) {
  queue = message_queue{{.single_active_consumer = true, .counts_deliveries = true}};
  const auto first = queue.add({});
  const auto low = queue.add({.priority = -1});
  queue.add({.priority = 5});
  queue.stop(first);
  put("a");
  std::vector<message_queue::consumer_id> to;
  queue.pump([&](message_queue::consumer_id id, auto, queued) { to.push_back(id); }, done);
  EXPECT_THAT(to, ElementsAre(low));
}

TEST_F(a_message_queue_with_arguments, with_a_single_active_consumer_is_nobodys_alone) {
  queue = message_queue{{.single_active_consumer = true}};
  EXPECT_FALSE(queue.may_add(true));
  EXPECT_TRUE(queue.may_add(false));
}

TEST_F(a_message_queue_with_arguments, of_type_quorum_hands_out_again_in_the_order_of_return) {
  queue = message_queue{{.delivery_limit = 9, .counts_deliveries = true}};
  const auto c = queue.add({.prefetch = 3});
  for (const auto* body : {"a", "b", "c", "d"})
    put(body);
  EXPECT_THAT(bodies(), ElementsAre("a", "b", "c"));
  queue.stop(c);
  queue.settle(c, 2, 2, verdict::requeue, done);
  queue.settle(c, 1, 1, verdict::requeue, done);
  queue.add({});
  EXPECT_THAT(bodies(), ElementsAre("b", "a", "d"));
}

TEST_F(a_message_queue_with_arguments, of_type_quorum_takes_several_back_in_the_order_in_which_they_were_out) {
  queue = message_queue{{.delivery_limit = 9, .counts_deliveries = true}};
  const auto c = queue.add({});
  put("a");
  put("b");
  EXPECT_THAT(bodies(), ElementsAre("a", "b"));
  queue.settle(c, 1, 1, verdict::requeue, done);
  EXPECT_THAT(bodies(), ElementsAre("a"));
  queue.settle(c, 2, 3, verdict::requeue, done);
  EXPECT_THAT(bodies(), ElementsAre("b", "a"));
}

TEST_F(a_message_queue_with_arguments, of_type_quorum_sends_dead_letters_without_their_count_of_deliveries) {
  queue = message_queue{{.dead_letter_exchange = "dlx", .delivery_limit = 9, .counts_deliveries = true}};
  const auto c = queue.add({});
  const auto taker = queue.add({.passive = true});
  const auto counted = [](const message& what) {
    const auto read = decode_properties(what.properties());
    return read->headers && read->headers->find("x-delivery-count");
  };
  put("a");
  auto got = queue.get(taker, false, done);
  EXPECT_TRUE(counted(*got->second.message)); // from the first time on
  queue.settle(taker, 1, 1, verdict::requeue, done);
  queue.pump([&](auto, auto, queued item) { EXPECT_TRUE(counted(*item.message)); }, done);
  queue.settle(c, 1, 1, verdict::reject, done);
  const auto letters = queue.take_dead();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_FALSE(counted(*letters.front().message));
}

TEST_F(a_message_queue_with_arguments, of_type_quorum_without_a_limit_puts_what_is_returned_at_the_tail) {
  queue = message_queue{{.counts_deliveries = true}};
  const auto c = queue.add({.prefetch = 2});
  for (const auto* body : {"a", "b", "c", "d"})
    put(body);
  EXPECT_THAT(bodies(), ElementsAre("a", "b"));
  queue.settle(c, 1, 2, verdict::requeue, done);
  EXPECT_THAT(bodies(), ElementsAre("c", "d"));
  queue.release(c, done); // but in its place what a consumer had that went
  queue.add({});
  EXPECT_THAT(bodies(), ElementsAre("c", "d", "a", "b"));
}

TEST_F(a_message_queue_with_arguments, lets_go_what_is_over_its_time_once_it_is_at_the_head) {
  queue = message_queue{{}};
  basic_properties brief;
  brief.expiration = "5";
  put("a");
  queue.enqueue({make_message("", "q", encode_properties(brief), "b", false), 0, false}, start, done);
  put("c");
  queue.add({});
  std::vector<std::string> out;
  queue.pump([&](auto, auto, queued item) { out.emplace_back(item.message->body()); }, done,
             start + std::chrono::milliseconds{6});
  EXPECT_THAT(out, ElementsAre("a", "c"));
}

TEST_F(a_message_queue_with_arguments, of_type_quorum_reports_gets_and_stopped_consumers_with_something_out) {
  queue = message_queue{{.counts_deliveries = true}};
  const auto c = queue.add({.prefetch = 1});
  const auto taker = queue.add({.passive = true});
  for (const auto* body : {"a", "b", "c"})
    put(body);
  bodies();
  queue.get(taker, false, done);
  queue.get(taker, false, done);
  EXPECT_EQ(queue.reported_consumers(), 3u);
  queue.stop(c);
  EXPECT_EQ(queue.reported_consumers(), 3u);
  queue.settle(c, 1, 1, verdict::ack, done);
  queue.settle(taker, 1, 1, verdict::ack, done);
  EXPECT_EQ(queue.reported_consumers(), 1u);
}

TEST(expiration_of_a_message, is_what_erlang_takes_for_a_whole_number) {
  EXPECT_EQ(*read_expiration("0"), milliseconds{0});
  EXPECT_EQ(*read_expiration("+5"), milliseconds{5});
  EXPECT_EQ(*read_expiration("-0"), milliseconds{0});
  EXPECT_EQ(*read_expiration("0315360000000"), milliseconds{315'360'000'000});
  const auto why = [](std::string_view text) { return read_expiration(text).error().what; };
  EXPECT_EQ(why("abc"), "PRECONDITION_FAILED - invalid expiration 'abc': no_integer");
  EXPECT_EQ(why(""), "PRECONDITION_FAILED - invalid expiration '': no_integer");
  EXPECT_EQ(why("1.5"), "PRECONDITION_FAILED - invalid expiration '1.5': {leftover_string,\".5\"}");
  EXPECT_EQ(why("-01"), "PRECONDITION_FAILED - invalid expiration '-01': {value_negative,-1}");
  EXPECT_EQ(why("315360000001"),
            "PRECONDITION_FAILED - invalid expiration '315360000001': {value_too_large,315360000001}");
  EXPECT_EQ(why("99999999999999999999"), "PRECONDITION_FAILED - invalid expiration '99999999999999999999': "
                                         "{value_too_large,99999999999999999999}");
}

TEST_F(a_message_queue_with_arguments, gives_up_a_message_that_came_back_too_often) {
  queue = message_queue{{.dead_letter_exchange = "dlx", .delivery_limit = 2, .counts_deliveries = true}};
  const auto c = queue.add({});
  put("a");
  for (delivery_number n = 1; n <= 3; ++n) {
    std::optional<std::int64_t> count;
    queue.pump(
        [&](auto, auto, queued item) {
          const auto read = decode_properties(item.message->properties());
          if (read->headers)
            count = read->headers->find("x-delivery-count")->as_integer();
        },
        done);
    EXPECT_EQ(count.value_or(0), static_cast<std::int64_t>(n - 1));
    queue.settle(c, n, n, verdict::requeue, done);
  }
  EXPECT_EQ(queue.ready(), 0u);
  EXPECT_THAT(dead(), ElementsAre("a delivery_limit"));
}

TEST_F(a_message_queue_with_arguments, dead_letters_what_is_rejected_at_once_by_falling_priority) {
  queue = message_queue{{.dead_letter_exchange = "", .max_priority = 9}};
  const auto c = queue.add({});
  for (const std::uint8_t priority : {0, 5, 0, 5}) {
    basic_properties properties;
    properties.priority = priority;
    const auto body = "a" + std::to_string(priority);
    queue.enqueue({make_message("", "q", encode_properties(properties), body, false), 0, false}, start, done);
    bodies();
  }
  queue.settle(c, 1, 2, verdict::reject, done);
  queue.settle(c, 3, 4, verdict::reject, done);
  EXPECT_THAT(dead(), ElementsAre("a5 rejected", "a5 rejected", "a0 rejected", "a0 rejected"));
}

TEST_F(a_message_queue_with_arguments, dead_letters_what_is_rejected_and_not_what_is_acknowledged) {
  queue = message_queue{{.dead_letter_exchange = ""}};
  const auto c = queue.add({});
  put("a");
  put("b");
  bodies();
  queue.settle(c, 1, 1, verdict::ack, done);
  queue.settle(c, 2, 2, verdict::reject, done);
  EXPECT_THAT(done, ElementsAre(1));
  EXPECT_THAT(dead(), ElementsAre("b rejected"));
}

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
        queue.enqueue({text("m"), next, false}, {}, done);
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
          queue.release(who, done);
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
