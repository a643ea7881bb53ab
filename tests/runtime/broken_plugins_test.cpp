// Broken plugins, on a real node: each is refused with its reason, or contained when it breaks a rule later, and the
// node serves on.
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/runtime/node_fixture.hpp"

#include "runtime/plugin_trial.hpp"

namespace switchboard::runtime {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

#if defined(__SANITIZE_ADDRESS__)
constexpr milliseconds trial_limit{5000};
#else
constexpr milliseconds trial_limit{2000};
#endif

/// A folder of plugins that nobody else may write.
struct plugin_folder : temporary_folder {
  plugin_folder() { fs::permissions(str(), fs::perms::owner_all); }
  fs::path file(const std::string& name) const { return fs::path{str()} / (name + ".so"); }
  void copy(const std::string& from_dir, const std::string& name, const std::string& as = {}) const {
    const auto to = file(as.empty() ? name : as);
    fs::copy_file(fs::path{from_dir} / (name + ".so"), to, fs::copy_options::overwrite_existing);
    fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write);
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream{file(name)} << text; }
};

struct broken_case {
  const char* name;
  const char* reason;
};

// Built from plugins/broken/broken.cpp.
constexpr broken_case built_broken[]{
    {"foreign_abi", "built for ABI 2.0, this node speaks 1."}, // it would abort if its code ran
    {"newer_abi", "built for ABI 1.99"},
    {"older_abi_inside", "its description differs from its manifest"},
    {"other_name", "its description differs from its manifest"},
    {"other_version", "its description differs from its manifest"},
    {"no_manifest", "it has no section .switchboard.manifest"},
    {"no_abi_line", "its manifest lacks abi, name or version"},
    {"no_entry", "it has no switchboard_plugin_entry"},
    {"null_entry", "switchboard_plugin_entry gives nothing"},
    {"entry_throws", "switchboard_plugin_entry throws: thrown by the entry"},
    {"entry_hangs", "it did not get ready within"},
    {"entry_crashes", "it ended the process that tried it"},
    {"entry_exits", "it ended the process that tried it: exit code 0"},
    {"hangs_when_loaded", "it did not get ready within"},
    {"throws_when_loaded", "it ended the process that tried it: it threw: thrown by a constructor"},
    {"missing_symbol", "undefined symbol: nobody_defines_this"},
    {"small_description", "its description is smaller than this ABI's"},
    {"null_types", "it has no entity type"},
    {"no_types", "it has no entity type"},
    {"countless_types", "it counts 2305843009213693951 entity types"},
    {"null_type", "an entity type is missing"},
    {"type_twice", "the entity type 'broken' is there already"},
    {"small_type", "an entity type has no proper size, name or service"},
    {"bad_type_name", "an entity type has no proper size, name or service"},
    {"null_function", "type 'broken' lacks a function"},
    {"null_routes", "counts routes or subscriptions it doesn't have"},
    {"countless_routes", "counts routes or subscriptions it doesn't have"},
    {"no_service", "has routes and no service"},
    {"bad_pattern", "has a malformed segment"},
    {"foreign_pattern", "is not below /v1/"},
    {"null_pattern", "a route lacks its method or pattern"},
    {"bad_method", "has no method that requests have"},
    {"bad_target", "has an unknown target"},
    {"no_id", "has no {id}"},
    {"no_key", "has no key"},
    {"route_twice", "is served already"},
    {"bad_subscription", "a subscription names no event type"},
    {"type_taken", "the entity type 'counter' is there already"},
    {"route_taken", "is served already, by type 'counter'"},
};

/// Copies of a good plugin, spoilt as files; the others are folders where links lead.
std::map<std::string, std::string> spoil_files(const plugin_folder& at, const plugin_folder& foreign,
                                               const plugin_folder& open_house) {
  std::map<std::string, std::string> reasons;
  const auto spoilt = [&](const std::string& name, const std::string& reason) {
    at.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "rebel", name);
    reasons[name] = reason;
    return at.file(name);
  };
  fs::resize_file(spoilt("cut_off", "its table of sections is"), 4000);
  fs::resize_file(spoilt("empty", "not a 64-bit shared object of this machine"), 0);
  fs::resize_file(spoilt("too_large", "larger than any plugin may be"), std::uintmax_t{1} << 30); // sparse
  {
    std::fstream file{spoilt("other_machine", "not a 64-bit shared object of this machine"),
                      std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(18); // e_machine
    file.write("\x28\x00", 2);
  }
  fs::permissions(spoilt("for_everybody", "the file may be written by everybody"), fs::perms::others_write,
                  fs::perm_options::add);
  const auto for_group = spoilt("for_a_group", "the file may be written by its group");
  if (::geteuid() == 0) {
    EXPECT_EQ(::chown(for_group.c_str(), 0, 12345), 0);
    EXPECT_EQ(::chown(spoilt("anothers", "the file belongs to another user").c_str(), 12345, 12345), 0);
    foreign.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "rebel", "anothers");
    EXPECT_EQ(::chown(foreign.file("anothers").c_str(), 12345, 12345), 0);
    fs::create_symlink(foreign.file("anothers"), at.file("link_to_anothers"));
    reasons["link_to_anothers"] = "the file belongs to another user";
    fs::permissions(for_group, fs::perms::group_write, fs::perm_options::add);
  } else {
    reasons.erase("for_a_group"); // only root can make one of a group that is not the user's own
  }
  open_house.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "rebel", "guest");
  fs::permissions(open_house.str(), fs::perms::all);
  fs::create_symlink(open_house.file("guest"), at.file("link_to_open_house"));
  reasons["link_to_open_house"] = "its folder may be written by everybody";
  at.write("text", "#!/bin/sh\necho I am no plugin\n");
  reasons["text"] = "not a 64-bit shared object of this machine";
  fs::create_directory(at.file("folder"));
  reasons["folder"] = "not a regular file";
  EXPECT_EQ(::mkfifo(at.file("pipe").c_str(), 0600), 0);
  reasons["pipe"] = "not a regular file"; // and nobody waits for a writer
  return reasons;
}

struct broken_node : testing::Test {
  temporary_folder data;
  plugin_folder plugins;
  std::unique_ptr<core> node;
  std::unique_ptr<client> peer;

  core_options options() const {
    auto made = counter_node(data.str());
    made.plugins_dir = plugins.str();
    made.plugin_trial = {{SWITCHBOARD_TRY_PLUGINS}, trial_limit};
    made.handler_max = 100ms;
    return made;
  }
  void start(core_options how) {
    auto started = core::start(std::move(how));
    ASSERT_TRUE(started) << started.error().what;
    node = std::move(*started);
    peer = std::make_unique<client>(*node);
  }
  void TearDown() override {
    peer.reset();
    if (node)
      node->shutdown({}, 10s);
    node.reset();
  }
  json ask(const std::string& service, const std::string& method, const std::string& route,
           const json& body = nullptr) {
    return json::parse(peer->call(envelope(method, route, body.dump()), true, service));
  }
  int status(const std::string& service, const std::string& method, const std::string& route,
             const json& body = nullptr) {
    return ask(service, method, route, body)["status_code"];
  }
};

/// The line of a log that has both words.
std::string line_with(const std::string& log, const std::string& event, const std::string& word) {
  std::istringstream lines{log};
  for (std::string line; std::getline(lines, line);)
    if (line.find(event) != std::string::npos && line.find(word) != std::string::npos)
      return line;
  return "no line with " + event + " and " + word;
}

TEST_F(broken_node, refuses_each_broken_plugin_with_its_reason_and_serves_the_others) {
  const plugin_folder foreign, open_house;
  plugins.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "counter");
  auto how = options();
  std::map<std::string, std::string> reasons = spoil_files(plugins, foreign, open_house);
  for (const auto& [name, reason] : built_broken) {
    plugins.copy(SWITCHBOARD_BROKEN_PLUGIN_DIR, name);
    reasons[name] = reason;
  }
  for (const auto& [name, reason] : reasons)
    how.plugins.push_back(name);
  EXPECT_GE(reasons.size(), 30U);

  testing::internal::CaptureStderr();
  start(std::move(how));
  const auto log = testing::internal::GetCapturedStderr();
  for (const auto& [name, reason] : reasons)
    EXPECT_THAT(line_with(log, "plugin_refused plugin=" + name + " ", ""), HasSubstr(reason)) << name;
  ASSERT_TRUE(node);
  EXPECT_EQ(node->plugins().list()["plugins"].size(), 1U);
  EXPECT_THAT(node->node().metrics.page(),
              HasSubstr("switchboard_plugins_refused " + std::to_string(reasons.size()) + "\n"));
  EXPECT_EQ(status("counter", "POST", "/v1/counters", {{"id", "c-1"}}), 200);
  EXPECT_EQ(status("counter", "POST", "/v1/counters/c-1/add"), 200);
}

TEST_F(broken_node, contains_each_broken_rule_with_its_reason_and_serves_on) {
  const broken_case broken[]{
      {"throws", "thrown by decide"},
      {"throws-a-number", "exception of an unknown type"},
      {"fails-silently", "the decision failed without a reason"},
      {"never-replies", "was answered 0 times"},
      {"replies-twice", "was answered 2 times"},
      {"huge-state", "a state of 16777217 bytes is over 16777216"},
      {"empty-state", "an empty state"},
      {"bad-event", "the event 'rebel.bad' has no proper type or data"},
      {"nameless-event", "the event 'nodot' has no proper type or data"},
      {"bad-address", "the message 'hello' has no proper address"},
      {"bad-timer", "the timer '' has no proper name"},
      {"null-bytes", "null"},
      {"bad-reply", "the reply's body is not JSON"},
      {"odd-status", "the reply's status 99999"},
  };
  plugins.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "counter");
  plugins.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "rebel");
  auto how = options();
  how.plugins.emplace_back("rebel");
  start(std::move(how));
  ASSERT_EQ(status("counter", "POST", "/v1/counters", {{"id", "c-1"}}), 200);
  for (const auto& [order, reason] : broken) {
    const std::string id{order};
    ASSERT_EQ(status("rebel", "POST", "/v1/rebels", {{"id", id}}), 200) << order;
    testing::internal::CaptureStderr();
    EXPECT_EQ(status("rebel", "POST", "/v1/rebels/" + id + "/" + order), 500) << order;
    EXPECT_THAT(line_with(testing::internal::GetCapturedStderr(), "decision_failed", "rebel/" + id), HasSubstr(reason))
        << order;
    EXPECT_EQ(status("rebel", "POST", "/v1/rebels/" + id + "/tame"), 200) << "the entity goes on after " << order;
    EXPECT_EQ(status("counter", "POST", "/v1/counters/c-1/add"), 200) << order;
  }
}

TEST_F(broken_node, contains_what_throws_when_it_is_opened_seen_or_closed) {
  plugins.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "rebel");
  auto how = options();
  how.plugins = {"rebel"};
  start(std::move(how));
  // A state that says so, and a failed decision, after which the instance is closed and another one opened.
  const auto reopen = [&](const std::string& id) {
    EXPECT_EQ(status("rebel", "POST", "/v1/rebels", {{"id", id}}), 200);
    EXPECT_EQ(status("rebel", "PUT", "/v1/rebels/" + id + "/" + id), 200);
    EXPECT_EQ(status("rebel", "POST", "/v1/rebels/" + id + "/throws"), 500);
    return status("rebel", "POST", "/v1/rebels/" + id + "/tame");
  };
  testing::internal::CaptureStderr();
  EXPECT_EQ(reopen("throws-in-open"), 500);
  EXPECT_EQ(reopen("null-in-open"), 500);
  EXPECT_EQ(reopen("throws-in-close"), 200);
  EXPECT_EQ(reopen("throws-in-view"), 200);
  EXPECT_EQ(reopen("no-json-in-view"), 200);
  EXPECT_EQ(status("rebel", "POST", "/v1/rebels", {{"id", "tame"}}), 200);
  const auto listed = ask("rebel", "GET", "/v1/rebels");
  const auto log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("thrown by open"));
  EXPECT_THAT(log, HasSubstr("the state can't be opened"));
  EXPECT_THAT(line_with(log, "entity_left_out_of_list", "throws-in-view"), HasSubstr("thrown by view"));
  EXPECT_THAT(line_with(log, "entity_left_out_of_list", "no-json-in-view"), HasSubstr("not valid JSON"));
  EXPECT_EQ(listed["status_code"], 200);
  EXPECT_EQ(listed["body"]["result"].size(), 2U) << "the tame one and the one that throws when closed: " << listed;
}

TEST_F(broken_node, names_a_decision_that_hangs_while_others_go_on) {
  plugins.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "counter");
  plugins.copy(SWITCHBOARD_TEST_PLUGIN_DIR, "rebel");
  auto how = options();
  how.plugins.emplace_back("rebel");
  start(std::move(how));
  ASSERT_EQ(status("counter", "POST", "/v1/counters", {{"id", "c-1"}}), 200);
  ASSERT_EQ(status("rebel", "POST", "/v1/rebels", {{"id", "r-1"}}), 200);
  testing::internal::CaptureStderr();
  peer->publish("", request_queue("rebel"), envelope("POST", "/v1/rebels/r-1/hangs"), true, "c-1", peer->reply_to());
  const auto first = ask("counter", "POST", "/v1/counters/c-1/add");
  EXPECT_EQ(first["body"]["value"], 1) << "answered while the other one hangs: " << first;
  EXPECT_EQ(json::parse(peer->reply())["status_code"], 200);
  EXPECT_THAT(line_with(testing::internal::GetCapturedStderr(), "handler_slow", "running"), HasSubstr("rebel/r-1"));
}

TEST(plugin_trial, without_a_command_nothing_is_tried_and_a_missing_command_is_said) {
  EXPECT_TRUE(try_plugins({}, {"/no/such.so"}).front());
  const auto found = try_plugins({{"/no/such/program"}, trial_limit}, {"a.so", "b.so"});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_FALSE(found[1]);
}

} // namespace
} // namespace switchboard::runtime
