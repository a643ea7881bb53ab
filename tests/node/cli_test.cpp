// The command line as a user types it, against a scripted far end on loopback that remembers what it was asked.
#include "node/cli.hpp"

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <stdlib.h>

#include "messages/json_object.hpp"
#include "runtime/jwt.hpp"

namespace switchboard::node {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace fs = std::filesystem;
using json = nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;
using string_request = http::request<http::string_body>;

/// Serves one connection, then ends. `serve` gets the socket after the first request has been read.
class far_end {
public:
  using service = std::function<void(asio::ip::tcp::socket&, const string_request&)>;

  explicit far_end(service serve)
      : acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}), thread_([this, serve = std::move(serve)] {
          asio::ip::tcp::socket peer{io_};
          boost::system::error_code problem;
          acceptor_.accept(peer, problem);
          beast::flat_buffer buffer;
          if (!problem)
            http::read(peer, buffer, asked, problem);
          if (!problem)
            serve(peer, asked);
        }) {}
  ~far_end() { thread_.join(); }

  static service answer(unsigned status, std::string body) {
    return [=](asio::ip::tcp::socket& peer, const string_request&) {
      http::response<http::string_body> out{http::int_to_status(status), 11, body};
      out.prepare_payload();
      http::write(peer, out);
    };
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

  string_request asked; ///< read it after run() has returned

private:
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

struct result {
  int code;
  std::string out;
  std::string err;
};

std::optional<config> started_with;
int pretend_to_run(const config& settings) {
  started_with = settings;
  return done;
}

result run(std::vector<std::string> arguments) {
  std::vector<const char*> argv{"switchboard"};
  for (const auto& argument : arguments)
    argv.push_back(argument.c_str());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_cli(static_cast<int>(argv.size()), argv.data(), pretend_to_run);
  std::fflush(stdout);
  auto out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

/// A folder of its own with a secret, as a node leaves it.
class cli : public testing::Test {
protected:
  cli() {
    std::string name = (fs::temp_directory_path() / "switchboard_cli_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    std::ofstream{folder_ / "jwt.secret"} << secret << "\n";
    for (const auto* variable : {"SWITCHBOARD_CONFIG", "SWITCHBOARD_HTTP", "SWITCHBOARD_ADMIN", "SWITCHBOARD_TOKEN"})
      ::unsetenv(variable);
  }
  ~cli() override { fs::remove_all(folder_); }

  std::string data() const { return "node.data_dir=" + folder_.string(); }
  static constexpr auto secret = "0123456789abcdef0123456789abcdef";
  fs::path folder_;
};

TEST_F(cli, wrong_usage_ends_with_2) {
  EXPECT_EQ(run({}).code, wrong_usage);
  EXPECT_EQ(run({"frobnicate"}).code, wrong_usage);
  EXPECT_NE(run({"frobnicate"}).err.find("unknown command 'frobnicate'"), std::string::npos);
  EXPECT_EQ(run({"call"}).code, wrong_usage);
  EXPECT_EQ(run({"call", "show"}).code, wrong_usage);
  EXPECT_EQ(run({"call", "create", "--from", "+1"}).code, wrong_usage);
  EXPECT_EQ(run({"call", "list", "--limit", "0"}).code, wrong_usage);
  EXPECT_EQ(run({"request", "FETCH", "/v1/calls"}).code, wrong_usage);
  EXPECT_EQ(run({"call", "list", "--http", "ftp://x"}).code, wrong_usage);
  EXPECT_EQ(run({"tail", "customer_id:"}).code, wrong_usage);
  EXPECT_THAT(run({"call", "show"}).err, HasSubstr("CALL is required"));
}

TEST_F(cli, help_ends_with_0) {
  const auto help = run({"--help"});
  EXPECT_EQ(help.code, done);
  for (const auto* word :
       {"run", "check-config", "call", "agent", "queue", "tail", "request", "actors", "token", "--json"})
    EXPECT_THAT(help.out, HasSubstr(word));
}

TEST_F(cli, run_hands_the_checked_configuration_over) {
  std::ofstream{folder_ / "n.toml"} << "[node]\nname = \"west\"\n";
  const auto ended =
      run({"run", "--config", (folder_ / "n.toml").string(), "--set", "amqp.port=0", "--set", "http.port=1"});
  EXPECT_EQ(ended.code, done) << ended.err;
  ASSERT_TRUE(started_with);
  EXPECT_EQ(started_with->node.name, "west");
  EXPECT_EQ(started_with->amqp.port, 0);
  EXPECT_EQ(started_with->http.port, 1);
}

TEST_F(cli, wrong_configuration_ends_with_78_and_one_line) {
  const auto file = (folder_ / "n.toml").string();
  std::ofstream{file} << "[amqp]\nprt = 1\n";
  started_with.reset();
  for (const std::string command : {"run", "check-config", "token"}) {
    const auto ended = run({command, "--config", file});
    EXPECT_EQ(ended.code, wrong_config);
    EXPECT_EQ(ended.err, "switchboard: " + file + ":2: amqp.prt: unknown key; did you mean amqp.port?\n");
    EXPECT_EQ(ended.out, "");
  }
  EXPECT_FALSE(started_with);
}

TEST_F(cli, check_config_looks_for_the_plugins_and_prints_what_is_in_force) {
  std::ofstream{folder_ / "call.so"} << "its name is enough";
  const auto here = "node.plugins_dir=" + folder_.string();
  EXPECT_EQ(run({"check-config", "--set", here, "--set", "node.plugins=call", "--set", "amqp.port=7"}).code, done);
  EXPECT_EQ(run({"check-config", "--set", here, "--set", "node.plugins=call.so"}).code, done);
  const auto missing = run({"check-config", "--set", here, "--set", "node.plugins=call,nosuch"});
  EXPECT_EQ(missing.code, wrong_config);
  EXPECT_EQ(missing.err,
            "switchboard: node.plugins: " + (folder_ / "nosuch.so").string() + ": there is no such file\n");
  EXPECT_THAT(run({"check-config", "--print", "--set", "amqp.port=7"}).out, HasSubstr("\nport = 7\n"));
  EXPECT_EQ(run({"check-config", "--print-default"}).out, to_toml(config{}));
}

TEST_F(cli, a_token_is_one_that_the_node_accepts) {
  const auto made = run({"token", "--customer", "c1", "--agent", "a1", "--ttl", "10m", "--set", data()});
  ASSERT_EQ(made.code, done) << made.err;
  runtime::jwt_options options;
  options.hs256_secret = secret;
  const auto verifier = runtime::jwt_verifier::make(options);
  ASSERT_TRUE(verifier) << verifier.error().what;
  const auto now = system_clock{}.now();
  const auto who = (*verifier)->verify(made.out.substr(0, made.out.size() - 1), now);
  ASSERT_TRUE(who) << who.error().what;
  EXPECT_EQ(who->customer_id, "c1");
  EXPECT_EQ(who->agent_id, "a1");
  EXPECT_LT(who->expires - now, std::chrono::minutes{11});
  EXPECT_GT(who->expires - now, std::chrono::minutes{9});
}

TEST_F(cli, without_a_secret_the_message_says_what_to_do) {
  const auto ended = run({"token", "--set", "node.data_dir=/nowhere"});
  EXPECT_EQ(ended.code, failed);
  EXPECT_THAT(ended.err,
              HasSubstr("/nowhere/jwt.secret: No such file or directory; the node makes its secret at first start"));
}

TEST_F(cli, a_node_that_does_not_run_is_said_plainly) {
  const auto ended = run({"call", "list", "--http", "http://127.0.0.1:1"});
  EXPECT_EQ(ended.code, failed);
  EXPECT_EQ(
      ended.err,
      "switchboard: can't reach http://127.0.0.1:1: connection refused; is the node running? (switchboard run)\n");
  EXPECT_EQ(run({"tail", "--http", "http://127.0.0.1:1", "--set", data()}).err, ended.err);
}

TEST_F(cli, a_call_is_created_over_http) {
  far_end node{far_end::answer(200, R"({"id":"7","status":"dialing"})")};
  const auto ended =
      run({"call", "create", "--from", "+1", "--to", "+2", "--customer", "c1", "--token", "t", "--http", node.url()});
  EXPECT_EQ(ended.code, done) << ended.err;
  EXPECT_EQ(ended.out, "id      7\nstatus  dialing\n");
  EXPECT_EQ(node.asked.method_string(), "POST");
  EXPECT_EQ(node.asked.target(), "/v1/calls");
  EXPECT_EQ(node.asked["X-Customer-Id"], "c1");
  EXPECT_EQ(node.asked["Authorization"], "Bearer t");
  EXPECT_EQ(node.asked["Content-Type"], "application/json");
  EXPECT_EQ(json::parse(node.asked.body())["customer_id"], "c1");
}

TEST_F(cli, the_address_comes_from_the_configuration) {
  far_end node{far_end::answer(200, "[]")};
  const auto port = node.url().substr(node.url().rfind(':') + 1);
  const auto ended = run({"actors", "--set", "admin.port=" + port});
  EXPECT_EQ(ended.code, done) << ended.err;
  EXPECT_EQ(ended.out, "none\n");
  EXPECT_EQ(node.asked.target(), "/api/actors?prefix=&limit=100");
  EXPECT_EQ(node.asked["X-Customer-Id"], "") << "without --customer the operator asks";
  EXPECT_EQ(run({"call", "list", "--set", "http.port=0"}).code, wrong_usage);
}

TEST_F(cli, a_refused_request_ends_with_1_and_the_reason) {
  const auto body = R"({"error":{"status":404,"reason":"NOT_FOUND","message":"no such call"}})";
  {
    far_end node{far_end::answer(404, body)};
    const auto ended = run({"call", "show", "7", "--http", node.url()});
    EXPECT_EQ(ended.code, failed);
    EXPECT_EQ(ended.err, "switchboard: 404 NOT_FOUND: no such call\n");
    EXPECT_EQ(ended.out, "");
  }
  far_end node{far_end::answer(404, body)};
  const auto ended = run({"--json", "call", "show", "7", "--http", node.url()});
  EXPECT_EQ(ended.code, failed);
  EXPECT_EQ(json::parse(ended.out), json::parse(body)) << "--json prints the body, good or not";
}

TEST_F(cli, a_connection_that_ends_early_is_an_error) {
  far_end node{[](asio::ip::tcp::socket&, const string_request&) {}};
  const auto ended = run({"call", "list", "--http", node.url()});
  EXPECT_EQ(ended.code, failed);
  EXPECT_THAT(ended.err, StartsWith("switchboard: can't reach " + node.url()));
}

/// A far end that speaks WebSocket: checks the subscription, sends frames, closes.
far_end::service push(std::vector<std::string> frames, std::string& subscription) {
  return [frames = std::move(frames), &subscription](asio::ip::tcp::socket& peer, const string_request& upgrade) {
    beast::websocket::stream<asio::ip::tcp::socket&> socket{peer};
    boost::system::error_code problem;
    socket.accept(upgrade, problem);
    beast::flat_buffer buffer;
    socket.read(buffer, problem);
    subscription = beast::buffers_to_string(buffer.data());
    for (const auto& frame : frames)
      socket.write(asio::buffer(frame), problem);
    socket.close({beast::websocket::close_code::going_away, "the node stops"}, problem);
  };
}

TEST_F(cli, tail_prints_events_until_it_has_enough) {
  std::string subscription;
  far_end node{push(
      {R"({"type":"subscribed","topics":["x"]})",
       R"({"event":"call.created","timestamp":"2026-01-20T12:00:00.000Z","resource_id":"7","data":{"status":"dialing"}})",
       R"({"event":"call.ended","timestamp":"2026-01-20T12:00:01.000Z","resource_id":"7","data":{}})"},
      subscription)};
  const auto ended = run({"tail", "call", "--count", "2", "--customer", "c1", "--http", node.url(), "--set", data()});
  EXPECT_EQ(ended.code, done) << ended.err;
  EXPECT_EQ(ended.out, "12:00:00.000 call.created call=7 status=dialing\n12:00:01.000 call.ended call=7\n");
  EXPECT_EQ(json::parse(subscription), (json{{"type", "subscribe"}, {"topics", {"customer_id:c1:call"}}}));
  EXPECT_EQ(node.asked.target(), "/ws") << "no token where logs would show it";
  EXPECT_THAT(std::string{node.asked["Authorization"]}, StartsWith("Bearer ey"));
}

TEST_F(cli, tail_says_why_it_ended) {
  std::string subscription;
  {
    far_end node{push({}, subscription)};
    const auto ended = run({"tail", "--http", node.url(), "--set", data()});
    EXPECT_EQ(ended.code, failed);
    EXPECT_EQ(ended.err, "switchboard: the node closed the connection: 1001 the node stops\n");
  }
  {
    far_end node{
        push({R"({"type":"error","code":403,"reason":"PERMISSION_DENIED","message":"not your topic"})"}, subscription)};
    const auto ended = run({"tail", "--http", node.url(), "--set", data()});
    EXPECT_EQ(ended.code, failed);
    EXPECT_EQ(ended.err, "switchboard: the node refused the subscription: 403 not your topic\n");
  }
  far_end node{far_end::answer(401, "")};
  const auto ended = run({"tail", "--http", node.url(), "--token", "bad"});
  EXPECT_EQ(ended.code, failed);
  EXPECT_EQ(ended.err, "switchboard: the node refused the connection: HTTP 401\n");
}

} // namespace
} // namespace switchboard::node
