// The commands and their options (CLI11 lives in this file alone). Each command ends in one `action_`, which runs after
// all arguments have been read.
#include "node/cli.hpp"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "base/time.hpp"
#include "messages/json_object.hpp"
#include "messages/topic.hpp"
#include "node/cli_client.hpp"
#include "node/cli_print.hpp"
#include "node/cli_requests.hpp"
#include "node/config_value.hpp"
#include "node/files.hpp"
#include "node/plugin_project.hpp"
#include "runtime/jwt.hpp"
#include "runtime/plugin_trial.hpp"

namespace switchboard::node {
namespace {

constexpr const char* usual_config = "config/standalone.toml";

void say(const std::string& text) { std::fputs(text.c_str(), stdout); }
int complain(exit_code code, const std::string& text) {
  std::fprintf(stderr, "switchboard: %s\n", text.c_str());
  return code;
}

class program {
public:
  explicit program(int (*run)(const config&)) : run_(run) {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.failure_message([](const CLI::App* app, const CLI::Error& problem) {
      return "switchboard: " + reason_of(*app, problem) + "\nTry: switchboard --help\n";
    });
    add_shared_options();
    add_node_commands();
    add_call();
    add_agent();
    add_queue();
    add_dead_letters();
    add_plugin();
    add_history();
    add_free_commands();
  }

  int main(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
      // CLI11's own codes are 100 and up; help and version are no errors.
      return app_.exit(problem) == 0 ? done : wrong_usage;
    }
    return action_();
  }

private:
  using action = std::function<int()>;

  /// CLI11 asks for a subcommand before it complains of the word it does not know.
  static std::string reason_of(const CLI::App& app, const CLI::Error& problem) {
    const std::string said = problem.what();
    const auto unknown = app.remaining(/*recurse*/ true);
    if (unknown.empty() || !said.starts_with("A subcommand is required"))
      return said;
    return "unknown command '" + unknown.front() + "'";
  }

  // -- options every command takes, before or after its name -------------------------------------------------------

  void add_shared_options() {
    app_.add_option("-c,--config", config_file_,
                    "configuration file; without it config/standalone.toml, if there is one")
        ->envname("SWITCHBOARD_CONFIG");
    app_.add_option("--set", overrides_, "section.key=value, over the file; may be repeated")->allow_extra_args(false);
    app_.add_flag("--json", as_json_, "print JSON, for programs");
    app_.add_option("--http", http_url_, "public address of the node, e.g. http://127.0.0.1:8080")
        ->envname("SWITCHBOARD_HTTP");
    app_.add_option("--admin", admin_url_, "admin address of the node, e.g. http://127.0.0.1:8081")
        ->envname("SWITCHBOARD_ADMIN");
    app_.add_option("--customer", customer_,
                    "act for this customer; without it create, tail and token mean 'demo', and others any");
    app_.add_option("--token", token_, "JSON Web Token to act with")->envname("SWITCHBOARD_TOKEN");
  }

  CLI::App* command(CLI::App* below, const std::string& name, const std::string& sentence, action what) {
    auto* made = below->add_subcommand(name, sentence);
    made->fallthrough();
    made->callback([this, what = std::move(what)] { action_ = what; });
    return made;
  }

  CLI::App* group(const std::string& name, const std::string& sentence) {
    auto* made = app_.add_subcommand(name, sentence);
    made->require_subcommand(1);
    made->fallthrough();
    return made;
  }

  /// A command with one positional argument named `what`, kept in id_.
  CLI::App* command_with_id(CLI::App* below, const std::string& name, const std::string& sentence, const char* what,
                            std::function<client_request()> make) {
    auto* made = command(below, name, sentence, [this, make] { return ask(make()); });
    made->add_option(what, id_)->required();
    return made;
  }

  // -- the node itself ---------------------------------------------------------------------------------------------

  void add_node_commands() {
    command(&app_, "run", "start a node in the foreground; SIGTERM or Ctrl-C drains it", [this] {
      const auto settings = configuration();
      return settings ? run_(*settings) : complain(wrong_config, settings.error().what);
    });

    auto* check =
        command(&app_, "check-config", "say whether the configuration is right", [this] { return check_config(); });
    check->add_flag("--print", print_, "print all options as they are in force");
    check->add_flag("--print-default", print_default_, "print a configuration file with every option and its default");

    auto* token = command(&app_, "token", "print a development token for --customer, signed with the node's own secret",
                          [this] { return print_token(); });
    token->add_option("--agent", agent_, "the token speaks for this agent");
    token->add_option("--ttl", ttl_, "valid for, e.g. 30m")->capture_default_str();
  }

  expected<config> configuration() const {
    if (!config_file_.empty())
      return load_config(config_file_, overrides_);
    if (std::filesystem::exists(usual_config))
      return load_config(usual_config, overrides_);
    return default_config(overrides_);
  }

  int check_config() {
    if (print_default_) {
      say(to_toml({}));
      return done;
    }
    const auto settings = configuration();
    if (!settings)
      return complain(wrong_config, settings.error().what);
    if (print_) {
      say(to_toml(*settings));
      return done;
    }
    if (const auto found = find_plugins(*settings); !found)
      return complain(wrong_config, found.error().what);
    say("the configuration is right\n");
    return done;
  }

  // -- tokens ------------------------------------------------------------------------------------------------------

  expected<std::string> make_token(const config& settings, const std::string& agent, milliseconds valid_for) const {
    const auto secret = read_hs256_secret(settings);
    if (!secret)
      return secret.error();
    const auto now = system_clock{}.now();
    return runtime::sign_hs256({customer(), agent, now + valid_for}, *secret, now, settings.jwt.issuer,
                               settings.jwt.audience);
  }

  int print_token() {
    const auto settings = configuration();
    if (!settings)
      return complain(wrong_config, settings.error().what);
    const auto valid_for = parse_duration(ttl_);
    if (!valid_for)
      return complain(wrong_usage, "--ttl " + valid_for.error().what);
    const auto made = make_token(*settings, agent_, *valid_for);
    if (!made)
      return complain(failed, no_secret(made.error()));
    say(as_json_ ? dump({{"token", *made}, {"customer_id", customer()}}) + "\n" : *made + "\n");
    return done;
  }

  static std::string no_secret(const error& why) {
    return why.what +
           "; the node makes its secret at first start: has it run, and is --config (or the folder) its own?";
  }

  // -- clients -----------------------------------------------------------------------------------------------------

  const std::string& customer() const {
    static const std::string usual{default_customer};
    return customer_.empty() ? usual : customer_;
  }

  /// Where to reach the node: the option, else the configuration's listener.
  expected<base_url> url(const std::string& given, const char* option, const std::string& host, int port) const {
    if (!given.empty())
      return base_url::parse(given);
    if (port == 0)
      return {errc::bad_format,
              std::string{"the configuration takes any free port: say which with "} + option + " URL"};
    const bool any = host == "0.0.0.0" || host == "::";
    const bool six = host.find(':') != std::string::npos;
    return base_url::parse("http://" +
                           (any   ? "127.0.0.1"
                            : six ? "[" + host + "]"
                                  : host) +
                           ":" + std::to_string(port));
  }

  int ask(const client_request& what, bool admin = false) {
    const auto settings = configuration();
    if (!settings)
      return complain(wrong_config, settings.error().what);
    const auto to = admin ? url(admin_url_, "--admin", settings->admin.host, settings->admin.port)
                          : url(http_url_, "--http", settings->http.host, settings->http.port);
    if (!to)
      return complain(wrong_usage, to.error().what);
    const auto answer = send(*to, {token_, customer_}, what);
    if (!answer)
      return complain(failed, answer.error().what);
    const bool good = answer->status >= 200 && answer->status < 300;
    if (as_json_)
      say(dump(answer->body) + "\n");
    else if (good)
      say(in_words(answer->body));
    return good ? done : complain(failed, error_line(answer->status, answer->body));
  }

  static std::string in_words(const json& body) {
    const auto has = [&](const char* name) { return body.is_object() && body.value(name, json{}).is_array(); };
    return has("history")        ? history_lines(body)
           : has("plugins")      ? plugin_lines(body)
           : has("dead_letters") ? dead_letter_lines(body)
                                 : to_people(body);
  }

  int tail() {
    const auto settings = configuration();
    if (!settings)
      return complain(wrong_config, settings.error().what);
    const auto topic = tail_topic(topic_, customer());
    const auto pattern = topic_pattern::parse(topic);
    if (!pattern)
      return complain(wrong_usage, "topic " + topic + ": " + pattern.error().what);
    const auto to = url(http_url_, "--http", settings->http.host, settings->http.port);
    if (!to)
      return complain(wrong_usage, to.error().what);
    // A token of our own making speaks for whoever the topic names.
    auto token = token_;
    if (token.empty()) {
      const bool of_customer = pattern->scope == topic_scope::customer;
      if (of_customer)
        customer_ = pattern->owner;
      const auto made = make_token(*settings, of_customer ? "" : pattern->owner, std::chrono::hours{24});
      if (!made)
        return complain(failed, no_secret(made.error()));
      token = *made;
    }
    const auto ended = follow(
        *to, token, topic, [&topic] { std::cerr << "listening to " << topic << std::endl; },
        [this](const json& frame) { return show_event(frame); });
    return ended ? done : complain(failed, ended.error().what);
  }

  bool show_event(const json& frame) {
    say((as_json_ ? dump(frame) : event_line(frame)) + "\n");
    std::fflush(stdout); // line by line, also into a pipe
    return event_count_ == 0 || --event_count_ > 0;
  }

  // -- the commands that are requests ------------------------------------------------------------------------------

  void add_call() {
    auto* call = group("call", "calls: create, show, list, hangup");
    auto* create = command(call, "create", "place a call, or let one arrive with --incoming", [this] {
      return ask(create_call({new_id_, customer(), from_, to_, incoming_}));
    });
    create->add_option("--from", from_, "number of the caller")->required();
    create->add_option("--to", to_, "number called")->required();
    add_new_id(create);
    create->add_flag("--incoming", incoming_, "a caller who arrives, instead of a call we place");
    add_show_and_list(call, "calls", "CALL");
    command_with_id(call, "hangup", "end a call", "CALL", [this] { return hang_up_call(id_); });
  }

  void add_agent() {
    auto* agent = group("agent", "agents: create, login, logout, status, show, list");
    auto* create = command(agent, "create", "add an agent, logged out at first", [this] {
      return ask(create_agent({new_id_, customer(), name_, address_}));
    });
    create->add_option("--name", name_, "name for people")->required();
    add_new_id(create);
    create->add_option("--address", address_, "number or SIP address at which the agent is rung");
    command_with_id(agent, "login", "log an agent in: available from now on", "AGENT",
                    [this] { return log_in_agent(id_); });
    command_with_id(agent, "logout", "log an agent out", "AGENT", [this] { return log_out_agent(id_); });
    command_with_id(agent, "status", "set the status of an agent", "AGENT",
                    [this] { return set_agent_status(id_, name_); })
        ->add_option("STATUS", name_, "available, away or offline")
        ->required();
    add_show_and_list(agent, "agents", "AGENT");
  }

  void add_queue() {
    auto* queue = group("queue", "queues callers wait in: create, add-agent, add-caller, callers, show, list");
    auto* create = command(queue, "create", "add a queue", [this] {
      return ask(create_queue({new_id_, customer(), name_}));
    });
    create->add_option("--name", name_, "name for people")->required();
    add_new_id(create);
    command_with_id(queue, "add-agent", "let an agent take callers of a queue", "QUEUE",
                    [this] { return add_queue_agent(id_, other_id_); })
        ->add_option("AGENT", other_id_)
        ->required();
    command_with_id(queue, "add-caller", "put a call into a queue", "QUEUE",
                    [this] { return add_queue_caller(id_, other_id_); })
        ->add_option("CALL", other_id_)
        ->required();
    command_with_id(queue, "callers", "who waits and who is served", "QUEUE",
                    [this] { return list_queue_callers(id_); });
    add_show_and_list(queue, "queues", "QUEUE");
  }

  void add_dead_letters() {
    auto* letters = group("dead-letters", "messages that failed for good: list, show, replay, purge");
    auto* list = command(letters, "list", "which queues have some, and the letters, oldest first",
                         [this] { return ask(list_dead_letters(queue_, limit_), true); });
    list->add_option("--queue", queue_, "only those of this queue");
    list->add_option("--limit", limit_, "at most so many")->capture_default_str()->check(CLI::Range(1, 1000));
    auto* show = command(letters, "show", "one, with its properties and body",
                         [this] { return ask(show_dead_letter(queue_, id_), true); });
    show->add_option("QUEUE", queue_)->required();
    show->add_option("ID", id_)->required();
    auto* replay = command(letters, "replay", "send letters back to the queue where they died", [this] {
      if (ids_.empty() != all_)
        return complain(wrong_usage, "say which by ID..., or --all");
      return ask(replay_dead_letters(queue_, ids_), true);
    });
    replay->add_option("QUEUE", queue_)->required();
    replay->add_option("ID", ids_);
    replay->add_flag("--all", all_, "all of the queue");
    auto* purge = command(letters, "purge", "drop letters", [this] {
      if (id_.empty() != all_)
        return complain(wrong_usage, "say which by ID, or --all");
      return ask(purge_dead_letters(queue_, id_), true);
    });
    purge->add_option("QUEUE", queue_)->required();
    purge->add_option("ID", id_);
    purge->add_flag("--all", all_, "all of the queue");
  }

  // -- plugins -----------------------------------------------------------------------------------------------------

  void add_plugin() {
    auto* plugin = group("plugin", "plugins: new, check; of the running node: list, load, rollback");
    auto* make = command(plugin, "new", "write the project of a new plugin into a folder of its name",
                         [this] { return new_plugin(); });
    make->add_option("NAME", name_, "lower-case letters, digits and underscores")->required();
    make->add_option("--kind", kind_, "entity (keeps a state), worker (answers requests) or subscriber (hears events)")
        ->capture_default_str();
    make->add_option("--into", folder_, "the folder, which must not exist yet; ./NAME without it");
    command(plugin, "check", "try plugins as a node does before it loads them", [this] { return check_plugins(); })
        ->add_option("FILE", ids_)
        ->required();
    // What `check` and a node start to try plugins in: see runtime/plugin_trial.hpp.
    auto* attempt = command(plugin, "try", "", [this]() -> int { runtime::run_plugin_trial(ids_); });
    attempt->add_option("FILE", ids_);
    attempt->group("");
    command(plugin, "list", "what is loaded and which version serves", [this] { return ask(list_plugins(), true); });
    auto* load =
        command(plugin, "load", "let a file's plugin serve from now on, until the node ends; calls go over to it",
                [this] { return ask(load_plugin(plugin_path()), true); });
    load->add_option("FILE", id_, "a path, or a name in node.plugins_dir")->required();
    auto* back = command(plugin, "rollback", "let the version before serve again",
                         [this] { return ask(roll_back_plugin(id_), true); });
    back->add_option("NAME", id_, "of the plugin")->required();
  }

  int new_plugin() {
    const auto files = make_plugin_project(name_, kind_, package_prefix());
    if (!files)
      return complain(wrong_usage, files.error().what);
    const auto folder = folder_.empty() ? name_ : folder_;
    if (const auto written = write_plugin_project(folder, *files); !written)
      return complain(failed, written.error().what);
    say(folder + ": what to do next stands in " + folder + "/README.md\n");
    return done;
  }

  int check_plugins() {
    const auto found = runtime::try_plugins(own_plugin_trial(), ids_);
    exit_code worst = done;
    for (std::size_t index = 0; index < found.size(); ++index)
      if (found[index])
        say(ids_[index] + ": may be loaded\n");
      else
        worst = static_cast<exit_code>(complain(failed, found[index].error().what));
    return worst;
  }

  /// The node may have been started elsewhere, so a path counts from here.
  std::string plugin_path() const {
    return id_.find('/') == std::string::npos ? id_ : std::filesystem::absolute(id_).lexically_normal().string();
  }

  void add_history() {
    auto* history = command(&app_, "history", "what an entity was told, what it decided and what changed by it",
                            [this] { return ask(show_history(history_), true); });
    history->add_option("TYPE", history_.type, "call, agent, queue, ...")->required();
    history->add_option("ID", history_.id)->required();
    history->add_option("--limit", history_.limit, "at most so many lines")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
    history->add_option("--after", history_.after, "lines behind the one with this sequence");
    history->add_flag("--states", history_.with_states, "the state after each line, too (with --json)");
    history->add_flag("--replay", history_.replay, "decide all of it again and say whether it comes to the same");
  }

  void add_new_id(CLI::App* create) { create->add_option("--id", new_id_, "its id, if you want to choose it"); }

  void add_show_and_list(CLI::App* below, const std::string& resources, const char* what) {
    command_with_id(below, "show", "show one", what, [this, resources] { return show_one(resources, id_); });
    command(below, "list", "newest first", [this, resources] { return ask(list_all(resources, limit_)); })
        ->add_option("--limit", limit_, "at most so many")
        ->capture_default_str()
        ->check(CLI::Range(1, 1000));
  }

  void add_free_commands() {
    auto* request = command(&app_, "request", "send any request to the service that owns the route", [this] {
      const auto made = free_request(method_, route_, body_);
      return made ? ask(*made) : complain(wrong_usage, made.error().what);
    });
    request->add_option("METHOD", method_, "GET, POST, PUT or DELETE")->required();
    request->add_option("ROUTE", route_, "e.g. /v1/calls")->required();
    request->add_option("JSON", body_, "the body");

    auto* tail = command(&app_, "tail", "print events as they happen", [this] { return this->tail(); });
    tail->add_option("TOPIC", topic_,
                     "call, call:<id>, agent, queue, conference or a full topic; all events without it");
    tail->add_option("--count", event_count_, "end after so many events")->check(CLI::Range(1u, 1'000'000'000u));

    auto* actors =
        command(&app_, "actors", "list the live actors", [this] { return ask(list_actors(prefix_, limit_), true); });
    actors->add_option("--prefix", prefix_, "only paths that start with this");
    actors->add_option("--limit", limit_, "at most so many")->capture_default_str()->check(CLI::Range(1, 10'000));
  }

  int (*run_)(const config&);
  CLI::App app_{"Switchboard: calls, conferences, agents and queues as durable actors.", "switchboard"};
  action action_;

  std::string config_file_, http_url_, admin_url_, customer_, token_;
  std::vector<std::string> overrides_;
  bool as_json_ = false, print_ = false, print_default_ = false, incoming_ = false;
  std::string agent_, ttl_ = "1h";
  std::string from_, to_, new_id_, id_, other_id_, name_, address_, method_, route_, body_, topic_, prefix_, queue_;
  std::string kind_ = "entity", folder_;
  std::vector<std::string> ids_;
  history_wanted history_;
  bool all_ = false;
  int limit_ = 100;
  unsigned event_count_ = 0;
};

} // namespace

int run_cli(int argc, const char* const* argv, int (*run)(const config&)) { return program{run}.main(argc, argv); }

} // namespace switchboard::node
