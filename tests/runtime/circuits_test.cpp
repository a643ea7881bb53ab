#include "runtime/circuits.hpp"

#include <gmock/gmock.h>

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using leave = circuits::leave;

struct circuits_of_a_client : testing::Test {
  metrics counts;
  circuits all{counts};
  circuits::clock_time now{1h};

  void time_out(const std::string& service, int times, milliseconds timeout = 3s) {
    for (int i = 0; i < times; ++i)
      all.timed_out(service, leave::normal, timeout, now);
  }
};

TEST_F(circuits_of_a_client, are_of_one_service_each) {
  time_out("fax", 5);
  EXPECT_EQ(all.ask("fax", 3s, now), leave::refused);
  EXPECT_EQ(all.ask("call", 3s, now), leave::normal);
  EXPECT_GT(all.left("fax", now), 0s);
  EXPECT_EQ(all.left("call", now), 0s);
  EXPECT_THAT(counts.page(), HasSubstr("switchboard_circuit_open{service=\"fax\"} 1"));
  all.answered("fax");
  EXPECT_EQ(all.ask("fax", 3s, now), leave::normal);
  EXPECT_THAT(counts.page(), HasSubstr("switchboard_circuit_open{service=\"fax\"} 0"));
}

TEST_F(circuits_of_a_client, impatient_callers_neither_open_nor_probe) {
  time_out("fax", 100, 20ms);
  EXPECT_EQ(all.ask("fax", 3s, now), leave::normal);
  time_out("fax", 5);
  now += 1min;
  EXPECT_EQ(all.ask("fax", 20ms, now), leave::refused);
  EXPECT_EQ(all.ask("fax", 3s, now), leave::probe);
}

TEST_F(circuits_of_a_client, a_probe_that_fails_counts_as_the_same_opening) {
  time_out("fax", 5);
  now += 1min;
  ASSERT_EQ(all.ask("fax", 3s, now), leave::probe);
  all.timed_out("fax", leave::probe, 3s, now);
  EXPECT_EQ(all.ask("fax", 3s, now), leave::refused);
  EXPECT_THAT(counts.page(), HasSubstr("switchboard_circuit_open{service=\"fax\"} 1"));
  all.answered("fax");
  EXPECT_THAT(counts.page(), HasSubstr("switchboard_circuit_open{service=\"fax\"} 0"));
}

TEST_F(circuits_of_a_client, many_names_share_one_label) {
  for (int number = 0; number < 100; ++number)
    time_out("service-" + std::to_string(number), 5);
  EXPECT_THAT(counts.page(), HasSubstr("switchboard_circuit_open{service=\"other\"} 36"));
  EXPECT_THAT(counts.page(), Not(HasSubstr("service-99")));
}

} // namespace
} // namespace switchboard::runtime
