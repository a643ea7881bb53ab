#include "runtime/connections.hpp"

#include <gtest/gtest.h>

namespace switchboard::runtime {
namespace {

connection_facts facts(std::string name, std::string user, std::string vhost) {
  connection_facts made;
  made.name = std::move(name);
  made.user = std::move(user);
  made.vhost = std::move(vhost);
  return made;
}

TEST(connections, are_listed_as_long_as_they_live) {
  connections all;
  auto why = connections::refusal::none;
  auto one = all.enter(facts("1", "u", "/"), {}, {}, why);
  const auto two = all.enter(facts("2", "u", "v"), {}, {}, why);
  one->channels = 3;
  two->channels = 4;
  EXPECT_EQ(all.list().size(), 2u);
  EXPECT_EQ(all.channels_of("u"), 7u);
  EXPECT_EQ(all.find("1"), one);
  one.reset();
  EXPECT_EQ(all.list().size(), 1u);
  EXPECT_FALSE(all.find("1"));
}

TEST(connections, are_bounded_by_vhost_and_user) {
  connections all;
  auto why = connections::refusal::none;
  const auto one = all.enter(facts("1", "u", "/"), {}, {}, why);
  EXPECT_FALSE(all.enter(facts("2", "w", "/"), {}, {1, std::nullopt}, why));
  EXPECT_EQ(why, connections::refusal::vhost_limit);
  EXPECT_FALSE(all.enter(facts("2", "u", "x"), {}, {std::nullopt, 1}, why));
  EXPECT_EQ(why, connections::refusal::user_limit);
  EXPECT_FALSE(all.enter(facts("2", "new", "new"), {}, {0, std::nullopt}, why));
  EXPECT_TRUE(all.enter(facts("2", "u", "/"), {}, {2, -1}, why));
}

TEST(connections, a_card_may_outlive_the_list) {
  std::shared_ptr<connection_card> card;
  {
    connections all;
    auto why = connections::refusal::none;
    card = all.enter(facts("1", "u", "/"), {}, {}, why);
  }
  EXPECT_EQ(card->facts.user, "u");
}

} // namespace
} // namespace switchboard::runtime
