// Where records go in the log's file: what is frozen is never written over, and there is always room in the end.
#include "store/write_ahead_log.hpp"

#include <gtest/gtest.h>

#include <random>

#include "store/log_record.hpp"
#include "temporary_store.hpp"

namespace switchboard::store {
namespace {

constexpr std::uint64_t bytes_max = 8u << 20;

struct stretch {
  std::uint64_t begin = 0, end = 0;
};

TEST(write_ahead_log, nothing_frozen_is_written_over_and_a_quarter_is_free_once_nothing_is) {
  const temporary_directory directory;
  auto log = write_ahead_log::open(directory.path(), bytes_max, false);
  ASSERT_TRUE(log);
  std::mt19937 dice{20261122};
  stretch frozen, growing;
  bool is_frozen = false;
  int appended = 0, fronts = 0;
  for (int step = 0; step < 20'000; ++step) {
    const auto most = std::min(log->room(), bytes_max / 4) / log_page_bytes;
    if (dice() % 3 != 0 && most > 0) {
      const auto size = (1 + dice() % std::min<std::uint64_t>(most, dice() % 20 ? 8 : most)) * log_page_bytes;
      ASSERT_TRUE(log->append(std::string(size, 'x')));
      growing.end += size;
      ASSERT_LE(growing.end, bytes_max);
      if (is_frozen && frozen.begin < frozen.end)
        ASSERT_TRUE(growing.end <= frozen.begin || growing.begin >= frozen.end);
      ++appended;
    } else if (is_frozen) {
      log->forget_frozen();
      is_frozen = false;
    } else {
      const auto at = log->freeze();
      if (growing.begin == growing.end) {
        ASSERT_EQ(at, growing.begin) << "nothing was appended, so the place stays: it is written down";
      } else {
        frozen = growing;
        is_frozen = true;
        fronts += at == 0;
        growing = {at, at};
      }
    }
    if (!is_frozen && growing.begin == growing.end)
      ASSERT_GE(log->room(), bytes_max / 4);
  }
  EXPECT_GT(appended, 5'000);
  EXPECT_GT(fronts, 10);
}

TEST(write_ahead_log, with_little_traffic_the_file_stays_small) {
  const temporary_directory directory;
  auto log = write_ahead_log::open(directory.path(), bytes_max, false);
  ASSERT_TRUE(log);
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(log->append(std::string(log_page_bytes, 'x')));
    log->freeze();
    log->forget_frozen();
  }
  EXPECT_EQ(log->bytes_to_come(), bytes_max - (2u << 20));
}

TEST(write_ahead_log, after_a_rewind_all_of_it_is_free) {
  const temporary_directory directory;
  auto log = write_ahead_log::open(directory.path(), bytes_max, false);
  ASSERT_TRUE(log);
  ASSERT_TRUE(log->append(std::string(bytes_max / 2, 'x')));
  log->freeze();
  log->forget_frozen();
  log->rewind();
  EXPECT_EQ(log->room(), bytes_max);
}

} // namespace
} // namespace switchboard::store
