// Real sockets on loopback, and bytes written by hand: what a client library would not send is half of the point.
#include "bridges/http/http_bridge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include "base/ids.hpp"
#include "broker/pinned_actor.hpp"
#include "broker/publisher.hpp"
#include "tests/bridges/http/http_samples.hpp"
#include "tests/support/small_node.hpp"

namespace switchboard::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using samples::secret;

struct received {
  int status = 0;
  std::string head; ///< status line and headers, lower-cased
  std::string body;
};

class client {
public:
  explicit client(std::uint16_t port) : socket_(context_) {
    socket_.connect({asio::ip::address_v4::loopback(), port});
    timeval limit{10, 0}; // a test that would wait for ever fails instead
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }

  void send(const std::string& bytes) {
    boost::system::error_code ignored; // a server that has refused already may have closed
    asio::write(socket_, asio::buffer(bytes), ignored);
  }

  /// One answer; status 0 if the connection ended instead.
  received receive(bool has_body = true) {
    received got;
    boost::system::error_code error;
    const auto size = asio::read_until(socket_, buffer_, "\r\n\r\n", error);
    if (error)
      return got;
    got.head.assign(static_cast<const char*>(buffer_.data().data()), size);
    buffer_.consume(size);
    std::transform(got.head.begin(), got.head.end(), got.head.begin(), [](unsigned char c) { return std::tolower(c); });
    got.status = std::stoi(got.head.substr(9, 3));
    const auto length = got.head.find("content-length: ");
    const std::size_t wanted = has_body && length != std::string::npos ? std::stoul(got.head.substr(length + 16)) : 0;
    if (buffer_.size() < wanted)
      asio::read(socket_, buffer_, asio::transfer_exactly(wanted - buffer_.size()), error);
    got.body.assign(static_cast<const char*>(buffer_.data().data()), std::min(wanted, buffer_.size()));
    buffer_.consume(got.body.size());
    return got;
  }

  received ask(const std::string& method, const std::string& target, const std::string& body = {},
               const std::string& more = {}) {
    send(text(method, target, body, more));
    return receive(method != "HEAD");
  }

  static std::string text(const std::string& method, const std::string& target, const std::string& body = {},
                          const std::string& more = {}) {
    auto made = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + more;
    if (!body.empty())
      made += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    return made + "\r\n" + body;
  }

  /// True if the server ends the connection without another byte.
  bool is_closed() {
    boost::system::error_code error;
    asio::read(socket_, buffer_, asio::transfer_at_least(1), error);
    return error == asio::error::eof || error == asio::error::connection_reset;
  }

private:
  asio::io_context context_;
  tcp::socket socket_;
  asio::streambuf buffer_;
};

/// A service as an outside worker would be one: consumes its queue and replies to reply_to.
class worker final : public broker::pinned_actor {
public:
  using script = std::function<std::optional<switchboard::response>(const switchboard::request&)>;
  worker(caf::actor_config& config, caf::execution_unit* home, broker::broker_ptr where, script play)
      : pinned_actor(config, home), publisher_(where), play_(std::move(play)) {}

  caf::behavior make_behavior() override {
    return {[this](broker::deliver& what) {
              for (const auto& item : what.items)
                serve(item.message);
            },
            // What the script has not answered yet is asked again: a service must not block its I/O thread to wait.
            [this](const std::string&) {
              for (const auto& asked : std::exchange(held_, {}))
                serve(asked);
            },
            [](const broker::enqueued&) {}, [](const broker::consumer_cancelled&) {}};
  }

private:
  void serve(const message_ptr& what) {
    const auto asked = switchboard::decode_request(what->body());
    const auto properties = decode_properties(what->properties());
    const auto answer = asked ? play_(*asked) : std::nullopt;
    if (!answer)
      return held_.push_back(what);
    basic_properties reply;
    reply.correlation_id = properties->correlation_id;
    publisher_.begin();
    publisher_.publish(make_message("", *properties->reply_to, encode_properties(reply), encode(*answer), false));
    publisher_.take().send();
  }

  broker::publisher publisher_;
  script play_;
  std::vector<message_ptr> held_;
};

class http_bridge_test : public ::testing::Test {
protected:
  caf::actor serve(const std::string& service, worker::script play) {
    caf::scoped_actor self{node.system};
    broker::declare_queue declare;
    declare.spec.name = "bin-manager." + service + ".request";
    declare.spec.owner = "test";
    broker::start_consumer start;
    start.consumer = node.system.spawn<worker>(static_cast<caf::execution_unit*>(&node.io.home(1)), node.context.broker,
                                               std::move(play));
    start.no_ack = true;
    const auto failed = [](const caf::error&) { FAIL() << "the broker refused"; };
    broker::queue_ptr queue;
    self->request(node.context.broker->topology(), 10s, declare)
        .receive([&](broker::queue_ok& made) { queue = made.queue; }, failed);
    self->request(queue->actor, 10s, start).receive([](broker::consume_ok) {}, failed);
    return start.consumer;
  }

  void open(options how = {}, gateway_rules rules = {}, runtime::upgrade_handler upgrade = {}) {
    how.port = 0;
    rpc = runtime::spawn_rpc_client(node.context);
    auto tokens = runtime::jwt_verifier::make({.hs256_secret = secret});
    bridge = std::make_unique<http_bridge>(node.context, how,
                                           std::make_shared<gateway>(node.context, rpc, *tokens, rules), upgrade);
    const auto started = bridge->start();
    ASSERT_TRUE(started) << started.error().what;
  }

  void open_admin(admin::readiness not_ready = {}) {
    options how;
    how.name = "admin";
    how.port = 0;
    bridge = std::make_unique<http_bridge>(node.context, how,
                                           std::make_shared<admin>(node.context, nullptr, std::move(not_ready)));
    ASSERT_TRUE(bridge->start());
  }

  void TearDown() override {
    if (bridge)
      bridge->stop(5s);
    caf::anon_send_exit(rpc, caf::exit_reason::user_shutdown);
  }

  /// Answers with what it was asked.
  static std::optional<response> mirror(const request& asked) {
    response made;
    made.message_id = asked.message_id;
    made.body = {{"method", asked.method},
                 {"route", asked.route},
                 {"headers", asked.headers},
                 {"body", asked.body},
                 {"id", asked.message_id}};
    return made;
  }

  double connections(const char* of = "http") { return node.metrics.connections.Add({{"bridge", of}}).Value(); }
  double answered(const char* status) {
    return node.metrics.http_requests.Add({{"listener", "http"}, {"status", status}}).Value();
  }
  template <class Condition>
  static bool eventually(Condition met) {
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (!met() && std::chrono::steady_clock::now() < give_up)
      std::this_thread::yield();
    return met();
  }

  test::small_node node;
  caf::actor rpc;
  std::unique_ptr<http_bridge> bridge;
};

TEST_F(http_bridge_test, a_request_reaches_its_service_and_the_answer_comes_back) {
  serve("call", mirror);
  open();
  client one{bridge->port()};
  const auto got =
      one.ask("POST", "/v1/calls?x=1", R"({"destinations":[]})", "X-Customer-Id: c-1\r\nIdempotency-Key: k-1\r\n");
  EXPECT_EQ(got.status, 200);
  EXPECT_THAT(got.head, HasSubstr("content-type: application/json"));
  EXPECT_THAT(got.head, HasSubstr("x-message-id: k-1"));
  auto asked = json::parse(got.body);
  EXPECT_TRUE(from_iso8601(asked["headers"].value("deadline", ""))) << "how long the gateway waits";
  asked["headers"].erase("deadline");
  EXPECT_EQ(asked, json::parse(R"({"method":"POST","route":"/v1/calls?x=1","headers":{"customer_id":"c-1"},
      "body":{"destinations":[]},"id":"c-1/k-1"})"));
  EXPECT_EQ(answered("200"), 1);
  EXPECT_EQ(bridge->address(), "http://127.0.0.1:" + std::to_string(bridge->port()));
}

TEST_F(http_bridge_test, a_connection_serves_many_requests_also_pipelined) {
  serve("call", mirror);
  open();
  client one{bridge->port()};
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(json::parse(one.ask("GET", "/v1/calls/" + std::to_string(i)).body)["route"],
              "/v1/calls/" + std::to_string(i));
  std::string together;
  for (int i = 0; i < 20; ++i)
    together += client::text("POST", "/v1/calls/" + std::to_string(i), R"({"n":1})");
  one.send(together);
  for (int i = 0; i < 20; ++i)
    ASSERT_EQ(json::parse(one.receive().body)["route"], "/v1/calls/" + std::to_string(i));
  EXPECT_EQ(connections(), 1);
}

TEST_F(http_bridge_test, errors_of_service_and_route) {
  serve("call", [](const request& asked) {
    return make_error(asked, {}, {errc::not_found, "no such call"}, "call-manager");
  });
  serve("queue", [](const request&) { return std::nullopt; });
  open();
  client one{bridge->port()};
  const auto missing = one.ask("GET", "/v1/calls/7");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, R"({"error":{"message":"no such call","reason":"not_found","status":"NOT_FOUND"}})");
  EXPECT_EQ(one.ask("GET", "/v1/agents").status, 404) << "no service of that name";
  EXPECT_EQ(one.ask("GET", "/nonsense").status, 404);
  EXPECT_EQ(one.ask("GET", "/ws").status, 426);
  EXPECT_EQ(one.ask("POST", "/v1/calls", "{").status, 400);
  EXPECT_EQ(one.ask("PATCH", "/v1/calls").status, 405);
  const auto late = one.ask("GET", "/v1/queues", "", "X-Request-Timeout: 50\r\n");
  EXPECT_EQ(late.status, 504);
  EXPECT_EQ(json::parse(late.body)["error"]["reason"], "timed_out");
}

TEST_F(http_bridge_test, tokens_decide_who_asks) {
  serve("call", mirror);
  open({}, {.anonymous_from_loopback = false});
  client one{bridge->port()};
  const auto good = runtime::sign_hs256({"c-1", "a-1", node.time.now() + 1h}, secret, node.time.now());
  const auto anonymous = one.ask("GET", "/v1/calls");
  EXPECT_EQ(anonymous.status, 401);
  EXPECT_THAT(anonymous.head, HasSubstr("www-authenticate: bearer"));
  EXPECT_EQ(one.ask("GET", "/v1/calls", "", "Authorization: Bearer rubbish\r\n").status, 401);
  const auto got = one.ask("GET", "/v1/calls", "", "Authorization: Bearer " + good + "\r\n");
  auto headers = json::parse(got.body)["headers"];
  headers.erase("deadline");
  EXPECT_EQ(headers, json::parse(R"({"customer_id":"c-1","agent_id":"a-1"})"));
  EXPECT_EQ(json::parse(one.ask("GET", "/v1/calls?token=" + good).body)["route"], "/v1/calls");
}

TEST_F(http_bridge_test, head_and_options) {
  serve("call", mirror);
  open();
  client one{bridge->port()};
  const auto head = one.ask("HEAD", "/v1/calls");
  EXPECT_EQ(head.status, 200);
  EXPECT_THAT(head.head, HasSubstr("content-length: "));
  const auto asked = one.ask("OPTIONS", "/v1/calls");
  EXPECT_EQ(asked.status, 204) << "and so the answer to HEAD had no body";
  EXPECT_THAT(asked.head, HasSubstr("allow: get, head, post, put, delete, options"));
  EXPECT_EQ(one.ask("GET", "/v1/calls").status, 200);
}

TEST_F(http_bridge_test, a_body_over_the_limit_is_413_and_said_in_time) {
  serve("call", mirror);
  open({.body_bytes_max = 100'000});
  const auto padded = [](std::size_t bytes) { return "\"" + std::string(bytes - 2, 'x') + "\""; };
  EXPECT_EQ(client{bridge->port()}.ask("POST", "/v1/calls", padded(100'000)).status, 200);
  client large{bridge->port()};
  EXPECT_EQ(large.ask("POST", "/v1/calls", padded(3'000'000)).status, 413) << "while the client still sends";
  EXPECT_TRUE(large.is_closed());
  client polite{bridge->port()};
  polite.send("POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3000000\r\n\r\n");
  EXPECT_EQ(polite.receive().status, 413) << "before it sends any";
  client chunked{bridge->port()};
  chunked.send("POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n30000\r\n" +
               std::string(0x30000, 'x'));
  EXPECT_EQ(chunked.receive().status, 413);
}

TEST_F(http_bridge_test, a_client_that_asks_for_leave_gets_it) {
  serve("call", mirror);
  open();
  client polite{bridge->port()};
  polite.send("POST /v1/calls HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
              "Content-Length: 2\r\n\r\n");
  EXPECT_EQ(polite.receive().status, 100);
  polite.send("{}");
  EXPECT_EQ(polite.receive().status, 200);
}

TEST_F(http_bridge_test, malformed_requests_are_400_or_431_and_end_the_connection) {
  serve("call", mirror);
  open();
  const std::string host = "Host: localhost\r\n";
  struct row {
    std::string bytes;
    int status;
  };
  for (const auto& [bytes, status] : std::initializer_list<row>{
           {"rubbish\r\n\r\n", 400},
           {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) + "\r\n\r\n", 400},
           {"GET /v1/calls HTTP/9.9\r\n" + host + "\r\n", 400},
           {"GET  /v1/calls HTTP/1.1\r\n" + host + "\r\n", 400},
           {"GET /v1/calls HTTP/1.1\r\nbad header\r\n\r\n", 400},
           {"POST /v1/calls HTTP/1.1\r\n" + host + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400},
           {"POST /v1/calls HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
            400},
           {"POST /v1/calls HTTP/1.1\r\n" + host + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400},
           {"POST /v1/calls HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
           {"POST /v1/calls HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\n", 400},
           {"POST /v1/calls HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
           {"GET /v1/calls HTTP/1.1\r\n" + host + "X: " + std::string(9000, 'x') + "\r\n\r\n", 431},
           {"GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 431}}) {
    client one{bridge->port()};
    one.send(bytes);
    EXPECT_EQ(one.receive().status, status) << bytes.substr(0, 80);
    EXPECT_TRUE(one.is_closed()) << bytes.substr(0, 80);
  }
  EXPECT_EQ(client{bridge->port()}.ask("GET", "/v1/calls").status, 200) << "the listener serves on";
}

TEST_F(http_bridge_test, a_request_that_trickles_in_is_cut_at_the_read_timeout) {
  open({.read_timeout = 200ms, .idle_timeout = 200ms});
  client silent{bridge->port()};
  EXPECT_TRUE(silent.is_closed());
  client slow{bridge->port()};
  slow.send("GET /v1/calls HTTP/1.1\r\n");
  EXPECT_TRUE(slow.is_closed());
  client idle{bridge->port()};
  EXPECT_EQ(idle.ask("GET", "/nonsense").status, 404);
  EXPECT_TRUE(idle.is_closed());
  EXPECT_TRUE(eventually([&] { return connections() == 0; }));
}

TEST_F(http_bridge_test, http_1_0_and_connection_close_end_after_the_answer) {
  serve("call", mirror);
  open();
  client old{bridge->port()};
  old.send("GET /v1/calls HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(old.receive().status, 200);
  EXPECT_TRUE(old.is_closed());
  client last{bridge->port()};
  EXPECT_EQ(last.ask("GET", "/v1/calls", "", "Connection: close\r\n").status, 200);
  EXPECT_TRUE(last.is_closed());
}

TEST_F(http_bridge_test, connections_over_the_limit_are_closed_and_counted) {
  open({.connections_max = 1});
  client first{bridge->port()};
  EXPECT_EQ(first.ask("GET", "/nonsense").status, 404);
  EXPECT_TRUE(client{bridge->port()}.is_closed());
  EXPECT_EQ(node.metrics.connections_refused.Add({{"bridge", "http"}, {"reason", "limit"}}).Value(), 1);
}

TEST_F(http_bridge_test, a_port_in_use_is_an_error_with_address_and_cause) {
  open();
  options same;
  same.port = bridge->port();
  http_bridge second{node.context, same, std::make_shared<admin>(node.context)};
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, errc::io_failed);
  EXPECT_EQ(started.error().what, bridge->address() + ": Address already in use");
  options nowhere;
  nowhere.host = "not-an-address";
  EXPECT_FALSE(http_bridge(node.context, nowhere, std::make_shared<admin>(node.context)).start());
}

TEST_F(http_bridge_test, an_upgrade_on_ws_goes_to_whoever_takes_it) {
  std::promise<std::string> got;
  open({}, {}, [&](runtime::upgrade what) {
    got.set_value(std::string{what.request.target()});
    boost::system::error_code ignored;
    asio::write(what.socket, asio::buffer(std::string{"taken"}), ignored);
  });
  const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  client elsewhere{bridge->port()};
  EXPECT_EQ(elsewhere.ask("GET", "/v1/calls", "", upgrade).status, 404) << "only on /ws";
  client early{bridge->port()};
  early.send(client::text("GET", "/ws", "", upgrade) + "more");
  EXPECT_EQ(early.receive().status, 400);
  client one{bridge->port()};
  one.send(client::text("GET", "/ws?token=x", "", upgrade));
  auto taken = got.get_future();
  ASSERT_EQ(taken.wait_for(10s), std::future_status::ready);
  EXPECT_EQ(taken.get(), "/ws?token=x");
  EXPECT_EQ(answered("101"), 1);
}

TEST_F(http_bridge_test, draining_finishes_what_is_under_way_and_takes_nothing_new) {
  std::promise<void> asked;
  bool go_on = false; // set before the message that makes the worker look again
  const auto worker = serve("call", [&](const switchboard::request& what) -> std::optional<switchboard::response> {
    if (go_on)
      return mirror(what);
    asked.set_value();
    return std::nullopt;
  });
  open();
  client idle{bridge->port()};
  EXPECT_EQ(idle.ask("GET", "/nonsense").status, 404);
  client busy{bridge->port()};
  busy.send(client::text("GET", "/v1/calls"));
  asked.get_future().wait();
  bridge->drain();
  EXPECT_TRUE(idle.is_closed());
  EXPECT_THROW(client{bridge->port()}, boost::system::system_error);
  go_on = true;
  caf::anon_send(worker, std::string{"go on"});
  EXPECT_EQ(busy.receive().status, 200);
  EXPECT_TRUE(busy.is_closed());
}

TEST_F(http_bridge_test, a_node_that_drains_answers_503_with_a_hint) {
  open();
  client one{bridge->port()};
  node.context.draining = true;
  const auto got = one.ask("GET", "/v1/calls");
  EXPECT_EQ(got.status, 503);
  EXPECT_THAT(got.head, HasSubstr("retry-after: 1"));
}

TEST_F(http_bridge_test, while_an_alarm_is_raised_only_reads_are_served) {
  serve("call", mirror);
  open();
  client one{bridge->port()};
  for (const auto which : broker::all_alarms) {
    node.context.alarms->set(which, true);
    for (const auto* method : {"POST", "PUT", "DELETE"}) {
      const auto refused = one.ask(method, "/v1/calls", "{}");
      EXPECT_EQ(refused.status, 503) << method;
      EXPECT_THAT(refused.head, HasSubstr("retry-after: 1")) << method;
      EXPECT_EQ(json::parse(refused.body)["error"]["reason"], broker::name(which)) << refused.body;
    }
    EXPECT_EQ(one.ask("GET", "/v1/calls").status, 200);
    node.context.alarms->set(which, false);
    EXPECT_EQ(one.ask("POST", "/v1/calls", "{}").status, 200);
  }
}

TEST_F(http_bridge_test, readyz_names_the_alarms) {
  open_admin();
  client one{bridge->port()};
  node.context.alarms->set(broker::alarm::disk, true);
  node.context.alarms->set(broker::alarm::memory, true);
  const auto refused = one.ask("GET", "/readyz");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(json::parse(refused.body)["reason"], "alarm: memory, disk");
  node.context.alarms->set(broker::alarm::disk, false);
  node.context.alarms->set(broker::alarm::memory, false);
  EXPECT_EQ(one.ask("GET", "/readyz").status, 200);
}

TEST_F(http_bridge_test, admin_shows_metrics_health_and_actors) {
  open_admin([] { return std::optional<std::string>{}; });
  client one{bridge->port()};
  const auto card = node.directory.enter("/services/call", "service", node.time.now());
  card->handled = 7;
  const auto page = one.ask("GET", "/metrics");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.head, HasSubstr("content-type: text/plain; version=0.0.4"));
  EXPECT_THAT(page.body, HasSubstr("switchboard_connections{bridge=\"admin\"} 1"));
  EXPECT_EQ(one.ask("GET", "/healthz").status, 200);
  EXPECT_EQ(one.ask("GET", "/readyz").status, 200);
  EXPECT_THAT(one.ask("GET", "/").body, StartsWith("<!DOCTYPE html>"));
  const auto actors = json::parse(one.ask("GET", "/api/actors?prefix=%2Fservices").body);
  ASSERT_EQ(actors["actors"].size(), 1U);
  EXPECT_EQ(actors["actors"][0]["path"], "/services/call");
  EXPECT_EQ(actors["actors"][0]["handled"], 7);
  EXPECT_EQ(json::parse(one.ask("GET", "/api/actors?limit=0").body)["actors"].size(), 0U);
  EXPECT_EQ(one.ask("GET", "/api/actors?limit=x").status, 400);
  EXPECT_EQ(one.ask("GET", "/api/../etc/passwd").status, 404);
  EXPECT_EQ(one.ask("POST", "/api/actors", "{}").status, 405);
  EXPECT_EQ(one.ask("DELETE", "/metrics").status, 405);
}

TEST_F(http_bridge_test, readyz_names_the_reason) {
  open_admin([] { return std::optional<std::string>{"store is full"}; });
  client one{bridge->port()};
  const auto full = one.ask("GET", "/readyz");
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(json::parse(full.body)["reason"], "store is full");
  node.context.draining = true;
  EXPECT_EQ(json::parse(one.ask("GET", "/readyz").body)["reason"], "draining");
  EXPECT_EQ(one.ask("GET", "/healthz").status, 200) << "a draining node is alive";
}

} // namespace
} // namespace switchboard::http
