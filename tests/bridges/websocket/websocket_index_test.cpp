#include "bridges/websocket/websocket_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "bridges/websocket/websocket_rules.hpp"

namespace switchboard::websocket {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

topic_pattern topic(std::string_view text) {
  const auto parsed = topic_pattern::parse(text);
  EXPECT_TRUE(parsed) << text;
  return *parsed;
}

const event_address call{"1", "agent-1", "call", "call-7"};

TEST(subscription_index, finds_every_form_of_topic_that_selects_an_event) {
  for (const auto* text : {"customer_id:1", "customer_id:1:call", "customer_id:1:call:*", "customer_id:1:call:call-7",
                           "customer_id:1:*:call-7", "customer_id:1:*:*", "agent_id:agent-1", "agent_id:agent-1:call",
                           "agent_id:agent-1:call:call-7", "agent_id:agent-1:*:call-7"}) {
    subscription_index index;
    subscriber who{"1"};
    EXPECT_TRUE(index.add(topic(text), who));
    EXPECT_THAT(index.find(call), UnorderedElementsAre(&who)) << text;
  }
  for (const auto* text :
       {"customer_id:2", "customer_id:1:agent", "customer_id:1:call:call-8", "customer_id:1:*:call-8",
        "agent_id:agent-2", "agent_id:1", "customer_id:agent-1", "customer_id:1:call-7"}) {
    subscription_index index;
    subscriber who{"1"};
    index.add(topic(text), who);
    EXPECT_THAT(index.find(call), IsEmpty()) << text;
  }
}

TEST(subscription_index, a_connection_gets_one_copy_however_many_topics_match) {
  subscription_index index;
  subscriber who{"1"}, other{"1"};
  for (const auto* text : {"customer_id:1", "customer_id:1:call", "customer_id:1:call:call-7", "agent_id:agent-1"})
    index.add(topic(text), who);
  index.add(topic("customer_id:1"), other);
  EXPECT_THAT(index.find(call), UnorderedElementsAre(&who, &other));
  EXPECT_THAT(index.find(call), UnorderedElementsAre(&who, &other)) << "and so it does of the next event";
}

TEST(subscription_index, adding_and_removing_twice_is_once) {
  subscription_index index;
  subscriber who{"1"};
  EXPECT_TRUE(index.add(topic("customer_id:1:call:*"), who));
  EXPECT_FALSE(index.add(topic("customer_id:1:call"), who)) << "the same topic in another spelling";
  EXPECT_TRUE(index.remove(topic("customer_id:1:call:*"), who));
  EXPECT_FALSE(index.remove(topic("customer_id:1:call:*"), who));
  EXPECT_THAT(index.find(call), IsEmpty());
  EXPECT_EQ(index.size(), 0U) << "nothing is left behind";
}

TEST(subscription_index, an_agents_topic_shows_nothing_of_another_tenant) {
  subscription_index index;
  subscriber who{"2"};
  index.add(topic("agent_id:agent-1"), who);
  EXPECT_THAT(index.find(call), IsEmpty());
  EXPECT_THAT(index.find({"", "agent-1", "call", "call-7"}), IsEmpty()) << "an event of no tenant is nobody's";
}

TEST(subscription_index, agrees_with_the_patterns_themselves_and_never_leaks) {
  std::mt19937 dice{20260120};
  const auto one_of = [&](std::initializer_list<const char*> from) {
    return std::string{*(from.begin() + dice() % from.size())};
  };
  const auto customer = [&] { return one_of({"1", "2", "11", "1-1", "call"}); };
  const auto agent = [&] { return one_of({"a", "b", "1", "2"}); };
  const auto resource = [&] { return one_of({"call", "agent", "1", "queue"}); };
  const auto id = [&] { return one_of({"call", "1", "2", "x"}); };
  const auto any = [&](std::string text) { return dice() % 3 == 0 ? std::string{"*"} : text; };

  subscription_index index;
  std::vector<subscriber> who(40);
  std::multimap<subscriber*, topic_pattern> held;
  for (auto& one : who)
    one.customer_id = customer();
  int delivered = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto& one = who[dice() % who.size()];
    const bool by_agent = dice() % 3 == 0;
    const runtime::claims claims{one.customer_id, dice() % 2 ? "" : agent(), {}};
    auto wanted = topic((by_agent ? "agent_id:" + agent() : "customer_id:" + customer()) + ":" + any(resource()) + ":" +
                        any(id()));
    if (dice() % 3 != 0) {
      if (may_subscribe(claims, wanted) && index.add(wanted, one))
        held.emplace(&one, wanted);
    } else {
      index.remove(wanted, one);
      const auto range = held.equal_range(&one);
      const auto at = std::find_if(range.first, range.second, [&](const auto& row) { return row.second == wanted; });
      if (at != range.second)
        held.erase(at);
    }
    const auto c = customer(), a = agent(), r = resource(), i = id();
    const event_address at{c, a, r, i};
    std::vector<subscriber*> expected;
    for (auto& candidate : who) {
      const auto range = held.equal_range(&candidate);
      const auto wants = [&](const auto& row) { return row.second.matches(at); };
      if (candidate.customer_id == c && std::any_of(range.first, range.second, wants))
        expected.push_back(&candidate);
    }
    ASSERT_THAT(index.find(at), testing::UnorderedElementsAreArray(expected));
    delivered += static_cast<int>(expected.size());
  }
  EXPECT_GT(delivered, 1000) << "the test tested something";
}

TEST(may_subscribe, compares_the_whole_tenant) {
  const runtime::claims customer{"123", "", {}};
  const runtime::claims agent{"123", "a-1", {}};
  struct row {
    const char* text;
    bool customer_may, agent_may;
  };
  for (const auto& [text, customer_may, agent_may] :
       {row{"customer_id:123", true, true}, row{"customer_id:123:call:*", true, true},
        row{"customer_id:12", false, false}, row{"customer_id:1234", false, false},
        row{"customer_id:12:3", false, false}, row{"customer_id:a-1", false, false}, row{"agent_id:a-1", true, true},
        row{"agent_id:a-1:call:x", true, true}, row{"agent_id:a-2", true, false}, row{"agent_id:a", true, false},
        row{"agent_id:123", true, false}}) {
    EXPECT_EQ(may_subscribe(customer, topic(text)), customer_may) << text;
    EXPECT_EQ(may_subscribe(agent, topic(text)), agent_may) << text;
  }
}

} // namespace
} // namespace switchboard::websocket
