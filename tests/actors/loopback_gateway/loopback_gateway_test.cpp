// The simulated SMS gateway: which phone plays what, and what it says; the message is played by the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/loopback_gateway/loopback_gateway.hpp"
#include "actors/loopback_gateway/loopback_gateway_rules.hpp"
#include "sdk/testing.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(phone, is_chosen_by_the_last_four_digits) {
  EXPECT_EQ(phone_of("+15559876543"), phone{});
  EXPECT_EQ(phone_of("+15559870200"), (phone{phone_answer::refuses}));
  EXPECT_EQ(phone_of("+15559870300"), (phone{phone_answer::no_report}));
  EXPECT_EQ(phone_of("+15559870400"), (phone{phone_answer::no_answer}));
  EXPECT_EQ(phone_of("+15559870500"), (phone{phone_answer::fails}));
  EXPECT_EQ(phone_of("+15559870600"), (phone{phone_answer::replies}));
  EXPECT_EQ(phone_of("+15559870712"), (phone{phone_answer::delivers, 12}));
  for (const char* other : {"", "200", "07ab", "+155598707a1"})
    EXPECT_EQ(phone_of(other), phone{}) << other;
}

class gateway_alone : public ::testing::Test {
protected:
  gateway_alone() { world_.add(sdk::abi_of<&loopback_gateway_type>()); }
  ~gateway_alone() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  void submit(const std::string& number, int attempt = 1) {
    world_.tell(
        {"sms_gateway", "m.1"}, "submit",
        {{"customer_id", "t"}, {"source", "Shop"}, {"destination", number}, {"text", "x"}, {"attempt", attempt}},
        {"message", "m"});
    world_.settle();
  }
  std::vector<std::string> said() const {
    std::vector<std::string> names;
    for (const auto& one : world_.outside())
      names.push_back(one.name);
    return names;
  }

  sdk::test_kit::world world_;
};

TEST_F(gateway_alone, a_repeated_submit_changes_nothing) {
  submit("+15559876543");
  submit("+15559876543");
  world_.advance(100ms);
  submit("+15559876543");
  world_.advance(1min);
  EXPECT_THAT(said(), ElementsAre("submitted", "delivery_report"));
  EXPECT_THAT(world_.ids("sms_gateway"), IsEmpty());
}

TEST_F(gateway_alone, a_throttled_number_is_taken_at_last) {
  submit("+15559870702", 1);
  submit("+15559870702", 2);
  submit("+15559870702", 3);
  world_.advance(1min);
  EXPECT_THAT(said(), ElementsAre("refused", "refused", "submitted", "delivery_report"));
  EXPECT_EQ(json::parse(world_.outside()[0].body)["transient"], true);
}

TEST_F(gateway_alone, who_never_answers_keeps_nothing) {
  submit("+15559870400");
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_THAT(world_.ids("sms_gateway"), IsEmpty());
}

TEST_F(gateway_alone, timers_of_another_time_do_nothing_but_end_it) {
  submit("+15559876543");
  world_.expire({"sms_gateway", "m.1"}, "accept");
  world_.expire({"sms_gateway", "m.1"}, "accept");
  world_.settle();
  EXPECT_THAT(said(), ElementsAre("submitted"));
  world_.expire({"sms_gateway", "m.1"}, "report");
  world_.advance(1min);
  EXPECT_THAT(said(), ElementsAre("submitted", "delivery_report"));
}

} // namespace
} // namespace switchboard::telephony
