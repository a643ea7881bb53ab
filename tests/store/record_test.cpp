#include "store/record.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "store/key.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

const std::string here = "a key of 16 byte"; // as long as a message's

struct sealed {
  std::string name;
  std::string value;
  std::function<bool(std::string_view key, std::string_view value)> reads; ///< as what was written
};

entity_record full_entity() {
  return {"call", "c1", "customer", 3, 17, 9, at_ms(-5), at_ms(6), std::string("\0{}", 3)};
}

std::string message_value(std::string_view key, const message& from) {
  std::string value(message_value_bytes(from), '?');
  write_message(key, from, value.data());
  return value;
}

std::vector<sealed> one_of_each() {
  sealer seals;
  std::vector<sealed> all;
  const auto add = [&](std::string name, std::string_view value, auto reads) {
    all.push_back({std::move(name), std::string{value}, std::move(reads)});
  };
  add("entity", seals.seal(here, full_entity()), [](auto key, auto value) {
    const auto r = decode_entity(key, value);
    const auto w = full_entity();
    return r && r->type == w.type && r->id == w.id && r->customer_id == w.customer_id && r->sequence == 17 &&
           r->state_version == 3 && r->epoch == 9 && r->created == w.created && r->updated == w.updated &&
           r->state == w.state;
  });
  add("journal", seals.seal(here, journal_record{"call", "c1", 4, 5, at_ms(6), "{}"}), [](auto key, auto value) {
    const auto r = decode_journal(key, value);
    return r && r->type == "call" && r->id == "c1" && r->sequence == 4 && r->epoch == 5 && r->at == at_ms(6) &&
           r->bytes == "{}";
  });
  add("reply", seals.seal(here, reply_record{"scope", "m1", at_ms(8), "{}"}), [](auto key, auto value) {
    const auto r = decode_reply(key, value);
    return r && r->scope == "scope" && r->message_id == "m1" && r->expires == at_ms(8) && r->bytes == "{}";
  });
  add("timer", seals.seal(here, timer_record{"call", "c1", "ring", 2, at_ms(9), "pay"}), [](auto key, auto value) {
    const auto r = decode_timer(key, value);
    return r && r->type == "call" && r->id == "c1" && r->name == "ring" && r->epoch == 2 && r->due == at_ms(9) &&
           r->payload == "pay";
  });
  add("outbox", seals.seal(here, outbox_record{7, 8, "bytes"}), [](auto key, auto value) {
    const auto r = decode_outbox(key, value);
    return r && r->number == 7 && r->epoch == 8 && r->bytes == "bytes";
  });
  add("topology", seals.seal(here, batch::topology_put{"name", "bytes"}), [](auto key, auto value) {
    const auto r = decode_topology(key, value);
    return r && r->key == "name" && r->bytes == "bytes";
  });
  add("number", seals.seal(here, std::uint64_t{1234567890123}),
      [](auto key, auto value) { return decode_number(key, value) == 1234567890123; });
  add("message", message_value(here, *make_message("ex", "rk", "props", "body", true)), [](auto key, auto value) {
    const auto r = decode_message(key, value);
    return r && r->message->exchange() == "ex" && r->message->routing_key() == "rk" &&
           r->message->properties() == "props" && r->message->body() == "body" && r->message->persistent();
  });
  return all;
}

TEST(record, each_kind_is_read_as_it_was_written) {
  for (auto& one : one_of_each())
    EXPECT_TRUE(one.reads(here, one.value)) << one.name;
  const auto key = message_key(3, 4);
  const auto back = decode_message(key, message_value(key, *make_message("", "", "", "", false)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->queue, 3u);
  EXPECT_EQ(back->at, 4u);
  EXPECT_EQ(back->message->body(), "");
  EXPECT_FALSE(back->message->persistent());
}

TEST(record, any_flipped_bit_is_found) {
  for (auto& one : one_of_each())
    for (std::size_t bit = 0; bit < one.value.size() * 8; ++bit) {
      auto bent = one.value;
      bent[bit / 8] = static_cast<char>(bent[bit / 8] ^ 1 << bit % 8);
      EXPECT_FALSE(unseal(here, bent)) << one.name << " bit " << bit;
      EXPECT_FALSE(one.reads(here, bent)) << one.name << " bit " << bit;
    }
}

TEST(record, under_another_key_it_fails) {
  for (auto& one : one_of_each()) {
    EXPECT_FALSE(unseal("a key of 16 bytf", one.value)) << one.name;
    EXPECT_TRUE(unseal(here, one.value)) << one.name;
  }
}

TEST(record, cut_off_or_longer_it_fails) {
  for (auto& one : one_of_each()) {
    for (std::size_t size = 0; size < one.value.size(); ++size)
      EXPECT_FALSE(unseal(here, std::string_view{one.value}.substr(0, size))) << one.name << ' ' << size;
    EXPECT_FALSE(unseal(here, one.value + 'x')) << one.name;
  }
}

TEST(record, a_well_sealed_payload_of_the_wrong_shape_is_refused) {
  sealer seals;
  const std::string value{seals.seal(here, outbox_record{7, 8, "bytes"})};
  EXPECT_FALSE(decode_entity(here, value));
  EXPECT_FALSE(decode_journal(here, value));
  EXPECT_FALSE(decode_reply(here, value));
  EXPECT_FALSE(decode_timer(here, value));
  EXPECT_FALSE(decode_number(here, value));
  const std::string empty{seals.seal(here)};
  EXPECT_FALSE(decode_outbox(here, empty));
  EXPECT_FALSE(decode_message(here, empty));
}

TEST(record, a_message_on_disk_has_these_bytes) {
  const std::string key(16, '\0');
  const auto value = message_value(key, *make_message("e", "rk", "pp", "body", true));
  EXPECT_EQ(value.substr(4), std::string("\x01"             // persistent
                                         "\x01"             // size of exchange
                                         "\x02"             // size of routing key
                                         "\x00\x00\x00\x02" // size of properties
                                         "erkppbody",
                                         16));
  // zlib.crc32(16 * b"\0" + payload), big-endian
  EXPECT_EQ(value.substr(0, 4), std::string("\x92\x2e\x78\xfd", 4));
}

TEST(record, the_indexed_time_is_read_without_the_rest) {
  sealer seals;
  EXPECT_EQ(indexed_time(here, seals.seal(here, full_entity())), at_ms(-5));
  EXPECT_EQ(indexed_time(here, seals.seal(here, a_timer("ring", 9))), at_ms(9));
  EXPECT_EQ(indexed_time(here, seals.seal(here, a_reply("m", 8))), at_ms(8));
  EXPECT_EQ(indexed_time(here, seals.seal(here, a_line("c1", 1, 7))), at_ms(7));
  EXPECT_FALSE(indexed_time("other", seals.seal(here, a_reply("m", 8))));
  EXPECT_FALSE(indexed_time(here, seals.seal(here)));
}

} // namespace
} // namespace switchboard::store
