#include "broker/death.hpp"

#include <gtest/gtest.h>

#include "broker/routing_keys.hpp"
#include "messages/properties.hpp"

namespace switchboard::broker {
namespace {

constexpr time_point noon{std::chrono::seconds{1'800'000'000}};

message_ptr made(basic_properties properties = {}) {
  return make_message("shop", "order", encode_properties(properties), "x", true);
}
basic_properties read(const message_ptr& what) { return *decode_properties(what->properties()); }
field_table entry(const message_ptr& what, std::size_t index) {
  const auto properties = read(what);
  return std::get<field_table>(std::get<field_array>(properties.headers->find("x-death")->value).at(index).value);
}

TEST(dead_letter, says_where_when_and_why_a_message_died) {
  basic_properties own;
  own.expiration = "10";
  own.content_type = "text/plain";
  const auto letter = make_dead_letter(*made(own), death::expired, "q", "dlx", std::nullopt, noon);
  EXPECT_EQ(letter->exchange(), "dlx");
  EXPECT_EQ(letter->routing_key(), "order");
  EXPECT_EQ(letter->body(), "x");
  EXPECT_TRUE(letter->persistent());
  const auto properties = read(letter);
  EXPECT_FALSE(properties.expiration);
  EXPECT_EQ(properties.content_type, "text/plain");
  EXPECT_EQ(*properties.headers->find("x-first-death-reason")->as_string(), "expired");
  EXPECT_EQ(*properties.headers->find("x-first-death-queue")->as_string(), "q");
  EXPECT_EQ(*properties.headers->find("x-first-death-exchange")->as_string(), "shop");
  field_table expected;
  expected.append("count", std::int64_t{1});
  expected.append("reason", "expired");
  expected.append("queue", "q");
  expected.append("time", timestamp{1'800'000'000});
  expected.append("exchange", "shop");
  expected.append("routing-keys", field_array{field_value{"order"}});
  expected.append("original-expiration", "10");
  EXPECT_EQ(entry(letter, 0), expected);
}

TEST(dead_letter, counts_repeats_and_puts_the_newest_first) {
  auto letter = make_dead_letter(*made(), death::rejected, "a", "dlx", "k", noon);
  letter = make_dead_letter(*letter, death::expired, "b", "dlx", "k", noon);
  letter = make_dead_letter(*letter, death::rejected, "a", "dlx", "k", noon);
  EXPECT_EQ(letter->routing_key(), "k");
  EXPECT_EQ(*entry(letter, 0).find("queue")->as_string(), "a");
  EXPECT_EQ(entry(letter, 0).find("count")->as_integer(), 2);
  EXPECT_EQ(*entry(letter, 1).find("queue")->as_string(), "b");
  EXPECT_EQ(*read(letter).headers->find("x-first-death-queue")->as_string(), "a");
}

TEST(dead_letter, groups_entries_without_a_count_as_old_brokers_wrote_them) {
  const auto entry_of = [](const char* queue) {
    field_table entry;
    entry.append("reason", "expired");
    entry.append("queue", queue);
    return field_value{std::move(entry)};
  };
  basic_properties old;
  old.headers.emplace();
  old.headers->set("x-death", field_array{entry_of("a"), entry_of("b"), entry_of("a"), entry_of("a")});
  auto letter = make_dead_letter(*made(old), death::expired, "c", "dlx", "k", noon);
  EXPECT_EQ(*entry(letter, 0).find("queue")->as_string(), "c");
  EXPECT_EQ(entry(letter, 1).find("count")->as_integer(), 3);
  EXPECT_EQ(entry(letter, 2).find("count")->as_integer(), 1);
  letter = make_dead_letter(*letter, death::expired, "a", "dlx", "k", noon);
  EXPECT_EQ(*entry(letter, 0).find("queue")->as_string(), "a");
  EXPECT_EQ(entry(letter, 0).find("count")->as_integer(), 4);
  EXPECT_THROW(entry(letter, 3), std::out_of_range);
}

TEST(dead_letter, drops_further_keys_only_if_it_gets_a_key_of_its_own) {
  basic_properties own;
  own.headers.emplace().append("CC", field_array{field_value{"copy"}});
  EXPECT_FALSE(read(make_dead_letter(*made(own), death::maxlen, "q", "dlx", "k", noon)).headers->find("CC"));
  const auto kept = make_dead_letter(*made(own), death::maxlen, "q", "dlx", std::nullopt, noon);
  EXPECT_TRUE(read(kept).headers->find("CC"));
  EXPECT_EQ(std::get<field_array>(entry(kept, 0).find("routing-keys")->value).size(), 2u);
}

TEST(dead_letter, closes_a_circle_only_without_a_rejection_in_it) {
  auto letter = make_dead_letter(*made(), death::expired, "a", "", "b", noon);
  EXPECT_FALSE(closes_circle(*letter, "b"));
  EXPECT_TRUE(closes_circle(*letter, "a"));
  letter = make_dead_letter(*letter, death::expired, "b", "", "a", noon);
  EXPECT_TRUE(closes_circle(*letter, "a"));
  letter = make_dead_letter(*make_dead_letter(*made(), death::rejected, "a", "", "b", noon), death::expired, "b", "",
                            "a", noon);
  EXPECT_FALSE(closes_circle(*letter, "a"));
}

TEST(further_keys, are_read_from_cc_and_bcc) {
  field_table headers;
  headers.append("CC", field_array{field_value{"a"}, field_value{"b"}});
  headers.append("BCC", field_array{field_value{"c"}});
  const auto found = copy_keys(headers);
  EXPECT_EQ(found.keys, (std::vector<std::string>{"a", "b", "c"}));
  basic_properties properties;
  properties.headers = headers;
  const auto seen = without_blind_copies(made(properties));
  EXPECT_FALSE(read(seen).headers->find("BCC"));
  EXPECT_EQ(further_keys_of(*seen, glance_properties(seen->properties())->headers),
            (std::vector<std::string>{"a", "b", "c"}));
  const auto letter = make_dead_letter(*seen, death::expired, "q", "dlx", std::nullopt, noon);
  EXPECT_EQ(letter->hidden_keys(), seen->hidden_keys());
  EXPECT_TRUE(make_dead_letter(*seen, death::expired, "q", "dlx", "k", noon)->hidden_keys().empty());
  EXPECT_TRUE(read(seen).headers->find("CC"));
}

TEST(further_keys, must_be_an_array) {
  basic_properties properties;
  properties.headers.emplace().append("CC", "a");
  const auto bytes = encode_properties(properties);
  const auto wrong = check_copy_keys(glance_properties(bytes)->headers);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().what, "PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,\"CC\",longstr}");
}

TEST(undo_death, gives_the_message_as_it_was_and_marks_it_as_replayed) {
  basic_properties own;
  own.message_id = "m-1";
  const auto before = made(own);
  EXPECT_FALSE(is_replayed(*before));
  auto letter = make_dead_letter(*before, death::rejected, "q", "", "q.dead", noon, 3);
  EXPECT_FALSE(is_replayed(*letter));
  for (const std::int64_t times : {1, 2}) {
    const auto back = undo_death(*letter);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->queue, "q");
    EXPECT_EQ(back->message->exchange(), "shop");
    EXPECT_EQ(back->message->routing_key(), "order");
    EXPECT_TRUE(is_replayed(*back->message));
    const auto properties = read(back->message);
    EXPECT_EQ(properties.message_id, "m-1");
    EXPECT_EQ(properties.headers->find("x-replayed")->as_integer(), times);
    EXPECT_FALSE(properties.headers->find("x-death"));
    letter = make_dead_letter(*back->message, death::rejected, "q", "", "q.dead", noon, 3);
  }
  EXPECT_FALSE(undo_death(*before));
}

} // namespace
} // namespace switchboard::broker
