#include "messages/field_table.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/golden/golden.hpp"
#include "tests/golden/mutate.hpp"

namespace switchboard {
namespace {

std::string encoded(const field_table& table) {
  std::string bytes;
  encode_fields(table, bytes);
  return bytes;
}

/// What tests/golden/field_table.hex says.
field_table one_of_each() {
  field_table nested;
  nested.set("x-match", "all");
  field_table made;
  made.set("V", {});
  made.set("t", true);
  made.set("b", std::int8_t{-128});
  made.set("B", std::uint8_t{255});
  made.set("s", std::int16_t{-32768});
  made.set("u", std::uint16_t{65535});
  made.set("I", std::numeric_limits<std::int32_t>::min());
  made.set("i", std::numeric_limits<std::uint32_t>::max());
  made.set("l", std::int64_t{-2});
  made.set("L", std::uint64_t{42});
  made.set("f", 1.0F);
  made.set("d", -2.0);
  made.set("D", decimal{2, 12345});
  made.set("S", "cal");
  made.set("A", field_array{"a", field_value{}});
  made.set("T", timestamp{1768910400});
  made.set("F", nested);
  made.set("x", byte_array{std::string("\0\xff", 2)});
  return made;
}

/// `levels` tables around nothing, each in a field "n".
std::string nested_tables(std::uint32_t levels) {
  constexpr std::uint32_t header_size = 7; // name length, "n", 'F', four bytes of length
  std::string bytes;
  for (auto inside = (levels - 1) * header_size; inside > 0;) {
    inside -= header_size;
    bytes += "\x01nF";
    for (const int shift : {24, 16, 8, 0})
      bytes += static_cast<char>(inside >> shift & 0xff);
  }
  return bytes;
}

TEST(field_table, reads_the_golden_bytes) {
  const auto read = decode_fields(golden::bytes("field_table.hex"));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(*read, one_of_each());
}

TEST(field_table, writes_the_golden_bytes) { EXPECT_EQ(encoded(one_of_each()), golden::bytes("field_table.hex")); }

TEST(field_table, cut_off_anywhere_is_an_error_or_a_table_of_fewer_fields) {
  const auto whole = golden::bytes("field_table.hex");
  int readable = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = decode_fields(std::string_view{whole}.substr(0, size));
    if (!read) {
      EXPECT_EQ(read.error().code, errc::bad_format);
      continue;
    }
    ++readable;
    EXPECT_EQ(encoded(*read), whole.substr(0, size));
  }
  EXPECT_EQ(readable, 18); // the ends of 0 to 17 whole fields; everything between is refused
}

TEST(field_table, every_single_field_cut_short_is_refused) {
  const auto whole = one_of_each();
  for (const auto& [name, value] : whole.fields()) {
    field_table one;
    one.set(name, value);
    const auto bytes = encoded(one);
    for (std::size_t size = 1; size < bytes.size(); ++size)
      EXPECT_FALSE(decode_fields(bytes.substr(0, size))) << name << " at " << size;
  }
}

TEST(field_table, a_length_that_lies_is_refused_without_allocating_it) {
  for (const char letter : {'S', 'x', 'F', 'A'}) {
    for (const auto* length : {"\x00\x00\x00\x01", "\x7f\xff\xff\xff", "\x80\x00\x00\x00", "\xff\xff\xff\xff"}) {
      const auto bytes = std::string("\x01n") + letter + std::string(length, 4);
      const auto read = decode_fields(bytes);
      ASSERT_FALSE(read) << letter;
      EXPECT_EQ(read.error().code, errc::bad_format);
    }
  }
}

void expect_same_verdict(std::string_view bytes) {
  const auto read = decode_fields(bytes);
  const auto good = check_fields(bytes);
  ASSERT_EQ(good.has_value(), read.has_value());
  if (!good) {
    EXPECT_EQ(good.error().what, read.error().what);
  }
}

TEST(field_table, is_checked_as_it_is_read) {
  const auto whole = golden::bytes("field_table.hex");
  expect_same_verdict(whole);
  for (std::size_t size = 0; size < whole.size(); ++size)
    expect_same_verdict(std::string_view{whole}.substr(0, size));
  for (int letter = 0; letter < 256; ++letter)
    expect_same_verdict(std::string("\x01n") + static_cast<char>(letter) + std::string(16, '\0'));
  for (const int levels : {1, field_depth_max, field_depth_max + 1, 18000})
    expect_same_verdict(nested_tables(static_cast<std::uint32_t>(levels)));
  auto both = nested_tables(field_depth_max + 1); // too deep, and the innermost length lies
  both[both.size() - 4] = '\x08';
  expect_same_verdict(both);
  std::mt19937 dice{1};
  for (int i = 0; i < 20'000; ++i)
    expect_same_verdict(golden::mutate(whole, dice));
}

TEST(field_table, nests_to_its_limit_and_no_further) {
  EXPECT_TRUE(decode_fields(nested_tables(field_depth_max)));
  const auto deeper = decode_fields(nested_tables(field_depth_max + 1));
  ASSERT_FALSE(deeper);
  EXPECT_EQ(deeper.error().code, errc::too_large);
}

TEST(field_table, a_frame_full_of_nesting_is_refused) {
  const auto tables = decode_fields(nested_tables(18000)); // 126 kB
  ASSERT_FALSE(tables);
  EXPECT_EQ(tables.error().code, errc::too_large);
}

TEST(field_table, refuses_unknown_types_and_takes_names_as_long_as_a_short_string) {
  for (int letter = 0; letter < 256; ++letter) {
    if (std::string_view{"VtbBsuIilLfdDSATFx"}.find(static_cast<char>(letter)) != std::string_view::npos)
      continue;
    auto bytes = std::string("\x01n") + static_cast<char>(letter) + std::string(16, '\0');
    EXPECT_EQ(decode_fields(bytes).error().code, errc::bad_format) << letter;
  }
  const auto named = [](int size) {
    return static_cast<char>(size) + std::string(static_cast<std::size_t>(size), 'n') + 'V';
  };
  EXPECT_TRUE(decode_fields(named(0)));
  EXPECT_TRUE(decode_fields(named(129))); // the book's limit is 128, RabbitMQ has none
  EXPECT_TRUE(decode_fields(named(127)));
}

TEST(field_table, keeps_a_name_that_stands_twice_and_the_last_one_counts) {
  const std::string bytes{"\x01nB\x01\x01nB\x02"};
  auto read = decode_fields(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), 2U);
  EXPECT_EQ(read->find("n")->as_integer(), 2);
  EXPECT_EQ(encoded(*read), bytes);
  read->erase("n");
  EXPECT_TRUE(read->empty());
}

TEST(field_table, set_replaces_in_place) {
  field_table table;
  table.set("a", 1);
  table.set("b", 2);
  table.set("a", "three");
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table.fields()[0].first, "a");
  EXPECT_EQ(*table.find("a")->as_string(), "three");
  EXPECT_EQ(table.find("c"), nullptr);
}

TEST(field_value, reads_integers_of_any_width) {
  EXPECT_EQ(field_value{std::int8_t{-1}}.as_integer(), -1);
  EXPECT_EQ(field_value{std::uint32_t{4294967295U}}.as_integer(), 4294967295);
  EXPECT_EQ(field_value{std::uint64_t{1} << 62}.as_integer(), std::int64_t{1} << 62);
  EXPECT_EQ(field_value{std::uint64_t{1} << 63}.as_integer(), std::nullopt);
  EXPECT_EQ(field_value{true}.as_integer(), std::nullopt);
  EXPECT_EQ(field_value{1.0}.as_integer(), std::nullopt);
  EXPECT_EQ(field_value{"1"}.as_integer(), std::nullopt);
}

TEST(field_value, names_its_type_as_rabbitmq_does) {
  const auto table = one_of_each();
  const std::pair<const char*, const char*> names[] = {
      {"V", "void"},      {"t", "bool"},          {"b", "byte"},      {"B", "unsignedbyte"}, {"s", "short"},
      {"d", "double"},    {"u", "unsignedshort"}, {"I", "signedint"}, {"i", "unsignedint"},  {"l", "long"},
      {"L", "long"},      {"f", "float"},         {"D", "decimal"},   {"S", "longstr"},      {"A", "array"},
      {"T", "timestamp"}, {"F", "table"},         {"x", "binary"}};
  for (const auto& [name, type] : names)
    EXPECT_EQ(table.find(name)->type_name(), type);
}

TEST(field_table, mutated_bytes_never_crash_and_what_is_read_is_stable) {
  const auto whole = golden::bytes("field_table.hex");
  std::mt19937 dice{4711};
  int readable = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto read = decode_fields(golden::mutate(whole, dice));
    if (!read)
      continue;
    ++readable;
    const auto again = encoded(*read);
    const auto reread = decode_fields(again);
    ASSERT_TRUE(reread);
    EXPECT_EQ(encoded(*reread), again);
  }
  EXPECT_GT(readable, 100); // the damage isn't always fatal, or this would test nothing
}

} // namespace
} // namespace switchboard
