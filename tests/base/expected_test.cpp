#include "base/expected.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace switchboard {
namespace {

TEST(expected, holds_a_value_or_an_error) {
  const expected<int> good{7};
  const expected<int> bad{errc::not_found, "no such call"};
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(), (error{errc::not_found, "no such call"}));
}

TEST(expected, gives_up_values_that_only_move) {
  expected<std::unique_ptr<int>> held{std::make_unique<int>(7)};
  const auto taken = *std::move(held);
  EXPECT_EQ(*taken, 7);
}

TEST(expected, of_an_error_like_value_is_still_a_value) {
  const expected<std::string> text{std::string{"fine"}};
  EXPECT_EQ(text->size(), 4U);
}

TEST(expected, of_nothing_is_good_unless_told) {
  EXPECT_TRUE(expected<void>{});
  const expected<void> bad{errc::stopping, ""};
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, errc::stopping);
}

} // namespace
} // namespace switchboard
