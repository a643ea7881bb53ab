#include "broker/amqp_reply.hpp"

#include <gtest/gtest.h>

namespace switchboard::broker {
namespace {

TEST(amqp_reply, the_name_in_front_decides_the_code) {
  EXPECT_EQ(reply_code(not_found("no x")), 404);
  EXPECT_EQ(reply_code(access_refused("x")), 403);
  EXPECT_EQ(reply_code(resource_locked("x")), 405);
  EXPECT_EQ(reply_code(precondition_failed("x")), 406);
  EXPECT_EQ(reply_code(command_invalid("x")), 503);
  EXPECT_EQ(reply_code({errc::internal, "NOT_ALLOWED - x"}), 530);
  EXPECT_EQ(reply_code({errc::internal, "NOT_IMPLEMENTED - x"}), 540);
  EXPECT_EQ(reply_code({errc::not_found, "INTERNAL_ERROR - x"}), 541);
}

TEST(amqp_reply, without_a_name_the_kind_of_error_decides) {
  EXPECT_EQ(reply_code({errc::not_found, "x"}), 404);
  EXPECT_EQ(reply_code({errc::access_refused, ""}), 403);
  EXPECT_EQ(reply_code({errc::resource_locked, ""}), 405);
  EXPECT_EQ(reply_code({errc::precondition_failed, ""}), 406);
  EXPECT_EQ(reply_code({errc::wrong_state, ""}), 406);
  EXPECT_EQ(reply_code({errc::not_implemented, ""}), 540);
  EXPECT_EQ(reply_code({errc::io_failed, "disk"}), 541);
  EXPECT_EQ(reply_code({errc::not_found, "NOT_ALLOWED-x"}), 404);
}

TEST(amqp_reply, a_text_is_name_and_explanation) {
  EXPECT_EQ(not_found("no " + named("queue", "q", "/")),
            (error{errc::not_found, "NOT_FOUND - no queue 'q' in vhost '/'"}));
}

} // namespace
} // namespace switchboard::broker
