#include <gtest/gtest.h>

#include "actors/call/call_rules.hpp"
#include "sdk/names.hpp"

namespace switchboard::telephony {
namespace {

using enum call_status;

TEST(call_rules, the_table_of_statuses_is_voipbins) {
  // Rows: from; columns: dialing ringing progressing terminating canceling hangup.
  const std::string_view table[] = {".xxxxx", "..xxxx", "...x.x", ".....x", ".....x", "......"};
  for (int from = 0; from < 6; ++from) {
    for (int to = 0; to < 6; ++to)
      EXPECT_EQ(may_change(call_status{from}, call_status{to}), table[from][to] == 'x')
          << sdk::text(call_status{from}) << " -> " << sdk::text(call_status{to});
  }
}

TEST(call_rules, an_outgoing_call_that_was_not_answered_is_canceled_all_others_are_terminated) {
  EXPECT_EQ(when_we_hang_up(dialing, call_direction::outgoing), canceling);
  EXPECT_EQ(when_we_hang_up(ringing, call_direction::outgoing), canceling);
  EXPECT_EQ(when_we_hang_up(progressing, call_direction::outgoing), terminating);
  EXPECT_EQ(when_we_hang_up(ringing, call_direction::incoming), terminating);
  EXPECT_EQ(when_we_hang_up(progressing, call_direction::incoming), terminating);
}

TEST(call_rules, the_end_has_an_author_and_a_reason) {
  struct {
    call_status last;
    call_direction way;
    const char *cause, *by, *reason;
  } const cases[] = {
      {dialing, call_direction::outgoing, "busy", "remote", "busy"},
      {dialing, call_direction::outgoing, "unreachable", "remote", "failed"},
      {dialing, call_direction::outgoing, "", "remote", "dialout"},
      {ringing, call_direction::outgoing, "no_answer", "remote", "noanswer"},
      {ringing, call_direction::outgoing, "rejected", "remote", "noanswer"},
      {ringing, call_direction::outgoing, "normal", "remote", "normal"},
      {ringing, call_direction::incoming, "no_answer", "remote", "noanswer"},
      {ringing, call_direction::incoming, "busy", "remote", "busy"},
      {ringing, call_direction::incoming, "anything", "remote", "normal"},
      {progressing, call_direction::outgoing, "normal", "remote", "normal"},
      {progressing, call_direction::outgoing, "unreachable", "remote", "normal"},
      {terminating, call_direction::outgoing, "normal", "local", "normal"},
      {canceling, call_direction::outgoing, "normal", "local", "cancel"},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(hangup_by(one.last), one.by) << sdk::text(one.last) << one.cause;
    EXPECT_EQ(hangup_reason(one.last, one.way, one.cause), one.reason) << sdk::text(one.last) << one.cause;
  }
}

} // namespace
} // namespace switchboard::telephony
