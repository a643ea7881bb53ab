#include "bridges/amqp/amqp_codec_bytes.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/bridges/amqp/amqp_codec_samples.hpp"

namespace switchboard::amqp {
namespace {

using samples::exact_copy;
using samples::octets;

TEST(amqp_codec_bytes, numbers_are_big_endian) {
  std::string out;
  byte_writer writer{out};
  writer.number(std::uint8_t{0x01});
  writer.number(std::uint16_t{0x0203});
  writer.number(std::uint32_t{0x04050607});
  writer.number(std::uint64_t{0x08090A0B0C0D0E0F});
  EXPECT_EQ(out, octets(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_EQ(load<std::uint32_t>(out.data() + 3), 0x04050607U);
}

TEST(amqp_codec_bytes, a_number_that_is_not_whole_fails_and_changes_nothing) {
  for (std::size_t size = 0; size < 8; ++size) {
    const exact_copy bytes{std::string(size, '\x01')};
    byte_reader reader{bytes.view()};
    std::uint64_t value = 42;
    reader.number(value);
    EXPECT_FALSE(reader.ok()) << size;
    EXPECT_EQ(value, 42U);
  }
}

TEST(amqp_codec_bytes, a_failed_reader_stays_failed_though_bytes_are_left) {
  const exact_copy bytes{octets(9, 'a', 'b')}; // a string of 9 of which 2 are there
  byte_reader reader{bytes.view()};
  std::string_view text = "before";
  reader.short_string(text);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(text, "before");
  std::uint8_t number = 7;
  reader.number(number);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(number, 7);
}

TEST(amqp_codec_bytes, finished_means_everything_there_and_nothing_left) {
  const exact_copy bytes{octets(1, 'a', 5)};
  byte_reader reader{bytes.view()};
  std::string_view text;
  reader.short_string(text);
  EXPECT_EQ(text, "a");
  EXPECT_TRUE(reader.ok());
  EXPECT_FALSE(reader.finished());
  std::uint8_t number = 0;
  reader.number(number);
  EXPECT_EQ(number, 5);
  EXPECT_TRUE(reader.finished());
}

TEST(amqp_codec_bytes, the_first_bit_is_the_lowest) {
  std::string out;
  byte_writer{out}.bits(true, false, false, true);
  EXPECT_EQ(out, octets(0b1001));
  bool first = false, second = true, third = true, fourth = false;
  byte_reader reader{out};
  reader.bits(first, second, third, fourth);
  EXPECT_TRUE(first && !second && !third && fourth);
  EXPECT_TRUE(reader.finished());
}

} // namespace
} // namespace switchboard::amqp
