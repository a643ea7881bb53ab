#include "messages/message.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace switchboard {
namespace {

TEST(message, holds_its_five_parts) {
  const auto made = make_message("call.events", "key", std::string_view("\0\0", 2), "body", true);
  EXPECT_EQ(made->exchange(), "call.events");
  EXPECT_EQ(made->routing_key(), "key");
  EXPECT_EQ(made->properties(), std::string_view("\0\0", 2));
  EXPECT_EQ(made->body(), "body");
  EXPECT_TRUE(made->persistent());
  EXPECT_EQ(made->footprint(), sizeof(message) + 11 + 3 + 2 + 4);
}

TEST(message, may_be_empty_in_every_part_and_full_in_its_names) {
  const auto none = make_message("", "", "", "", false);
  EXPECT_EQ(none->body(), "");
  EXPECT_FALSE(none->persistent());
  const std::string longest(255, 'k');
  const auto full = make_message(longest, longest, "", std::string(100000, 'b'), false);
  EXPECT_EQ(full->exchange(), longest);
  EXPECT_EQ(full->routing_key(), longest);
  EXPECT_EQ(full->body().size(), 100000U);
}

TEST(message, is_filled_in_as_many_parts_as_arrive) {
  message_builder builder{"x", "k", "pp", 6, false};
  EXPECT_EQ(builder.missing(), 6U);
  builder.append("ab");
  builder.append("");
  builder.append("cdef");
  EXPECT_EQ(builder.missing(), 0U);
  const auto made = builder.finish();
  EXPECT_EQ(made->body(), "abcdef");
  EXPECT_EQ(builder.missing(), 0U);
}

TEST(message, counts_the_memory_of_the_living) {
  const auto before = message::resident_bytes();
  const auto more = [&] { return message::resident_bytes() - before; };
  {
    auto first = make_message("x", "k", "", std::string(1000, 'b'), false);
    const auto second = first;
    const auto one = more();
    EXPECT_GE(one, static_cast<std::int64_t>(first->footprint() + message::keeping_bytes));
    EXPECT_LE(one, static_cast<std::int64_t>(first->footprint() * 5 / 4 + message::keeping_bytes))
        << "no allocator is that bad";
    first = {};
    EXPECT_EQ(more(), one);
    const message_builder abandoned{"x", "k", "", 500, false};
    EXPECT_GT(more(), one + 500);
  }
  EXPECT_EQ(more(), 0);
}

TEST(message_ptr, copies_share_and_moves_leave_nothing) {
  auto first = make_message("", "", "", "b", false);
  const auto copy = first;
  EXPECT_EQ(copy, first);
  auto moved = std::move(first);
  EXPECT_FALSE(first);
  EXPECT_EQ(moved, copy);
  moved = *&moved; // assignment to itself keeps it alive
  EXPECT_EQ(moved->body(), "b");
}

TEST(message_ptr, may_be_dropped_by_any_thread) {
  const auto before = message::resident_bytes();
  {
    const auto shared = make_message("x", "k", "", std::string(64, 'b'), false);
    std::vector<std::thread> running;
    for (int i = 0; i < 4; ++i)
      running.emplace_back([shared] {
        for (int n = 0; n < 10000; ++n) {
          const auto mine = shared;
          ASSERT_EQ(mine->body().size(), 64U);
        }
      });
    for (auto& thread : running)
      thread.join();
  }
  EXPECT_EQ(message::resident_bytes(), before);
}

} // namespace
} // namespace switchboard
