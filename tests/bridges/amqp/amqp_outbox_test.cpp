#include "bridges/amqp/amqp_outbox.hpp"

#include <gtest/gtest.h>

#include <array>

#include "bridges/amqp/amqp_codec_content.hpp"

namespace switchboard::amqp {
namespace {

constexpr std::uint32_t outbox_frame_max = 4096;

message_ptr large(char filling, std::size_t size) {
  return make_message("ex", "key", "", std::string(size, filling), false);
}

/// The same bytes twice: with bodies copied, and as an outbox has them.
struct written {
  std::string copied;
  outbox apart;

  void deliver(const message_ptr& what) {
    const content shown{what->exchange(), what->routing_key(), what->properties(), what->body()};
    append_deliver(copied, 3, "tag", 7, false, shown, outbox_frame_max);
    append_deliver_head(apart.frames(), 3, "tag", 7, false, shown, outbox_frame_max);
    apart.append_body(3, what, outbox_frame_max);
  }
  void ack() {
    append_ack(copied, 3, 9, false);
    append_ack(apart.frames(), 3, 9, false);
  }
};

/// Takes everything, `step` bytes and `places` pieces at most at a time.
std::string drain(outbox& from, std::size_t step, std::size_t places) {
  std::string taken;
  std::array<std::string_view, 8> pieces;
  while (!from.empty()) {
    const auto count = from.peek(std::span{pieces}.first(places));
    std::string next;
    for (std::size_t i = 0; i < count; ++i)
      next += pieces[i];
    EXPECT_FALSE(next.empty());
    next.resize(std::min(next.size(), step));
    if (next.empty())
      return taken;
    taken += next;
    from.drop(next.size(), 0);
  }
  return taken;
}

TEST(amqp_outbox, holds_the_bytes_that_copying_gives_however_they_are_taken) {
  for (const std::size_t step : {1u, 7u, 8u, 100u, 4088u, 4089u, 5000u, 100000u})
    for (const std::size_t places : {1u, 2u, 3u, 8u}) {
      written both;
      both.ack();
      both.deliver(large('a', 10000));
      both.deliver(large('b', 4088));
      both.ack();
      both.deliver(large('c', 4089));
      EXPECT_EQ(both.apart.size(), both.copied.size());
      EXPECT_EQ(drain(both.apart, step, places), both.copied) << step << ' ' << places;
    }
}

TEST(amqp_outbox, takes_more_while_part_of_it_has_gone) {
  written both;
  both.deliver(large('a', 10000));
  const auto first = std::string{both.copied.substr(0, 6000)};
  both.apart.drop(6000, 0);
  both.ack();
  both.deliver(large('b', 9000));
  EXPECT_EQ(both.apart.size(), both.copied.size() - 6000);
  EXPECT_EQ(first + drain(both.apart, 999, 8), both.copied);
}

TEST(amqp_outbox, holds_a_message_until_its_last_byte_has_gone) {
  const auto before = message::resident_bytes();
  outbox out;
  out.append_body(1, large('a', 5000), outbox_frame_max);
  out.append_body(1, large('b', 5000), outbox_frame_max);
  const auto both = message::resident_bytes();
  out.drop(7 + 4088 + 8 + 911, 0);
  EXPECT_EQ(message::resident_bytes(), both);
  out.drop(1 + 1, 0); // the last byte, and the frame's end
  EXPECT_LT(message::resident_bytes(), both);
  out.drop(out.size(), 0);
  EXPECT_EQ(message::resident_bytes(), before);
  EXPECT_TRUE(out.empty());
}

} // namespace
} // namespace switchboard::amqp
