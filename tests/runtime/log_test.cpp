#include "runtime/log.hpp"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchboard::runtime::log {
namespace {

TEST(log, renders_an_event_and_its_fields) {
  EXPECT_EQ(render(level::info, "call_answered", {{"call", "call-7"}, {"ring_ms", 1200}}, "text"),
            "info call_answered call=call-7 ring_ms=1200");
}

TEST(log, quotes_values_that_would_break_a_line) {
  EXPECT_EQ(render(level::error, "e", {{"a", "two words"}, {"b", ""}, {"c", "x\ny"}, {"d", "say \"hi\""}, {"e", "k=v"}},
                   "text"),
            R"(error e a="two words" b="" c="x\ny" d="say \"hi\"" e="k=v")");
}

TEST(log, renders_json_that_a_program_can_read) {
  const auto line = render(level::warning, "e", {{"a", "two \"words\"\n"}, {"bad", std::string{"\xff"}}}, "json");
  const auto value = nlohmann::json::parse(line);
  EXPECT_EQ(value["level"], "warning");
  EXPECT_EQ(value["event"], "e");
  EXPECT_EQ(value["a"], "two \"words\"\n");
  EXPECT_EQ(value["bad"], "\xef\xbf\xbd");
}

TEST(log, writes_one_line_with_its_time_for_each_event_and_loses_none_at_the_stop) {
  testing::internal::CaptureStderr();
  start(level::info, "json");
  debug("too_small");
  for (int line = 0; line < 100; ++line)
    info("tick", {{"line", line}});
  stop();
  const auto text = testing::internal::GetCapturedStderr();
  std::size_t lines = 0;
  for (std::size_t from = 0, end; (end = text.find('\n', from)) != std::string::npos; from = end + 1, ++lines) {
    const auto value = nlohmann::json::parse(text.substr(from, end - from));
    EXPECT_EQ(value["line"], std::to_string(lines));
    EXPECT_EQ(value["time"].get<std::string>().size(), 24U);
    EXPECT_EQ(value["event"], "tick");
  }
  EXPECT_EQ(lines, 100U);
}

TEST(log, without_a_start_warnings_still_reach_people) {
  testing::internal::CaptureStderr();
  info("nobody_reads");
  warning("look_here", {{"why", "test"}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "warning look_here why=test\n");
}

} // namespace
} // namespace switchboard::runtime::log
