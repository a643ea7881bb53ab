// Time travel: the journal read back and decided again comes to what was recorded, at every line.
#include <random>
#include <thread>

#include <gmock/gmock.h>

#include "tests/runtime/node_fixture.hpp"

#include "messages/json_object.hpp"
#include "runtime/history.hpp"
#include "runtime/replay.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct history_test : testing::Test {
  temporary_folder folder;
  std::shared_ptr<shifted_clock> time = std::make_shared<shifted_clock>();
  std::unique_ptr<core> node;
  std::unique_ptr<client> peer;

  void SetUp() override { start(options()); }
  void TearDown() override { stop(); }

  core_options options() const { return counter_node(folder.str(), time); }
  void start(core_options how) {
    auto started = core::start(std::move(how));
    ASSERT_TRUE(started) << started.error().what;
    node = std::move(*started);
    peer = std::make_unique<client>(*node);
  }
  void stop() {
    peer.reset();
    if (node)
      node->shutdown({}, 10s);
    node.reset();
  }

  json call(const std::string& method, const std::string& route, const json& body = nullptr,
            const std::string& service = "counter") {
    return json::parse(peer->call(envelope(method, route, dump(body)), true, service));
  }
  void create(const std::string& id, int value = 0) {
    EXPECT_EQ(call("POST", "/v1/counters", {{"id", id}, {"value", value}})["status_code"], 200);
  }
  json history(const std::string& id, std::uint64_t after = 0, std::size_t limit = 1000, bool states = false,
               const std::string& type = "counter") {
    EXPECT_TRUE(node->store().flush());
    auto page = entity_history(node->entities(), {type, id, after, limit, states});
    EXPECT_TRUE(page) << page.error().what;
    return page ? *page : json{};
  }
  json again(const std::string& id, std::uint64_t until = 0, const std::string& type = "counter") {
    EXPECT_TRUE(node->store().flush());
    auto made = replay_history(node->entities(), type, id, until);
    EXPECT_TRUE(made) << made.error().what;
    return made ? *made : json{};
  }
  std::string stored_hash(const std::string& id, const std::string& type = "counter") {
    EXPECT_TRUE(node->store().flush());
    const auto found = node->store().find_entity(type, id);
    return found && *found ? hash_text(state_hash((*found)->state, (*found)->state_version, (*found)->customer_id))
                           : "";
  }
  static std::uint64_t sequence_of(const json& line) { return std::stoull(line["sequence"].get<std::string>()); }

  /// Every prefix of the journal comes to the hash that its last line has recorded.
  void expect_every_prefix(const std::string& id, const std::string& type) {
    const auto all = history(id, 0, 1000, false, type)["history"];
    std::string recorded;
    for (std::size_t count = 1; count <= all.size(); ++count) {
      const auto& line = all[count - 1];
      if (line["state"].is_object())
        recorded = line["state"]["hash"].get<std::string>();
      if (line["outcome"]["ended"] == true)
        recorded.clear();
      const auto prefix = again(id, sequence_of(line), type);
      ASSERT_EQ(prefix["lines"], count);
      ASSERT_EQ(prefix["verified"], count) << prefix;
      ASSERT_EQ(prefix["hash"].is_null() ? "" : prefix["hash"].get<std::string>(), recorded);
    }
  }
};

TEST_F(history_test, each_line_says_what_was_told_decided_and_changed) {
  create("c-1", 3);
  call("POST", "/v1/counters/c-1/add");
  call("GET", "/v1/counters/c-1"); // changes nothing
  call("DELETE", "/v1/counters/c-1");
  const auto lines = history("c-1", 0, 1000, true)["history"];
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0]["message"]["kind"], "request");
  EXPECT_EQ(lines[0]["message"]["name"], "POST");
  EXPECT_EQ(lines[0]["message"]["route"], "/v1/counters");
  EXPECT_EQ(lines[0]["message"]["body"]["value"], 3);
  EXPECT_EQ(lines[0]["outcome"]["reply"]["status"], 200);
  EXPECT_EQ(lines[0]["outcome"]["events"], json::array({"counter.created"}));
  EXPECT_EQ(lines[0]["by"]["version"], "1.0.0");
  EXPECT_EQ(lines[0]["value"], (json{{"customer_id", "customer-1"}, {"value", 3}, {"heard", ""}}));
  EXPECT_EQ(lines[1]["number"], 2);
  EXPECT_EQ(lines[1]["difference"], (json::array({{{"op", "replace"}, {"path", "/value"}, {"value", 4}}})));
  EXPECT_EQ(lines[2]["outcome"]["ended"], true);
  EXPECT_EQ(lines[2]["value"], nullptr);
  for (const auto& line : lines)
    EXPECT_EQ(line["replay"], "verified") << line;
}

TEST_F(history_test, of_what_is_not_there_nothing_is_shown) {
  const auto unknown = entity_history(node->entities(), {"nothing", "c-1"});
  EXPECT_EQ(unknown.error().code, errc::not_found);
  const auto nobody = entity_history(node->entities(), {"counter", "c-1"});
  EXPECT_EQ(nobody.error().code, errc::not_found);
  EXPECT_FALSE(replay_history(node->entities(), "counter", "c-1"));
}

TEST_F(history_test, every_prefix_of_a_random_life_comes_to_the_recorded_hash) {
  std::mt19937 dice{20260120}; // NOLINT(*-msc51-cpp): the same life each time
  create("c-1");
  create("c-2");
  for (int i = 0; i < 120; ++i)
    switch (dice() % 6) {
    case 0:
      call("POST", "/v1/counters/c-1/remind", {{"delay_ms", dice() % 3}});
      break;
    case 1:
      call("POST", "/v1/counters/c-2/tell", {{"to", "c-1"}});
      break;
    case 2:
      call("POST", "/v1/counters/c-1/fail"); // leaves nothing
      break;
    case 3:
      call("GET", "/v1/counters/c-1");
      break;
    default:
      call("POST", "/v1/counters/c-1/add");
    }
  expect_every_prefix("c-1", "counter");
  const auto whole = again("c-1");
  EXPECT_EQ(whole["hash"], stored_hash("c-1"));
  EXPECT_EQ(whole["is_stored_state"], true);
  EXPECT_EQ(whole["first_divergence"], nullptr);
}

TEST_F(history_test, every_prefix_of_real_calls_comes_to_the_recorded_hash) {
  stop();
  auto how = options();
  how.plugins_dir = SWITCHBOARD_PLUGIN_DIR;
  how.plugins = {"call", "loopback_trunk"};
  how.plugin_settings["loopback_trunk"] = R"({"ring_ms":20,"answer_ms":60})";
  start(std::move(how));
  std::mt19937 dice{7}; // NOLINT(*-msc51-cpp)
  constexpr int calls = 12;
  const auto id = [](int of) { return "call-" + std::to_string(of); };
  const auto address = [](const char* number) { return json{{"type", "tel"}, {"target", number}}; };
  for (int i = 0; i < calls; ++i)
    EXPECT_EQ(call("POST", "/v1/calls",
                   {{"id", id(i)},
                    {"customer_id", "customer-1"},
                    {"source", address("+15551234567")},
                    {"destinations", json::array({address(i % 3 == 0 ? "+15550000200" : "+15559876543")})}},
                   "call")["status_code"],
              200);
  for (int i = 0; i < 40; ++i) {
    const char* verbs[] = {"hold", "unhold", "mute", "unmute", "hangup"};
    call("POST", "/v1/calls/" + id(static_cast<int>(dice() % calls)) + "/" + verbs[dice() % (i < 25 ? 4 : 5)], nullptr,
         "call");
    std::this_thread::sleep_for(milliseconds{dice() % 8});
  }
  const auto is_quiet = [&] { // what the trunk still has to report, it has reported
    for (int i = 0; i < calls; ++i)
      if (const auto status = call("GET", "/v1/calls/" + id(i), nullptr, "call")["body"]["status"];
          status != "progressing" && status != "hangup")
        return false;
    return node->entities().busy() == 0;
  };
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!is_quiet())
    ASSERT_LT(std::chrono::steady_clock::now(), end);
  for (int i = 0; i < calls; ++i) {
    expect_every_prefix(id(i), "call");
    const auto whole = again(id(i), 0, "call");
    EXPECT_GE(whole["lines"], 2) << whole;
    EXPECT_EQ(whole["is_stored_state"], true) << whole;
  }
}

TEST_F(history_test, a_long_life_is_read_page_by_page_and_each_page_knows_its_states) {
  create("c-1");
  constexpr int decisions = 600; // more than two intervals of bases
  for (int i = 0; i < decisions; ++i)
    peer->publish("", request_queue("counter"), envelope("POST", "/v1/counters/c-1/add"), true, "c-1",
                  peer->reply_to());
  for (int i = 0; i < decisions; ++i)
    peer->reply();
  std::uint64_t after = 0;
  int expected = 0;
  while (true) {
    const auto page = history("c-1", after, 70, true);
    for (const auto& line : page["history"]) {
      ASSERT_EQ(line["number"], expected + 1);
      ASSERT_EQ(line["replay"], "verified") << line;
      ASSERT_EQ(line["value"]["value"], expected++);
      after = sequence_of(line);
    }
    if (!page.contains("next"))
      break;
    EXPECT_EQ(page["next"], std::to_string(after));
    EXPECT_EQ(page["history"].size(), 70u);
  }
  EXPECT_EQ(expected, decisions + 1);
}

TEST_F(history_test, after_expiry_every_line_within_the_window_can_still_be_decided_again) {
  stop();
  auto how = options();
  how.journal_window = 8h; // a base at least each hour
  start(std::move(how));
  create("c-1");
  for (int i = 0; i < 40; ++i) {
    time->advance(20min);
    call("POST", "/v1/counters/c-1/add");
  }
  ASSERT_TRUE(node->store().flush());
  const auto now = time->now();
  node->store().expire(now, now - 9h); // as the housekeeper does, an eighth behind the window
  ASSERT_TRUE(node->store().flush());
  const auto lines = history("c-1")["history"];
  EXPECT_LT(lines.size(), 41u) << "some have expired";
  int within = 0;
  for (const auto& line : lines)
    if (*from_iso8601(line["at"].get<std::string>()) >= now - 8h) {
      EXPECT_EQ(line["replay"], "verified") << line;
      ++within;
    }
  EXPECT_GE(within, 23);
  EXPECT_EQ(again("c-1")["is_stored_state"], true);
}

TEST_F(history_test, a_line_that_was_changed_is_found) {
  create("c-1", 5);
  call("POST", "/v1/counters/c-1/add");
  call("POST", "/v1/counters/c-1/add");
  const auto lines = history("c-1")["history"];
  ASSERT_EQ(lines.size(), 3u);
  // Somebody says it began with 7.
  std::optional<store::journal_record> first;
  ASSERT_TRUE(node->store().each_journal("counter", "c-1", 0, [&](store::journal_record&& one) {
    first = std::move(one);
    return false;
  }));
  auto line = json::parse(first->bytes);
  line["message"]["body"]["value"] = 7;
  first->bytes = dump(line);
  store::batch forged;
  forged.append_journal(*first);
  node->store().submit(std::move(forged));
  const auto found = again("c-1");
  EXPECT_EQ(found["diverged"], 1);
  EXPECT_EQ(found["unknown"], 2) << "what follows can't be known";
  EXPECT_EQ(found["first_divergence"]["number"], 1);
  EXPECT_EQ(found["first_divergence"]["recorded"], lines[0]["state"]["hash"]);
  EXPECT_THAT(found["first_divergence"]["reason"].get<std::string>(), HasSubstr("another one now"));
  EXPECT_EQ(again("c-1", sequence_of(lines[0]))["lines"], 1);
}

TEST_F(history_test, a_line_that_is_missing_is_a_gap) {
  create("c-1");
  for (int i = 0; i < 3; ++i)
    call("POST", "/v1/counters/c-1/add");
  std::vector<journal_entry> lines;
  ASSERT_TRUE(node->store().flush());
  ASSERT_TRUE(node->store().each_journal("counter", "c-1", 0, [&](store::journal_record&& one) {
    lines.push_back(*read_journal(one));
    return true;
  }));
  ASSERT_EQ(lines.size(), 4u);
  replay by{*node->entities().types().find("counter"), "c-1"};
  EXPECT_EQ(by.step(lines[0]).verdict, replay_verdict::verified);
  const auto gap = by.step(lines[2]);
  EXPECT_EQ(gap.verdict, replay_verdict::unknown);
  EXPECT_THAT(gap.reason, HasSubstr("missing"));
  EXPECT_EQ(by.step(lines[3]).verdict, replay_verdict::unknown);
}

TEST_F(history_test, lines_of_an_older_build_are_shown_and_decided_again_without_a_hash_to_compare) {
  create("c-1", 5);
  call("POST", "/v1/counters/c-1/add");
  std::vector<store::journal_record> older;
  ASSERT_TRUE(node->store().flush());
  ASSERT_TRUE(node->store().each_journal("counter", "c-1", 0, [&](store::journal_record&& one) {
    auto line = json::parse(one.bytes);
    for (const auto* name : {"number", "by", "state", "base"})
      line.erase(name);
    one.bytes = dump(line);
    one.id = "old";
    one.sequence = older.size() * 2 + 1; // with a gap: answers that changed nothing were counted
    older.push_back(std::move(one));
    return true;
  }));
  store::batch batch;
  for (auto& one : older)
    batch.append_journal(one);
  node->store().submit(std::move(batch));
  const auto lines = history("old", 0, 1000, true)["history"];
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["replay"], "recorded");
  EXPECT_EQ(lines[1]["replay"], "recorded");
  EXPECT_EQ(lines[1]["value"]["value"], 6);
  EXPECT_EQ(again("old")["recorded"], 2);
}

TEST_F(history_test, two_lives_of_one_id_follow_one_another) {
  for (int life = 0; life < 2; ++life) {
    create("c-1", life);
    call("POST", "/v1/counters/c-1/add");
    call("POST", "/v1/counters/c-1/add");
    if (life == 0) {
      call("DELETE", "/v1/counters/c-1");
      time->advance(1s);
    }
  }
  const auto lines = history("c-1", 0, 1000, true)["history"];
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[2]["value"]["value"], 2);
  EXPECT_EQ(lines[3]["value"], nullptr);
  EXPECT_EQ(lines[6]["value"]["value"], 3);
  EXPECT_EQ(again("c-1")["verified"], 7);
}

TEST_F(history_test, each_line_is_decided_by_the_version_that_decided_it_then) {
  create("c-1", 1);
  call("POST", "/v1/counters/c-1/add");
  ASSERT_TRUE(node->plugins().load("counter_v2.so"));
  call("POST", "/v1/counters/c-1/add");
  ASSERT_TRUE(node->plugins().roll_back("counter"));
  call("POST", "/v1/counters/c-1/add");
  const auto lines = history("c-1", 0, 1000, true)["history"];
  std::vector<std::string> versions;
  for (const auto& line : lines) {
    EXPECT_EQ(line["replay"], "verified") << line;
    versions.push_back(line["by"]["version"]);
  }
  EXPECT_EQ(lines.back()["value"]["value"], 13);
  EXPECT_THAT(versions, testing::Contains("2.0.0"));
  EXPECT_EQ(again("c-1")["is_stored_state"], true);

  // Without the second version nobody can say: that is told, and is no accusation.
  stop();
  start(options());
  const auto later = again("c-1");
  EXPECT_EQ(later["diverged"], 1) << later;
  EXPECT_THAT(later["first_divergence"]["reason"].get<std::string>(),
              HasSubstr("2.0.0 of plugin counter, which is not"));
  EXPECT_EQ(later["is_stored_state"], true) << "a state that was taken back is kept whole";
}

TEST_F(history_test, other_settings_than_then_are_no_divergence_of_a_life_that_began_with_them) {
  stop();
  auto how = options();
  how.plugin_settings["counter"] = R"({"step":1})";
  start(how);
  create("c-1");
  stop();
  how.plugin_settings["counter"] = R"({"step":2})";
  start(how);
  call("POST", "/v1/counters/c-1/add");
  EXPECT_EQ(again("c-1")["verified"], 2);
}

// -- lines, without a node ------------------------------------------------------------------------------------------

TEST(journal, a_state_of_any_bytes_comes_back_as_it_was) {
  auto plugin = load_plugin(std::string{SWITCHBOARD_TEST_PLUGIN_DIR} + "/counter.so");
  ASSERT_TRUE(plugin);
  const hosted_type by{*plugin->entry->types[0], R"({"a":1})", "counter", "1.0.0"};
  for (const auto& state : {std::string{"{\"a\": \"\\u00e4\\n\" }"}, std::string{"\xff\x00\x01 raw", 7}}) {
    store::entity_record before;
    before.state = state;
    before.state_version = 3;
    before.customer_id = "customer \"1\"";
    decision made;
    made.state = {4, "customer-2", "{}"};
    entity_message what;
    what.kind = SB_TIMER;
    what.name = "remind";
    const auto line = read_journal(
        {"counter", "c", 77, 0, time_point{milliseconds{5}}, journal_line(what, made, 9, true, {by, ~0ull, &before})});
    ASSERT_TRUE(line) << line.error().what;
    EXPECT_EQ(line->number, 9u);
    EXPECT_EQ(line->random, ~0ull);
    ASSERT_TRUE(line->from && line->from->existed);
    EXPECT_EQ(line->from->state.bytes, state);
    EXPECT_EQ(line->from->state.version, 3u);
    EXPECT_EQ(line->from->customer_id, "customer \"1\"");
    EXPECT_EQ(line->from->settings, by.settings);
    EXPECT_EQ(line->hash, hash_text(state_hash("{}", 4, "customer-2")));
    EXPECT_EQ(line->settings_hash, by.settings_hash);
    EXPECT_EQ(line->what->kind, SB_TIMER);
  }
}

TEST(journal, a_hash_is_of_the_bytes_their_version_and_their_owner) {
  const auto hash = state_hash("state", 1, "a");
  EXPECT_NE(hash, state_hash("statE", 1, "a"));
  EXPECT_NE(hash, state_hash("state", 2, "a"));
  EXPECT_NE(hash, state_hash("state", 1, "b"));
  EXPECT_EQ(hash_text(0x0123456789abcdefull), "0123456789abcdef");
}

TEST(journal, what_is_not_a_line_is_refused) {
  for (const auto* text : {"", "[]", "{}", R"({"message":{"kind":"other"},"random":"1"})",
                           R"({"message":{"kind":"timer"},"random":"x"})", R"({"message":null,"base":{"version":1}})"})
    EXPECT_EQ(read_journal({"t", "i", 1, 0, {}, text}).error().code, errc::corrupt) << text;
}

} // namespace
} // namespace switchboard::runtime
