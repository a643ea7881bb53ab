// Random requests of several agents against a reference model of a chat: who takes part, what is kept, who reacted, and
// whom each event names.
#include "tests/actors/lone_entity.hpp"

#include <set>

#include "actors/talk/chat.hpp"

namespace switchboard::telephony {
namespace {

struct model_message {
  std::string id, writer, text;
  std::map<std::string, std::set<std::string>> reactions; // emoji -> agents
};

class chat_model {
public:
  explicit chat_model(std::mt19937_64& dice) : dice_(dice), entity_(chat_type(), "c"), direct_(roll(5) == 0) {
    const auto made = entity_.request("POST", "/v1/chats",
                                      {{"type", direct_ ? "direct" : "group"}, {"participant_ids", {"a", "b"}}}, "t");
    EXPECT_EQ(status_of(made), 200);
  }

  void run() {
    const auto steps = 4 + roll(18);
    for (std::size_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i)
      step();
  }

private:
  std::size_t roll(std::size_t sides) { return dice_() % sides; }
  std::string agent() { return std::string(1, static_cast<char>('a' + roll(4))); }

  static int status_of(const sdk::outcome<chat>& made) {
    for (const auto& one : made.effects()) {
      if (const auto* reply = std::get_if<sdk::reply_effect>(&one))
        return reply->status;
      if (const auto* refusal = std::get_if<sdk::refuse_effect>(&one))
        return refusal->status;
    }
    return 0;
  }

  std::size_t any_message() { return messages_.empty() ? 0 : roll(messages_.size()); }

  void step() {
    const auto who = agent();
    const bool program = roll(3) == 0; // acts for `who`; else it is his own token
    const bool in = members_.contains(who);
    const json headers = program ? json::object() : json{{"agent_id", who}};
    const auto ask = [&](const char* method, const std::string& route, json body) {
      body["agent_id"] = body.value("agent_id", who);
      return entity_.request(method, "/v1/chats/c" + route, body, "t", headers);
    };
    const int stranger = program ? 403 : 404;
    const auto nr = any_message();
    const auto id = messages_.empty() ? std::string{"none"} : messages_[nr].id;
    switch (roll(8)) {
    case 0: { // somebody is let in
      const auto whom = agent();
      const bool was_in = members_.contains(whom);
      const auto made = ask("POST", "/participants", {{"agent_id", whom}});
      const int expected = !program && !in ? 404 : was_in ? 200 : direct_ ? 409 : 200;
      if (expected == 200 && !was_in)
        members_.insert(whom);
      return after("let in", made, expected, expected == 200 && !was_in ? "chatparticipant.added" : "", members_);
    }
    case 1: {
      const auto whom = agent();
      const auto before = members_;
      const auto made = ask("DELETE", "/participants/" + whom, json::object());
      const int expected = (!program && !in) || !members_.contains(whom) ? 404 : direct_ ? 409 : 200;
      if (expected == 200)
        members_.erase(whom);
      return after("go", made, expected, expected == 200 ? "chatparticipant.removed" : "", before);
    }
    case 2:
    case 3:
    case 4: {
      const std::string text(1 + (roll(6) ? roll(20) : 4000), 'x');
      const auto made = ask("POST", "/messages", {{"text", text}});
      if (in) {
        EXPECT_FALSE(entity_.state()->messages.empty());
        messages_.push_back({entity_.state()->messages.back().id, who, text, {}});
        ++count_;
      }
      return after("write", made, in ? 200 : stranger, in ? "chatmessage.created" : "", members_);
    }
    case 5: {
      const auto made = ask("DELETE", "/messages/" + id, json::object());
      const bool his = !messages_.empty() && (program || messages_[nr].writer == who);
      const int expected = messages_.empty() || (!program && !in) ? 404 : his ? 200 : 403;
      if (expected == 200)
        messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(nr));
      return after("delete", made, expected, expected == 200 ? "chatmessage.deleted" : "", members_);
    }
    default: {
      const bool gives = roll(2);
      const std::string emoji = roll(2) ? "+1" : "-1";
      const auto made = ask(gives ? "POST" : "DELETE", "/messages/" + id + "/reactions", {{"emoji", emoji}});
      const int expected = messages_.empty() || (!program && !in) ? 404 : in ? 200 : 403;
      bool changes = false;
      if (expected == 200) {
        auto& reactions = messages_[nr].reactions;
        changes = gives ? reactions[emoji].insert(who).second : reactions[emoji].erase(who) > 0;
        if (reactions[emoji].empty())
          reactions.erase(emoji);
      }
      return after("react", made, expected, changes ? "chatmessage.reaction_updated" : "", members_);
    }
    }
  }

  void after(const char* what, const sdk::outcome<chat>& made, int status, const std::string& event,
             const std::set<std::string>& told) {
    EXPECT_EQ(status_of(made), status) << what;
    EXPECT_EQ(events_of(made), event.empty() ? std::vector<std::string>{} : std::vector{event}) << what;
    for (const auto& one : made.effects()) {
      const auto* announced = std::get_if<sdk::event_effect>(&one);
      EXPECT_TRUE(!announced || announced->data["agent_ids"].get<std::set<std::string>>() == told) << what;
    }
    const auto& c = *entity_.state();
    EXPECT_EQ((std::set<std::string>{c.participants.begin(), c.participants.end()}), members_);
    EXPECT_EQ(c.participants.size(), members_.size());
    EXPECT_EQ(c.message_count, count_);
    ASSERT_EQ(c.messages.size(), messages_.size()) << what;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      EXPECT_EQ(c.messages[i].id, messages_[i].id);
      EXPECT_EQ(c.messages[i].text, messages_[i].text);
      std::map<std::string, std::set<std::string>> reactions;
      for (const auto& one : c.messages[i].reactions)
        reactions[one.emoji] = {one.agent_ids.begin(), one.agent_ids.end()};
      EXPECT_EQ(reactions, messages_[i].reactions) << what;
    }
  }

  std::mt19937_64& dice_;
  lone_entity<chat> entity_;
  const bool direct_;
  std::set<std::string> members_{"a", "b"};
  std::vector<model_message> messages_;
  std::uint64_t count_ = 0;
};

TEST(chat_model, random_orders) {
  for_each_order([](std::mt19937_64& dice) { chat_model{dice}.run(); });
}

} // namespace
} // namespace switchboard::telephony
