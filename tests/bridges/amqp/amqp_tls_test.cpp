#include "bridges/amqp/amqp_tls.hpp"

#include <gtest/gtest.h>

namespace switchboard::amqp {
namespace {

// What passes through it is tested with real clients in tests/system/test_amqps.py; here is what no client does.

TEST(tls_context, names_the_file_that_is_wrong) {
  for (const auto* file : {"/nowhere.pem", "/dev/null"}) {
    tls_options how;
    how.certificate_file = file;
    const auto made = tls_context::make(how);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, errc::bad_format);
    EXPECT_TRUE(made.error().what.starts_with(file)) << made.error().what;
  }
}

} // namespace
} // namespace switchboard::amqp
