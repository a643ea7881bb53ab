// Chats: who may do what, what is announced to whom, and what is kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actors/talk/chat.hpp"
#include "sdk/testing.hpp"
#include "tests/actors/lone_entity.hpp"

namespace switchboard::telephony {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* tenant = "customer-1";

TEST(reaction, is_one_visible_thing) {
  for (const char* good : {"\xf0\x9f\x91\x8d", "+1", "\xe2\x9d\xa4\xef\xb8\x8f"})
    EXPECT_TRUE(is_reaction(good)) << good;
  for (const auto& bad :
       {std::string{}, std::string{"a b"}, std::string{"\n"}, std::string{"\x7f"}, std::string(65, 'a')})
    EXPECT_FALSE(is_reaction(bad));
}

TEST(history, is_bounded_in_messages_and_in_bytes) {
  EXPECT_TRUE(fits_history(100, 65536));
  EXPECT_FALSE(fits_history(101, 0));
  EXPECT_FALSE(fits_history(1, 65537));
  EXPECT_TRUE(may_have(chat_kind::direct, 2));
  EXPECT_FALSE(may_have(chat_kind::direct, 1));
  EXPECT_FALSE(may_have(chat_kind::direct, 3));
  EXPECT_TRUE(may_have(chat_kind::group, 0));
  EXPECT_TRUE(may_have(chat_kind::group, 100));
  EXPECT_FALSE(may_have(chat_kind::group, 101));
}

/// By a customer's program, which names the agents.
class chat_of_program : public ::testing::Test {
protected:
  chat_of_program() { world_.add(sdk::abi_of<&chat_type>()); }
  ~chat_of_program() override { EXPECT_THAT(world_.failures(), IsEmpty()); }

  json ask(const char* method, const std::string& route, const json& body = nullptr, int status = 200) {
    const auto answer = world_.request(method, "/v1/chats" + route, body, tenant);
    EXPECT_EQ(answer.status, status) << method << " " << route << ": " << answer.text;
    return answer.body;
  }
  std::string make(json more = json::object()) {
    json body{{"participant_ids", {"ann", "bob"}}};
    body.update(more);
    return "/" + ask("POST", "", body).value("id", "");
  }
  std::string write(const std::string& chat, const char* agent, const std::string& text) {
    return ask("POST", chat + "/messages", {{"agent_id", agent}, {"text", text}}).value("id", "");
  }

  sdk::test_kit::world world_;
};

TEST_F(chat_of_program, everybody_in_it_is_told_of_everything) {
  const auto chat = make({{"name", "Shift"}});
  const auto hello = write(chat, "ann", "hello");
  ask("POST", chat + "/participants", {{"agent_id", "eve"}});
  const auto answer = ask("POST", chat + "/messages", {{"agent_id", "eve"}, {"text", "hi"}, {"parent_id", hello}});
  EXPECT_EQ(answer["parent_id"], hello);
  ask("POST", chat + "/messages/" + hello + "/reactions", {{"agent_id", "bob"}, {"emoji", "\xf0\x9f\x91\x8d"}});
  ask("DELETE", chat + "/messages/" + hello);
  ask("DELETE", chat + "/participants/bob");
  ask("PUT", chat, {{"name", "Night shift"}});
  ask("DELETE", chat);
  std::vector<std::pair<std::string, json>> told;
  for (const auto& one : world_.events()) {
    told.emplace_back(one.type, one.data["agent_ids"]);
    EXPECT_EQ(one.data["customer_id"], tenant) << one.type;
    EXPECT_TRUE(one.data.contains("id")) << one.type;
  }
  const json two{"ann", "bob"}, three{"ann", "bob", "eve"}, left{"ann", "eve"};
  EXPECT_THAT(told, ElementsAre(std::pair{"chat.created", two}, std::pair{"chatmessage.created", two},
                                std::pair{"chatparticipant.added", three}, std::pair{"chatmessage.created", three},
                                std::pair{"chatmessage.reaction_updated", three},
                                std::pair{"chatmessage.deleted", three}, std::pair{"chatparticipant.removed", three},
                                std::pair{"chat.updated", left}, std::pair{"chat.deleted", left}));
  ask("GET", chat, nullptr, 404);
}

TEST_F(chat_of_program, the_last_messages_are_kept_newest_first) {
  const auto chat = make();
  for (int i = 0; i < 130; ++i)
    write(chat, "ann", std::to_string(i));
  auto shown = ask("GET", chat + "/messages");
  EXPECT_EQ(shown["message_count"], 130);
  EXPECT_EQ(shown["result"].size(), 100U);
  EXPECT_EQ(shown["result"][0]["text"], "129");
  EXPECT_EQ(shown["result"][99]["text"], "30");
  for (int i = 0; i < 20; ++i)
    write(chat, "bob", std::string(4096, 'x'));
  EXPECT_EQ(ask("GET", chat + "/messages")["result"].size(), 16U) << "64 KiB of text";
  EXPECT_EQ(world_.event_types("chatmessage.created").size(), 150U);
}

TEST_F(chat_of_program, a_reaction_is_given_once_and_can_be_taken_back) {
  const auto chat = make();
  const auto route = chat + "/messages/" + write(chat, "ann", "x") + "/reactions";
  for (int i = 0; i < 2; ++i)
    for (const char* who : {"ann", "bob"})
      ask("POST", route, {{"agent_id", who}, {"emoji", "+1"}});
  EXPECT_EQ(ask("GET", chat + "/messages")["result"][0]["reactions"],
            json({{{"emoji", "+1"}, {"agent_ids", {"ann", "bob"}}}}));
  EXPECT_EQ(world_.event_types("chatmessage.reaction_updated").size(), 2U);
  ask("DELETE", route + "?agent_id=ann&emoji=%2B1");
  ask("DELETE", route, {{"agent_id", "bob"}, {"emoji", "+1"}});
  ask("DELETE", route, {{"agent_id", "bob"}, {"emoji", "+1"}});
  EXPECT_THAT(ask("GET", chat + "/messages")["result"][0]["reactions"], IsEmpty());
  for (int i = 0; i < 20; ++i)
    ask("POST", route, {{"agent_id", "ann"}, {"emoji", "e" + std::to_string(i)}});
  ask("POST", route, {{"agent_id", "ann"}, {"emoji", "e20"}}, 429);
  ask("POST", route, {{"agent_id", "bob"}, {"emoji", "e19"}});
}

TEST_F(chat_of_program, what_cannot_be_is_said) {
  const auto chat = make(), direct = make({{"type", "direct"}});
  const auto m = write(chat, "ann", "x");
  json many = json::array();
  for (int i = 0; i < 100; ++i)
    many.push_back("a" + std::to_string(i));
  const auto full = make({{"participant_ids", many}});
  const struct {
    const char* method;
    std::string route;
    json body;
    int status;
  } table[] = {
      {"POST", "", {{"type", "party"}}, 400},
      {"POST", "", {{"type", "direct"}, {"participant_ids", {"ann"}}}, 400},
      {"POST", "", {{"type", "direct"}, {"participant_ids", {"ann", "ann"}}}, 400},
      {"POST", "", {{"participant_ids", {"a:b"}}}, 400},
      {"POST", "", {{"customer_id", "another"}}, 403},
      {"POST", direct + "/participants", {{"agent_id", "eve"}}, 409},
      {"DELETE", direct + "/participants/ann", nullptr, 409},
      {"POST", full + "/participants", {{"agent_id", "eve"}}, 429},
      {"POST", full + "/participants", {{"agent_id", "a1"}}, 200},
      {"POST", chat + "/participants", {{"agent_id", ""}}, 400},
      {"DELETE", chat + "/participants/eve", nullptr, 404},
      {"POST", chat + "/messages", {{"text", "x"}}, 400},
      {"POST", chat + "/messages", {{"agent_id", "eve"}, {"text", "x"}}, 403},
      {"POST", chat + "/messages", {{"agent_id", "ann"}}, 400},
      {"POST", chat + "/messages", {{"agent_id", "ann"}, {"text", std::string(4097, 'x')}}, 400},
      {"POST", chat + "/messages", {{"agent_id", "ann"}, {"text", "x"}, {"parent_id", "nothing"}}, 400},
      {"DELETE", chat + "/messages/nothing", nullptr, 404},
      {"POST", chat + "/messages/nothing/reactions", {{"agent_id", "ann"}, {"emoji", "+1"}}, 404},
      {"POST", chat + "/messages/" + m + "/reactions", {{"agent_id", "ann"}, {"emoji", ""}}, 400},
      {"POST", chat + "/messages/" + m + "/reactions", {{"agent_id", "eve"}, {"emoji", "+1"}}, 403},
  };
  for (const auto& row : table)
    ask(row.method, row.route, row.body, row.status);
  EXPECT_EQ(world_.request("GET", "/v1/chats" + chat, nullptr, "another").status, 404);
}

/// With an agent's token: the headers say who it is.
class chat_of_agent : public ::testing::Test {
protected:
  chat_of_agent() : entity_(chat_type(), "c") { as("ann", "POST", "", {{"participant_ids", {"bob"}}}); }

  /// The status of the answer.
  int as(const char* agent, const char* method, const std::string& route, const json& body = nullptr) {
    const auto made = entity_.request(method, "/v1/chats" + route, body, tenant, {{"agent_id", agent}});
    const auto& answer = made.effects();
    for (const auto& one : answer) {
      if (const auto* reply = std::get_if<sdk::reply_effect>(&one))
        return reply->status;
      if (const auto* refusal = std::get_if<sdk::refuse_effect>(&one))
        return refusal->status;
    }
    return 0;
  }

  lone_entity<chat> entity_;
};

TEST_F(chat_of_agent, who_makes_a_chat_takes_part_in_it) {
  ASSERT_TRUE(entity_.state());
  EXPECT_THAT(entity_.state()->participants, ElementsAre("ann", "bob"));
}

TEST_F(chat_of_agent, a_stranger_finds_nothing) {
  as("ann", "POST", "/c/messages", {{"text", "x"}});
  const auto m = "/c/messages/" + entity_.state()->messages.front().id;
  for (const auto& [method, route] : std::vector<std::pair<const char*, std::string>>{{"GET", "/c"},
                                                                                      {"PUT", "/c"},
                                                                                      {"DELETE", "/c"},
                                                                                      {"POST", "/c/participants"},
                                                                                      {"DELETE", "/c/participants/ann"},
                                                                                      {"GET", "/c/messages"},
                                                                                      {"POST", "/c/messages"},
                                                                                      {"DELETE", m},
                                                                                      {"POST", m + "/reactions"},
                                                                                      {"DELETE", m + "/reactions"}})
    EXPECT_EQ(as("eve", method, route, {{"agent_id", "eve"}, {"text", "x"}, {"emoji", "+1"}}), 404) << method << route;
  EXPECT_EQ(as("bob", "GET", "/c"), 200);
}

TEST_F(chat_of_agent, nobody_writes_or_deletes_in_anothers_name) {
  EXPECT_EQ(as("bob", "POST", "/c/messages", {{"text", "x"}, {"agent_id", "ann"}}), 403);
  EXPECT_EQ(as("bob", "POST", "/c/messages", {{"text", "x"}}), 200);
  const auto m = "/c/messages/" + entity_.state()->messages.front().id;
  EXPECT_EQ(entity_.state()->messages.front().agent_id, "bob");
  EXPECT_EQ(as("ann", "POST", m + "/reactions", {{"agent_id", "bob"}, {"emoji", "+1"}}), 403);
  EXPECT_EQ(as("ann", "DELETE", m), 403);
  EXPECT_EQ(as("bob", "DELETE", m), 200);
}

TEST_F(chat_of_agent, who_has_left_hears_no_more) {
  EXPECT_EQ(as("bob", "DELETE", "/c/participants/bob"), 200);
  EXPECT_EQ(as("bob", "GET", "/c/messages"), 404);
}

} // namespace
} // namespace switchboard::telephony
