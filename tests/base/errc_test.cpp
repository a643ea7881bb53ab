#include "base/errc.hpp"

#include <gtest/gtest.h>

#include <set>

namespace switchboard {
namespace {

TEST(errc, every_value_has_its_own_text_and_a_sentence) {
  std::set<std::string_view> texts;
  for (auto code = errc::bad_format; code <= errc::internal; code = static_cast<errc>(static_cast<int>(code) + 1)) {
    EXPECT_TRUE(texts.insert(text(code)).second) << text(code);
    EXPECT_TRUE(sentence(code).ends_with('.')) << text(code);
  }
  EXPECT_EQ(texts.size(), 14U);
}

TEST(errc, texts_are_what_logs_and_clients_rely_on) {
  EXPECT_EQ(text(errc::bad_format), "bad_format");
  EXPECT_EQ(text(errc::precondition_failed), "precondition_failed");
  EXPECT_EQ(text(errc::internal), "internal");
}

} // namespace
} // namespace switchboard
