#include "node/config.hpp"

#include <fstream>
#include <iterator>
#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "node/config_table.hpp"
#include "node/config_value.hpp"
#include "node/files.hpp"

namespace switchboard::node {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string problem_of(std::string_view text, const std::vector<std::string>& overrides = {}) {
  const auto parsed = parse_config(text, "f.toml", overrides);
  return parsed ? "" : parsed.error().what;
}

TEST(config, the_file_in_the_tree_is_what_check_config_prints) {
  const auto file = read_file(SWITCHBOARD_SOURCE_DIR "/config/standalone.toml");
  ASSERT_TRUE(file);
  EXPECT_EQ(*file, to_toml(config{})) << "run: switchboard check-config --print-default > config/standalone.toml";
}

TEST(config, the_file_in_the_tree_is_read_back_as_the_defaults) {
  const auto parsed = load_config(SWITCHBOARD_SOURCE_DIR "/config/standalone.toml", {});
  ASSERT_TRUE(parsed) << parsed.error().what;
  EXPECT_EQ(to_toml(*parsed), to_toml(config{}));
}

TEST(config, names_that_outside_scripts_rely_on) {
  const auto set = parse_config("[node]\nname='n'\ndata_dir='/d'\n[amqp]\nport=1\n[zmq]\nport=2\n[http]\nport=3\n"
                                "[admin]\nport=4\n[jwt]\nhs256_secret_file='/s'\n",
                                "f.toml", {});
  ASSERT_TRUE(set) << set.error().what;
  EXPECT_EQ(set->node.name, "n");
  EXPECT_EQ(set->node.data_dir, "/d");
  EXPECT_EQ(set->amqp.port, 1);
  EXPECT_EQ(set->zmq.port, 2);
  EXPECT_EQ(set->http.port, 3);
  EXPECT_EQ(set->admin.port, 4);
  EXPECT_EQ(set->hs256_secret_path(), "/s");
}

TEST(config, the_secret_lies_in_the_data_folder_unless_said_otherwise) {
  const auto set = default_config({"node.data_dir=/var/lib/x"});
  ASSERT_TRUE(set);
  EXPECT_EQ(set->hs256_secret_path(), "/var/lib/x/jwt.secret");
}

TEST(config, every_option_can_be_set_to_what_it_shows) {
  // Through --set and through a file: reading and showing are inverse for each option.
  for (const auto& row : options()) {
    config target;
    const auto literal = row.show(config{});
    const auto text = "[" + std::string{row.section} + "]\n" + std::string{row.key} + " = " + literal + "\n";
    const auto parsed = parse_config(text, "f.toml", {});
    ASSERT_TRUE(parsed) << row.name() << ": " << parsed.error().what;
    EXPECT_EQ(row.show(*parsed), literal) << row.name();
    EXPECT_THAT(row.sentence, testing::EndsWith(".")) << row.name();
  }
}

TEST(config, every_option_refuses_a_value_of_another_type) {
  for (const auto& row : options()) {
    const auto text = "[" + std::string{row.section} + "]\n\n" + std::string{row.key} + " = 1.5\n";
    EXPECT_THAT(problem_of(text), HasSubstr("f.toml:3: " + row.name() + ": must be ")) << row.name();
  }
}

struct wrong {
  const char* text;
  const char* problem;
};

TEST(config, each_mistake_is_one_line_with_file_line_key_and_cause) {
  const wrong cases[] = {
      {"[amqp]\nprt = 5672\n", "f.toml:2: amqp.prt: unknown key; did you mean amqp.port?"},
      {"[amqp]\nfrobnicate = 1\n", "f.toml:2: amqp.frobnicate: unknown key"},
      {"[ampq]\nport = 5672\n", "f.toml:2: ampq.port: unknown section; did you mean amqp.port?"},
      {"\n[nothing]\n", "f.toml:2: nothing: unknown section"},
      {"port = 1\n", "f.toml:1: port: unknown key outside of any [section]"},
      {"[amqp]\nport = \"5672\"\n", "f.toml:2: amqp.port: must be an integer, not a string"},
      {"[amqp]\nport = 65536\n", "f.toml:2: amqp.port: must be 0..65535; 65536 is not"},
      {"[amqp]\nport = -1\n", "f.toml:2: amqp.port: must be 0..65535; -1 is not"},
      {"[amqp]\nport = {a = 1}\n", "f.toml:2: amqp.port: must be an integer, not a table"},
      {"[amqp]\nport = 2026-01-20\n", "f.toml:2: amqp.port: must be an integer, not a date or time"},
      {"[amqp]\nheartbeat = 60\n",
       "f.toml:2: amqp.heartbeat: must be a string with a unit such as \"30s\", not an integer"},
      {"[amqp]\nheartbeat = \"60\"\n", "f.toml:2: amqp.heartbeat: has no unit (ms, s, m, h), e.g. \"30s\""},
      {"[amqp]\nheartbeat = \"60 s\"\n", "f.toml:2: amqp.heartbeat: has an unknown unit (ms, s, m, h), e.g. \"30s\""},
      {"[amqp]\nheartbeat = \"2h\"\n", "f.toml:2: amqp.heartbeat: must be 0s..1h; \"2h\" is not"},
      {"[amqp]\nframe_max = \"1MB\"\n",
       "f.toml:2: amqp.frame_max: has an unknown unit (B, KiB, MiB, GiB, TiB), e.g. \"64MiB\""},
      {"[store]\nsync = \"yes\"\n", "f.toml:2: store.sync: must be true or false, not a string"},
      {"[log]\nlevel = \"loud\"\n",
       "f.toml:2: log.level: must be \"debug\" or \"info\" or \"warning\" or \"error\"; \"loud\" is not"},
      {"[node]\nname = \"\"\n",
       "f.toml:2: node.name: must be 1..128 visible ASCII characters without : * # /; \"\" is not"},
      {"[node]\nplugins = [\"call\", 7]\n",
       "f.toml:2: node.plugins: must be a list of strings, not a list of other things"},
      {"[node]\nplugins = [\"../call\"]\n",
       "f.toml:2: node.plugins: must be each 1..128 visible ASCII characters without : * # /; [\"../call\"] is not"},
      {"[websocket]\nping_interval = \"2s\"\npong_timeout = \"2s\"\n",
       "f.toml:3: websocket.pong_timeout: must be longer than websocket.ping_interval"},
      {"[amqp]\nuser = \"joe\"\n", "f.toml:2: amqp.user: a user other than guest wants amqp.password_file"},
      {"[plugin.quue]\na = 1\n", "f.toml:1: plugin.quue: this plugin is not in node.plugins"},
      {"[plugin]\ncall = 1\n", "f.toml:2: plugin.call: must be a table [plugin.call]"},
      {"[plugin.call]\nat = 12:00:00\n", "f.toml:2: plugin.call: dates, times and infinite numbers have no JSON form"},
  };
  for (const auto& each : cases)
    EXPECT_EQ(problem_of(each.text), each.problem) << each.text;
}

TEST(config, a_syntax_error_names_the_line) {
  EXPECT_THAT(problem_of("[amqp]\nport = 1\nport = 2\n"), testing::StartsWith("f.toml:3: "));
  EXPECT_THAT(problem_of("[amqp\n"), testing::StartsWith("f.toml:1: "));
  EXPECT_THAT(problem_of("[amqp]\nhost = \"\xff\"\n"), testing::StartsWith("f.toml:2: "));
}

TEST(config, set_goes_over_the_file_and_the_last_one_wins) {
  const auto parsed = parse_config("[amqp]\nport = 1\n", "f.toml",
                                   {"amqp.port=2", "amqp.port=3", "node.plugins=call,agent", "amqp.heartbeat=5m",
                                    "store.sync=false", "broker.backlog_bytes_max=1MiB", "node.name=a=b"});
  ASSERT_TRUE(parsed) << parsed.error().what;
  EXPECT_EQ(parsed->amqp.port, 3);
  EXPECT_THAT(parsed->node.plugins, testing::ElementsAre("call", "agent"));
  EXPECT_EQ(parsed->amqp.heartbeat, std::chrono::minutes{5});
  EXPECT_FALSE(parsed->store.sync);
  EXPECT_EQ(parsed->broker.backlog_bytes_max, 1u << 20);
  EXPECT_EQ(parsed->node.name, "a=b");
}

TEST(config, a_wrong_override_says_so) {
  const wrong cases[] = {
      {"amqp.port", "--set amqp.port: wants section.key=value"},
      {"port=1", "--set port=1: wants section.key=value"},
      {"amqp.prot=1", "--set: amqp.prot: unknown key; did you mean amqp.port?"},
      {"amqp.port=x", "--set: amqp.port: must be an integer; 'x' is not"},
      {"amqp.port=1x", "--set: amqp.port: must be an integer; '1x' is not"},
      {"store.sync=1", "--set: store.sync: must be true or false; '1' is not"},
      {"plugin.call=1", "--set plugin.call: wants plugin.<name>.<key>=value"},
      {"plugin.x.y=1", "--set: plugin.x: this plugin is not in node.plugins"},
  };
  for (const auto& each : cases)
    EXPECT_EQ(problem_of("", {each.text}), each.problem);
}

TEST(config, plugin_tables_become_json) {
  const auto parsed =
      parse_config("[plugin.queue]\nwrap_up = \"5s\"\nn = 3\nlist = [1, 2.5, true]\n[plugin.queue.deep]\na = 1\n",
                   "f.toml", {"plugin.queue.n=4", "plugin.call.word=plain text"});
  ASSERT_TRUE(parsed) << parsed.error().what;
  EXPECT_EQ(nlohmann::json::parse(parsed->settings_of("queue")),
            (nlohmann::json{{"wrap_up", "5s"}, {"n", 4}, {"list", {1, 2.5, true}}, {"deep", {{"a", 1}}}}));
  EXPECT_EQ(parsed->settings_of("call"), R"({"word":"plain text"})");
  EXPECT_EQ(parsed->settings_of("agent"), "{}");
}

TEST(config, a_file_that_cannot_be_read_is_named) {
  const auto missing = load_config("/nowhere/x.toml", {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().what, "/nowhere/x.toml: No such file or directory");
  EXPECT_FALSE(load_config("/", {}));
}

TEST(config, garbage_never_gets_through_nor_throws) {
  // Every prefix of the real file: either a whole configuration or one line with the file's name.
  const auto whole = to_toml(config{});
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const auto problem = problem_of(std::string_view{whole}.substr(0, size));
    if (!problem.empty()) {
      EXPECT_THAT(problem, testing::StartsWith("f.toml:"));
      EXPECT_EQ(problem.find('\n'), std::string::npos) << problem;
    }
  }
}

TEST(config_value, durations_and_sizes_are_read_and_written) {
  EXPECT_EQ(*parse_duration("250ms"), milliseconds{250});
  EXPECT_EQ(*parse_duration("0s"), milliseconds{0});
  EXPECT_EQ(*parse_duration("24h"), std::chrono::hours{24});
  EXPECT_EQ(to_text(milliseconds{1500}), "1500ms");
  EXPECT_EQ(to_text(milliseconds{90'000}), "90s");
  EXPECT_EQ(to_text(milliseconds{0}), "0s");
  EXPECT_EQ(*parse_bytes("64MiB"), 64u << 20);
  EXPECT_EQ(to_text(kibibytes(1536)), "1536KiB");
  for (const auto* text :
       {"", "s", "-1s", "+1s", "1", "1.5s", "1S", " 1s", "1s ", "99999999999999999999s", "9223372036854775807s"})
    EXPECT_FALSE(parse_duration(text)) << text;
  for (const auto* text : {"", "B", "1", "1kB", "99999999999TiB", "-1B"})
    EXPECT_FALSE(parse_bytes(text)) << text;
}

} // namespace
} // namespace switchboard::node
