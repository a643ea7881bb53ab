// The log's format and what a log says after a crash: torn at every byte, every bit flipped, earlier rounds, forgeries.
#include "store/log_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t log_seed = 0x5eed;

std::string encoded(std::uint64_t sequence, const operations& changes, std::uint64_t seed = log_seed) {
  std::string out;
  EXPECT_TRUE(encode_group(out, seed, {sequence, sequence * 10, sequence * 100}, changes, 1u << 20));
  return out;
}

operations message_of(position at, std::string_view body) {
  batch made;
  made.put_message(1, at, text_message(body));
  return made.take_operations();
}

/// One of each kind.
operations every_operation() {
  batch made;
  made.put_message(7, 8, make_message("", "key", "\x10\x00p", std::string(300, 'b'), true));
  made.put_message(7, 9, make_message("events", "", "", "", false));
  made.delete_message(7, 8);
  made.delete_queue_messages(9);
  made.put_topology("queue/a", "durable");
  made.delete_topology("queue/b");
  made.put_entity(an_entity("c1", 1000, "answered"));
  made.delete_entity("call", "c2");
  made.append_journal(a_line("c1", 3, 1000));
  made.put_reply(a_reply("m1", 5000, "the call"));
  made.put_timer(a_timer("ring", 2000));
  made.delete_timer("call", "c1", "hold");
  made.delete_timers("call", "c3");
  made.put_outbox({11, 2, "to a conference"});
  made.delete_outbox(10);
  return made.take_operations();
}

std::vector<std::uint64_t> sequences(const log_contents& of) {
  std::vector<std::uint64_t> found;
  for (const auto& group : of.groups)
    found.push_back(group.stamp.sequence);
  return found;
}

TEST(log_record, every_kind_of_operation_comes_back) {
  const auto changes = every_operation();
  std::vector<bool> seen(std::variant_size_v<batch::operation>);
  for (const auto& what : changes)
    seen[what.index()] = true;
  EXPECT_THAT(seen, testing::Each(true)) << "a kind is missing above";

  const auto bytes = encoded(5, changes);
  EXPECT_EQ(bytes.size(), log_page_bytes);
  const auto read = decode_group(bytes, log_seed);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->stamp, (log_stamp{5, 50, 500}));
  EXPECT_EQ(read->bytes, bytes.size());
  ASSERT_EQ(read->changes.size(), changes.size());
  EXPECT_EQ(encoded(5, read->changes), bytes); // field by field the same
  const auto& message = *std::get<batch::message_put>(read->changes[0]).message;
  EXPECT_EQ(message.routing_key(), "key");
  EXPECT_EQ(message.body(), std::string(300, 'b'));
  EXPECT_TRUE(message.persistent());
  EXPECT_FALSE(std::get<batch::message_put>(read->changes[1]).message->persistent());
}

TEST(log_record, is_refused_when_it_is_too_long) {
  std::string out;
  EXPECT_TRUE(encode_group(out, log_seed, {}, message_of(1, std::string(3000, 'x')), log_page_bytes));
  EXPECT_FALSE(encode_group(out, log_seed, {}, message_of(1, std::string(4080, 'x')), log_page_bytes));
  EXPECT_FALSE(encode_group(out, log_seed, {}, message_of(1, std::string(100'000, 'x')), log_page_bytes));
  EXPECT_FALSE(encode_group(out, log_seed, {}, message_of(1, ""), 0));
}

TEST(log_record, every_flipped_bit_is_found) {
  const auto bytes = encoded(1, every_operation());
  auto size = bytes.find_last_not_of('\0') + 1;
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    ASSERT_FALSE(decode_group(flipped, log_seed)) << "bit " << bit;
  }
}

TEST(log_record, is_good_only_with_its_own_seed) {
  const auto bytes = encoded(1, message_of(1, "x"));
  EXPECT_TRUE(decode_group(bytes, log_seed));
  EXPECT_FALSE(decode_group(bytes, log_seed + 1));
}

TEST(log_record, random_operations_are_refused_or_come_back_the_same) {
  constexpr std::size_t head = 40;
  std::mt19937 dice{20260121};
  int read = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(dice() % 60, '\0');
    for (auto& byte : bytes)
      byte = static_cast<char>(dice() % (round % 2 ? 256 : 16) * (dice() % 3 == 0));
    const auto found = decode_operations(bytes);
    if (!found)
      continue;
    ++read;
    const auto again = decode_operations(encoded(1, *found).substr(head, bytes.size()));
    ASSERT_TRUE(again);
    ASSERT_EQ(encoded(1, *again), encoded(1, *found));
  }
  EXPECT_GT(read, 300);
}

// -- a whole log

TEST(log_contents, an_empty_file_and_one_of_zeros_say_nothing) {
  for (const auto& file : {std::string{}, std::string(10 * log_page_bytes, '\0'), std::string(100, 'x')}) {
    const auto found = read_log(file, log_seed, 0);
    EXPECT_THAT(found.groups, IsEmpty());
    EXPECT_THAT(found.damaged, IsEmpty());
    EXPECT_FALSE(found.is_ahead);
  }
}

/// Five groups, some longer than a page, and zeros behind them.
struct five_groups {
  std::string file;
  std::vector<std::size_t> begins;

  explicit five_groups(std::uint64_t first = 1) {
    for (std::uint64_t i = 0; i < 5; ++i) {
      begins.push_back(file.size());
      file += encoded(first + i, message_of(first + i, std::string(i % 2 ? 9000 : 10, 'x')));
    }
    begins.push_back(file.size());
    file.resize(file.size() + 3 * log_page_bytes);
  }
};

TEST(log_contents, all_groups_after_the_last_one_applied) {
  const five_groups log;
  EXPECT_THAT(sequences(read_log(log.file, log_seed, 0)), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(sequences(read_log(log.file, log_seed, 5)), IsEmpty());
  EXPECT_THAT(sequences(read_log(log.file, log_seed + 1, 0)), IsEmpty());
}

TEST(log_contents, torn_at_any_byte_the_groups_before_it_count) {
  const five_groups log;
  for (std::size_t torn = 0; torn < log.begins.back(); torn += torn % log_page_bytes < 64 ? 1 : 61) {
    auto file = log.file;
    std::fill(file.begin() + static_cast<std::ptrdiff_t>(torn), file.end(), '\0');
    const auto found = read_log(file, log_seed, 0);
    std::size_t whole = 0;
    while (whole < 5 && log.begins[whole + 1] <= torn)
      ++whole;
    // Zeros at the end of a record are what it ends with anyway.
    while (whole < 5 && file.compare(log.begins[whole], log.begins[whole + 1] - log.begins[whole], log.file,
                                     log.begins[whole], log.begins[whole + 1] - log.begins[whole]) == 0)
      ++whole;
    ASSERT_EQ(found.groups.size(), whole) << "torn at " << torn;
    ASSERT_THAT(found.damaged, IsEmpty());
    ASSERT_FALSE(found.is_ahead);
  }
}

TEST(log_contents, torn_over_an_earlier_round_nothing_of_that_comes_back) {
  const five_groups earlier{1};
  const five_groups later{6};
  for (std::size_t torn = 0; torn < later.begins.back(); torn += 512) {
    auto file = later.file.substr(0, torn) + earlier.file.substr(torn);
    const auto found = read_log(file, log_seed, 5);
    ASSERT_THAT(found.damaged, IsEmpty()) << "torn at " << torn;
    ASSERT_FALSE(found.is_ahead);
    for (const auto& group : found.groups)
      ASSERT_GT(group.stamp.sequence, 5u);
  }
}

TEST(log_contents, a_damaged_group_is_named_and_the_others_count) {
  const five_groups log;
  for (std::uint64_t which = 0; which < 4; ++which) // behind the last one nothing tells it from a torn one
    for (const std::size_t at : {0u, 9u, 13u, 17u, 44u, 60u}) {
      auto file = log.file;
      file[log.begins[which] + at] ^= 1;
      const auto found = read_log(file, log_seed, 0);
      ASSERT_THAT(found.damaged, ElementsAre(log_damage{which + 1, which + 1, log.begins[which]})) << at;
      ASSERT_EQ(found.groups.size(), 4u);
    }
}

TEST(log_contents, damaged_groups_side_by_side_are_named_together) {
  const five_groups log;
  auto file = log.file;
  file[log.begins[1] + 20] ^= 1;
  file[log.begins[2] + 20] ^= 1;
  const auto found = read_log(file, log_seed, 0);
  EXPECT_THAT(found.damaged, ElementsAre(log_damage{2, 3, log.begins[1]}));
  EXPECT_THAT(sequences(found), ElementsAre(1, 4, 5));
}

TEST(log_contents, one_that_begins_later_than_the_tables_end_is_ahead_of_them) {
  const five_groups log{10};
  EXPECT_FALSE(read_log(log.file, log_seed, 9).is_ahead);
  const auto found = read_log(log.file, log_seed, 3);
  EXPECT_TRUE(found.is_ahead);
  EXPECT_THAT(found.groups, IsEmpty());
}

/// As five_groups, but the first two stand at the end of the file, and the others at its front.
struct five_groups_around_the_end {
  std::string file;
  std::size_t begin;

  five_groups_around_the_end() {
    const five_groups all;
    const auto turn = all.begins[2];
    file = all.file.substr(turn);
    file += std::string(log_page_bytes, 'x'); // of an earlier round
    begin = file.size();
    file += all.file.substr(0, turn) + std::string(log_page_bytes, '\0'); // too little for the third
  }
};

TEST(log_contents, goes_on_at_the_front_from_the_end_of_the_file) {
  const five_groups_around_the_end log;
  const auto found = read_log(log.file, log_seed, 0, log.begin);
  EXPECT_THAT(sequences(found), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(found.damaged, IsEmpty());
  EXPECT_FALSE(found.cut_at);
}

TEST(log_contents, torn_at_the_front_is_cut_there) {
  five_groups_around_the_end log;
  log.file[60] ^= 1;
  std::fill(log.file.begin() + 100, log.file.begin() + static_cast<std::ptrdiff_t>(log.begin), '\0');
  const auto found = read_log(log.file, log_seed, 0, log.begin);
  EXPECT_THAT(sequences(found), ElementsAre(1, 2));
  EXPECT_THAT(found.damaged, IsEmpty());
  EXPECT_EQ(found.cut_at, 0u);
}

TEST(log_contents, around_the_end_a_damaged_group_is_named) {
  five_groups_around_the_end log;
  log.file[log.begin + 60] ^= 1;
  const auto found = read_log(log.file, log_seed, 0, log.begin);
  EXPECT_THAT(sequences(found), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(found.damaged, ElementsAre(log_damage{1, 1, log.begin}));
}

TEST(log_contents, behind_the_end_of_the_file_the_log_begins_at_its_front) {
  const five_groups log;
  EXPECT_THAT(sequences(read_log(log.file, log_seed, 0, log.file.size())), ElementsAre(1, 2, 3, 4, 5));
}

TEST(log_contents, with_less_room_than_is_missing_it_is_ahead) {
  const five_groups log{10};
  const auto file = std::string(2 * log_page_bytes, 'x') + log.file;
  EXPECT_TRUE(read_log(file, log_seed, 6).is_ahead); // 7, 8 and 9 don't fit into two pages
  const auto found = read_log(file, log_seed, 7);
  EXPECT_FALSE(found.is_ahead);
  EXPECT_THAT(found.damaged, ElementsAre(log_damage{8, 9, 0}));
}

TEST(log_contents, a_record_inside_a_message_is_no_record) {
  // The body holds a record at a page of its own, as a client without the seed would make it, and a torn one before it.
  const auto forged = encoded(2, message_of(666, "forged"), 0);
  const auto carrier = encoded(1, message_of(1, std::string(log_page_bytes, ' ') + forged + forged));
  const auto place = carrier.find(forged);
  ASSERT_NE(place, std::string::npos);
  auto file = carrier.substr(place - place % log_page_bytes); // the carrier's first page never came
  file.insert(0, log_page_bytes, '\0');
  const auto found = read_log(file, log_seed, 0);
  EXPECT_THAT(found.groups, IsEmpty());
  EXPECT_THAT(found.damaged, IsEmpty());
}

TEST(log_contents, random_damage_yields_only_groups_that_were_written) {
  const five_groups log;
  std::mt19937 dice{20260122};
  for (int round = 0; round < 500; ++round) {
    auto file = log.file;
    for (auto flips = dice() % 20; flips > 0; --flips)
      file[dice() % file.size()] = static_cast<char>(dice());
    const auto found = read_log(file, log_seed, 0);
    for (const auto& group : found.groups)
      ASSERT_EQ(std::get<batch::message_put>(group.changes.at(0)).at, group.stamp.sequence);
  }
}

} // namespace
} // namespace switchboard::store
