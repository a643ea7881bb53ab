// Hot upgrade: another version of a plugin takes over while requests are under way, and gives everything back.
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "tests/runtime/node_fixture.hpp"

#include "messages/json_object.hpp"
#include "runtime/hosted_types.hpp"

namespace switchboard::runtime {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct upgrade_test : testing::Test {
  temporary_folder folder;
  std::unique_ptr<core> node;
  std::unique_ptr<client> peer;

  void SetUp() override {
    auto options = counter_node(folder.str());
    options.plugin_folders = {SWITCHBOARD_BROKEN_PLUGIN_DIR};
    options.plugin_trial.command = {SWITCHBOARD_TRY_PLUGINS};
    start(std::move(options));
  }
  void TearDown() override { stop(); }

  void start(core_options options) {
    auto started = core::start(std::move(options));
    ASSERT_TRUE(started) << started.error().what;
    node = std::move(*started);
    peer = std::make_unique<client>(*node);
  }
  void stop() {
    peer.reset();
    if (!node)
      return;
    for (const auto& phase : node->shutdown({}, 10s)) {
      EXPECT_TRUE(phase.in_time) << phase.name << " " << testing::PrintToString(phase.blocked_by);
    }
    node.reset();
  }

  json call(const std::string& method, const std::string& route, const json& body = nullptr) {
    return json::parse(peer->call(envelope(method, route, dump(body))));
  }
  std::int64_t value_after(const std::string& method, const std::string& route) {
    const auto answer = call(method, route);
    EXPECT_EQ(answer["status_code"], 200) << answer;
    return answer["body"].value("value", std::int64_t{-1});
  }
  void create(const std::string& id, int value = 0) {
    const auto answer = call("POST", "/v1/counters", {{"id", id}, {"value", value}});
    EXPECT_EQ(answer["status_code"], 200) << answer;
  }
  void load(const std::string& file) {
    const auto done = node->plugins().load(file);
    ASSERT_TRUE(done) << done.error().what;
    EXPECT_FALSE(done->contains("warning")) << *done;
  }
  void roll_back() {
    const auto done = node->plugins().roll_back("counter");
    ASSERT_TRUE(done) << done.error().what;
    EXPECT_FALSE(done->contains("warning")) << *done;
  }
  std::string why_not(const std::string& file) {
    const auto done = node->plugins().load(file);
    return done ? "it was loaded" : done.error().what;
  }
  /// What the list says of the version of that plugin.
  json row(const std::string& version, const std::string& plugin = "counter") {
    const auto list = node->plugins().list();
    for (const auto& one : list["plugins"])
      if (one["plugin"] == plugin && one["version"] == version)
        return one;
    return {};
  }
  std::int64_t live(const std::string& version) { return row(version)["types"][0]["live"].get<std::int64_t>(); }
  static void until(const char* what, const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << what;
      std::this_thread::sleep_for(5ms);
    }
  }
  std::uint32_t stored_version(const std::string& id) {
    EXPECT_TRUE(node->store().flush());
    const auto found = node->store().find_entity("counter", id);
    return found && *found ? (*found)->state_version : 0;
  }
};

TEST_F(upgrade_test, entities_go_over_by_their_saved_state_and_back_again) {
  create("c-1", 3);
  EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 4);
  for (int round = 0; round < 2; ++round) {
    load("counter_v2.so");
    EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 14 + round * 11) << "by the second version";
    EXPECT_EQ(stored_version("c-1"), 2u);
    roll_back();
    EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 15 + round * 11) << "by the first one";
    EXPECT_EQ(stored_version("c-1"), 1u);
  }
  EXPECT_EQ(value_after("GET", "/v1/counters/c-1"), 26);
}

TEST_F(upgrade_test, entities_without_work_go_over_too_and_stored_states_are_taken_back) {
  for (int i = 0; i < 30; ++i)
    create("c-" + std::to_string(i), i);
  load("counter_v2.so");
  until("all of them are with the second version", [&] { return live("2.0.0") == 30 && live("1.0.0") == 0; });
  for (int i = 0; i < 30; ++i)
    value_after("POST", "/v1/counters/c-" + std::to_string(i) + "/add");
  node->entities().ask_idle_to_leave();
  node->entities().ask_idle_to_leave();
  until("they have left memory", [&] { return live("2.0.0") == 0; });
  EXPECT_EQ(stored_version("c-7"), 2u);
  roll_back();
  // Nobody asks for them: the next start may have the first version alone.
  for (int i = 0; i < 30; ++i)
    until("its state is in the older form", [&] { return stored_version("c-" + std::to_string(i)) == 1; });
  until("and they have left again", [&] { return node->entities().size() == 0; });
  stop();
  start(counter_node(folder.str()));
  EXPECT_EQ(value_after("GET", "/v1/counters/c-7"), 17);
}

TEST_F(upgrade_test, routes_are_those_of_the_version_that_serves) {
  create("c-1", 5);
  EXPECT_EQ(call("POST", "/v1/counters/c-1/double")["status_code"], 404);
  load("counter_v2.so");
  EXPECT_EQ(value_after("POST", "/v1/counters/c-1/double"), 10);
  EXPECT_EQ(call("POST", "/v1/counters/c-1/wait")["status_code"], 404) << "which it does not have";
  EXPECT_EQ(call("GET", "/v1/counters")["body"]["result"].size(), 1u);
  roll_back();
  EXPECT_EQ(call("POST", "/v1/counters/c-1/double")["status_code"], 404);
  EXPECT_EQ(call("GET", "/v1/counters")["body"]["result"][0]["value"], 10) << "though its state was of version 2";
}

TEST_F(upgrade_test, subscriptions_are_those_of_the_version_that_serves) {
  create("c-1");
  const auto announce = [&](const std::string& type) {
    event fact;
    fact.event_id = make_uuid();
    fact.event_type = type;
    fact.timestamp = system_clock{}.now();
    fact.customer_id = "customer-1";
    fact.resource_type = type.substr(0, type.find('.'));
    fact.resource_id = type;
    fact.data = {{"counter_id", "c-1"}};
    peer->publish(event_exchange(fact.resource_type), type, encode(fact), true);
  };
  const auto heard = [&](const std::string& type) {
    until("the event is heard", [&] { return call("GET", "/v1/counters/c-1")["body"]["heard"] == type; });
  };
  announce("weather.changed");
  heard("weather.changed");
  load("counter_v2.so");
  announce("weather.changed"); // in vain
  announce("storm.changed");
  heard("storm.changed");
  roll_back();
  announce("storm.changed");
  announce("weather.changed");
  heard("weather.changed");
  EXPECT_EQ(value_after("GET", "/v1/counters/c-1"), 3) << "each counts one";
}

TEST_F(upgrade_test, a_timer_armed_by_one_version_fires_in_the_next) {
  create("c-1");
  peer->consume(peer->declare("observer", "counter.events"));
  EXPECT_EQ(call("POST", "/v1/counters/c-1/remind", {{"delay_ms", 300}})["status_code"], 200);
  load("counter_v2.so");
  EXPECT_EQ(peer->next_event_type(), "counter.reminded");
}

// Requests go on, with many under way at any moment, while versions come and go.
TEST_F(upgrade_test, nothing_is_lost_and_all_is_in_order_while_versions_change_under_load) {
  constexpr int entities = 20, rounds = 60;
  for (int i = 0; i < entities; ++i)
    create("c-" + std::to_string(i));
  peer->consume(peer->declare("observer", "counter.events"));
  std::atomic<bool> changing{true};
  std::thread changes{[&] {
    for (int i = 0; i < 6; ++i) {
      EXPECT_TRUE(node->plugins().load("counter_v2.so"));
      EXPECT_TRUE(node->plugins().roll_back("counter"));
    }
    changing = false;
  }};
  int sent = 0;
  for (int round = 0; round < rounds || changing; ++round) {
    for (int i = 0; i < entities; ++i, ++sent)
      peer->publish("", request_queue("counter"), envelope("POST", "/v1/counters/c-" + std::to_string(i) + "/add"),
                    true, "c-1", peer->reply_to());
    for (int i = 0; i < entities; ++i) {
      const auto answer = json::parse(peer->reply());
      EXPECT_EQ(answer["status_code"], 200) << answer;
    }
  }
  changes.join();
  std::map<std::string, std::int64_t> values;
  int by_first = 0, by_second = 0;
  for (int i = 0; i < sent; ++i) {
    const auto seen = peer->next_event();
    ASSERT_TRUE(seen);
    auto& before = values[seen->fact.resource_id];
    const auto step = seen->fact.data["value"].get<std::int64_t>() - before;
    ASSERT_TRUE(step == 1 || step == 10) << "each event follows the one before: " << step;
    ++(step == 1 ? by_first : by_second);
    before += step;
  }
  EXPECT_GT(by_first, 0);
  EXPECT_GT(by_second, 0);
  for (const auto& [id, value] : values)
    EXPECT_EQ(value_after("GET", "/v1/counters/" + id), value);
  EXPECT_EQ(row("1.0.0")["types"][0]["failed"], 0);
  EXPECT_EQ(row("2.0.0")["types"][0]["failed"], 0);
}

TEST_F(upgrade_test, an_upgrade_that_cannot_be_taken_back_says_so) {
  create("c-1");
  load("counter_one_way.so");
  EXPECT_EQ(node->plugins().list()["plugins"].size(), 2u);
  value_after("POST", "/v1/counters/c-1/add");
  ASSERT_TRUE(node->store().flush());
  const auto refused = node->plugins().roll_back("counter");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("can't take over counter c-1"));
  EXPECT_THAT(refused.error().what, HasSubstr("its state is of version 2"));
  EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 20) << "it serves on";
}

TEST_F(upgrade_test, an_upgrade_that_cannot_open_what_is_stored_is_refused_and_nothing_changes) {
  create("c-1", 665);
  value_after("POST", "/v1/counters/c-1/add");
  ASSERT_TRUE(node->store().flush());
  for (int attempt = 0; attempt < 2; ++attempt)
    EXPECT_THAT(why_not("counter_one_way.so"), HasSubstr("a number it does not like"));
  EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 667);
  EXPECT_TRUE(row("1.0.0")["serves"].get<bool>());
  EXPECT_EQ(node->plugins().list()["plugins"].size(), 1u) << "what never served is not listed";
}

TEST_F(upgrade_test, files_that_may_not_serve_are_refused_with_the_reason) {
  EXPECT_THAT(why_not("counter.so"), HasSubstr("serves already"));
  for (const auto* name : {"absent.so", "absent"})
    EXPECT_THAT(why_not(name), HasSubstr(std::string{SWITCHBOARD_TEST_PLUGIN_DIR} + "/absent.so: No such file"));
  const std::string broken = SWITCHBOARD_BROKEN_PLUGIN_DIR;
  EXPECT_THAT(why_not(broken + "/no_manifest.so"), HasSubstr("/no_manifest.so: it has no section"));
  EXPECT_THAT(why_not(broken + "/foreign_abi.so"), HasSubstr("built for ABI 2.0"));
  EXPECT_THAT(why_not(broken + "/entry_crashes.so"),
              HasSubstr("/entry_crashes.so: it ended the process that tried it"));
  EXPECT_THAT(why_not(broken + "/type_taken.so"), HasSubstr("the entity type 'counter' is there already"));
  EXPECT_THAT(why_not(std::string{SWITCHBOARD_PLUGIN_DIR} + "/call.so"), HasSubstr("node.plugin_folders"));
  EXPECT_THAT(why_not(std::string{SWITCHBOARD_TEST_PLUGIN_DIR} + "/../plugins/call.so"),
              HasSubstr("node.plugin_folders"));
  const auto none = node->plugins().roll_back("counter");
  EXPECT_THAT(none ? "" : none.error().what, HasSubstr("no version of plugin 'counter' served before 1.0.0"));
  const auto refused = node->plugins().roll_back("broken"); // it was type_taken.so's name
  EXPECT_THAT(refused ? "" : refused.error().what, HasSubstr("no plugin 'broken'"));
  const auto unknown = node->plugins().roll_back("nobody");
  EXPECT_THAT(unknown ? "" : unknown.error().what, HasSubstr("no plugin 'nobody'"));
  create("c-1");
}

TEST_F(upgrade_test, a_file_written_over_is_a_new_version_and_the_old_one_still_runs) {
  stop();
  namespace fs = std::filesystem;
  const auto from = fs::path{SWITCHBOARD_TEST_PLUGIN_DIR};
  const auto mine = fs::path{folder.str()} / "mine";
  fs::create_directories(mine);
  fs::copy_file(from / "counter.so", mine / "counter.so");
  auto options = counter_node(folder.str() + "/data");
  options.plugins_dir = mine.string();
  start(std::move(options));
  create("c-1");
  // In place, as `cp` does it: the pages of a file that is mapped would change under the code that runs.
  std::ofstream{mine / "counter.so", std::ios::binary | std::ios::trunc}
      << std::ifstream{from / "counter_v2.so", std::ios::binary}.rdbuf();
  EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 1);
  load("counter.so");
  EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 11);
  roll_back();
  EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 12);
}

TEST_F(upgrade_test, a_plugin_that_was_not_there_at_start_can_be_loaded) {
  stop();
  auto options = counter_node(folder.str() + "/empty");
  options.plugins = {};
  start(std::move(options));
  EXPECT_EQ(peer->find(request_queue("counter")), nullptr);
  load("counter"); // .so or not
  create("c-1", 4);
  EXPECT_EQ(value_after("POST", "/v1/counters/c-1/add"), 5);
}

TEST_F(upgrade_test, a_version_that_fails_is_rolled_back_by_itself) {
  stop();
  auto options = counter_node(folder.str());
  options.upgrade_failures_max = 20;
  start(std::move(options));
  for (int i = 0; i < 30; ++i)
    create("c-" + std::to_string(i));
  load("counter_faulty.so");
  int failed = 0;
  for (int i = 0; i < 25; ++i)
    failed += call("POST", "/v1/counters/c-" + std::to_string(i) + "/add")["status_code"] == 500;
  EXPECT_GE(failed, 20);
  until("the first version serves again", [&] { return row("1.0.0")["serves"].get<bool>(); });
  until("and the list says why", [&] { return row("1.0.0").contains("rolled_back"); });
  EXPECT_THAT(row("1.0.0")["rolled_back"].get<std::string>(), HasSubstr("decisions failed"));
  EXPECT_EQ(value_after("POST", "/v1/counters/c-29/add"), 1);
}

// -- without a node -------------------------------------------------------------------------------------------------

struct hosted_types_test : testing::Test {
  hosted_types types;
  std::vector<const hosted_type*> loaded;

  const hosted_type& add(const std::string& file) {
    auto plugin = load_plugin(std::string{SWITCHBOARD_TEST_PLUGIN_DIR} + "/" + file + ".so");
    EXPECT_TRUE(plugin) << plugin.error().what;
    return types.add_version(*plugin->entry->types[0], "{}", plugin->manifest.name, plugin->manifest.version);
  }
  static saved_state first(int value) {
    return {R"({"customer_id":"c","value":)" + std::to_string(value) + R"(,"heard":""})", 1};
  }
};

TEST_F(hosted_types_test, an_entity_that_the_new_version_cannot_open_stays_with_the_old_one) {
  types.serve(add("counter"));
  types.serve(add("counter_one_way"));
  const auto& type = *types.find("counter");
  const auto good = open_saved(type, first(5));
  ASSERT_TRUE(good);
  EXPECT_EQ(good->by->version, "3.0.0");
  EXPECT_EQ(good->refusal, "");
  const auto kept = open_saved(type, first(666));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->by->version, "1.0.0");
  EXPECT_THAT(kept->refusal, HasSubstr("does not like"));
  EXPECT_FALSE(open_saved(type, {"not JSON", 1}));
}

TEST_F(hosted_types_test, a_newer_state_is_opened_through_its_own_versions_downgrade) {
  const auto& second = add("counter_v2");
  types.serve(second);
  types.serve(add("counter"));
  const saved_state newer{R"({"customer_id":"c","count":7,"heard":""})", 2};
  auto opened = open_saved(*types.find("counter"), newer);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->by->version, "1.0.0");
  ASSERT_TRUE(opened->downgraded);
  EXPECT_EQ(opened->downgraded->version, 1u);
  EXPECT_EQ(json::parse(opened->downgraded->bytes), json::parse(first(7).bytes));
  EXPECT_EQ(json::parse(*opened->instance.view())["value"], 7);
}

TEST_F(hosted_types_test, a_newer_state_nobody_takes_back_stays_with_its_version) {
  types.serve(add("counter_one_way"));
  types.serve(add("counter"));
  const auto opened = open_saved(*types.find("counter"), {R"({"customer_id":"c","count":7,"heard":""})", 2});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->by->version, "3.0.0");
  EXPECT_THAT(opened->refusal, HasSubstr("version 2"));
}

TEST_F(hosted_types_test, a_version_that_serves_again_is_the_latest) {
  const auto& one = add("counter");
  const auto& two = add("counter_v2");
  types.serve(one);
  types.serve(two);
  types.serve(one);
  const auto& type = *types.find("counter");
  EXPECT_EQ(&type.now(), &one);
  EXPECT_THAT(type.versions(), testing::ElementsAre(&one, &two));
  EXPECT_EQ(types.find("nobody"), nullptr);
}

} // namespace
} // namespace switchboard::runtime
