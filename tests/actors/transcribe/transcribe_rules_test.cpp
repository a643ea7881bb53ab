#include "actors/transcribe/transcribe_rules.hpp"

#include <gtest/gtest.h>

namespace switchboard::telephony {
namespace {

TEST(transcribe_status, only_goes_forward) {
  for (int from = 0; from < 4; ++from)
    for (int to = 0; to < 4; ++to)
      EXPECT_EQ(may_change(static_cast<transcribe_status>(from), static_cast<transcribe_status>(to)), from < to);
}

TEST(language, is_a_tag_of_one_to_three_parts) {
  for (const char* good : {"en", "en-US", "zh-Hans-CN", "yue", "es-419"})
    EXPECT_TRUE(is_language(good)) << good;
  for (const char* bad :
       {"", "e", "english", "en-", "en_US", "-US", "en-U", "e1", "en-US-x-y", "en--US", "de-toolonger", "en US"})
    EXPECT_FALSE(is_language(bad)) << bad;
}

} // namespace
} // namespace switchboard::telephony
