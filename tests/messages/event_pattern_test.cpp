#include "messages/event_pattern.hpp"

#include <gtest/gtest.h>

namespace switchboard {
namespace {

TEST(event_pattern, is_a_type_or_a_resource_or_everything) {
  for (const auto* good : {"*", "call.*", "call.ended", "activeflow.updated", "agent.status_change"})
    EXPECT_TRUE(is_event_pattern(good)) << good;
  for (const auto* bad : {"", "call", "call.", ".ended", "*.ended", "**", "call.e*", "call.ended.x", "Call.ended",
                          "call ended", "call.*.x"})
    EXPECT_FALSE(is_event_pattern(bad)) << bad;
}

TEST(event_pattern, matches_whole_words) {
  EXPECT_TRUE(matches_event("*", "call.ended"));
  EXPECT_TRUE(matches_event("call.*", "call.ended"));
  EXPECT_FALSE(matches_event("call.*", "callx.ended"));
  EXPECT_FALSE(matches_event("call.*", "groupcall.ended"));
  EXPECT_TRUE(matches_event("call.ended", "call.ended"));
  EXPECT_FALSE(matches_event("call.ended", "call.ended_x"));
}

} // namespace
} // namespace switchboard
