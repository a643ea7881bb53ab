// Real sockets on loopback: a client of Beast's against the bridge, with a broker whose log is memory.
#include "bridges/websocket/websocket_bridge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "tests/support/small_node.hpp"

namespace switchboard::websocket {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* secret = "0123456789abcdef0123456789abcdef";

/// Does what the public listener does with an upgrade: reads one request and hands it over.
class front_door {
public:
  front_door(test::small_node& node, runtime::upgrade_handler to) : node_(node), to_(std::move(to)) {
    thread_ = std::thread{[this] { serve(); }};
  }
  ~front_door() {
    over_ = true;
    boost::system::error_code ignored;
    tcp::socket last{context_};
    last.connect(acceptor_.local_endpoint(), ignored); // wakes the blocking accept
    thread_.join();
  }
  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

private:
  void serve() {
    while (true) {
      auto& home = node_.io.next();
      tcp::socket socket{home.context()};
      acceptor_.accept(socket);
      if (over_)
        return;
      beast::flat_buffer buffer;
      http::request<http::string_body> request;
      beast::error_code error;
      http::read(socket, buffer, request, error);
      if (error)
        continue;
      auto what = std::make_shared<runtime::upgrade>(runtime::upgrade{std::move(socket), std::move(request), home});
      asio::post(home.context(), [this, what] { to_(std::move(*what)); });
    }
  }

  test::small_node& node_;
  runtime::upgrade_handler to_;
  asio::io_context context_;
  tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

class client {
public:
  explicit client(tcp::endpoint to) : stream_(context_) {
    stream_.next_layer().connect(to);
    // A test that would wait for ever fails instead.
    timeval limit{10, 0};
    ::setsockopt(stream_.next_layer().native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }

  /// HTTP status of the upgrade; 101 if it worked.
  int open(const std::string& target, const std::string& authorization = {}) {
    stream_.set_option(beast::websocket::stream_base::decorator([&](beast::websocket::request_type& request) {
      if (!authorization.empty())
        request.set(http::field::authorization, authorization);
    }));
    beast::websocket::response_type answer;
    beast::error_code error;
    stream_.handshake(answer, "localhost", target, error);
    return answer.result_int();
  }

  void send(const std::string& text) { stream_.write(asio::buffer(text)); }
  void send_binary(const std::string& bytes) {
    stream_.binary(true);
    stream_.write(asio::buffer(bytes));
  }

  json receive() {
    beast::flat_buffer buffer;
    beast::error_code error;
    stream_.read(buffer, error);
    EXPECT_FALSE(error) << error.message();
    return error ? json{} : json::parse(beast::buffers_to_string(buffer.data()));
  }

  /// Reads until the server closes; the close code, or 0 if it cut the connection.
  int wait_for_close() {
    beast::error_code error;
    while (!error) {
      beast::flat_buffer buffer;
      stream_.read(buffer, error);
    }
    return error == beast::websocket::error::closed ? stream_.reason().code : 0;
  }

  json ask(const std::string& text) {
    send(text);
    return receive();
  }

  void close() { stream_.close(beast::websocket::close_code::normal); }
  auto& stream() { return stream_; }

private:
  asio::io_context context_;
  beast::websocket::stream<tcp::socket> stream_;
};

class websocket_bridge_test : public ::testing::Test {
protected:
  void start(options how = {}) {
    auto tokens = runtime::jwt_verifier::make({.hs256_secret = secret});
    ASSERT_TRUE(tokens);
    bridge = std::make_unique<websocket_bridge>(node.context, std::move(how), *tokens);
    const auto started = bridge->start();
    ASSERT_TRUE(started) << started.error().what;
    door = std::make_unique<front_door>(node, bridge->handler());
  }
  void TearDown() override {
    door.reset();
    if (bridge)
      bridge->stop(5s);
    EXPECT_EQ(connections(), 0);
  }

  std::string token(const std::string& customer, const std::string& agent = {}, milliseconds life = 1h) {
    return runtime::sign_hs256({customer, agent, node.time.now() + life}, secret, node.time.now());
  }

  std::unique_ptr<client> connected(const std::string& customer, const std::string& agent = {}) {
    auto made = std::make_unique<client>(door->endpoint());
    EXPECT_EQ(made->open("/ws?token=" + token(customer, agent)), 101);
    return made;
  }

  void publish(const std::string& customer, const std::string& type, const std::string& id,
               const std::string& more = {}) {
    const auto resource = type.substr(0, type.find('.'));
    node.publish(resource + ".events", R"({"event_id":"e","event_type":")" + type +
                                           R"(","timestamp":"2026-01-20T12:00:00.000Z","customer_id":")" + customer +
                                           R"(","resource_type":")" + resource + R"(","resource_id":")" + id +
                                           R"(","data":{"id":")" + id + "\"" + more + "}}");
  }

  double connections() { return node.metrics.connections.Add({{"bridge", "websocket"}}).Value(); }
  double dropped(const char* reason) {
    return node.metrics.dropped.Add({{"bridge", "websocket"}, {"reason", reason}}).Value();
  }

  test::small_node node;
  std::unique_ptr<websocket_bridge> bridge;
  std::unique_ptr<front_door> door;
};

TEST_F(websocket_bridge_test, a_subscriber_gets_its_customers_events_and_no_others) {
  start();
  const auto mine = connected("1");
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["customer_id:1:call:*"],"id":"a"})"),
            json::parse(R"({"type":"subscribed","topics":["customer_id:1:call:*"],"id":"a"})"));
  publish("2", "call.created", "call-2");
  publish("1", "agent.login", "agent-1");
  publish("1", "call.created", "call-1");
  publish("1", "call.ended", "call-1");
  const auto created = mine->receive();
  EXPECT_EQ(created["event"], "call.created");
  EXPECT_EQ(created["topic"], "customer_id:1:call:call-1");
  EXPECT_EQ(created["data"]["id"], "call-1");
  EXPECT_EQ(mine->receive()["event"], "call.ended");
}

TEST_F(websocket_bridge_test, a_foreign_topic_refuses_the_whole_request_and_the_socket_stays_open) {
  start();
  const auto mine = connected("1");
  const auto witness = connected("1"); // one on each I/O thread: what they have got has passed `mine` by
  const auto other_witness = connected("1");
  for (const auto& one : {&witness, &other_witness})
    (*one)->ask(R"({"type":"subscribe","topics":["customer_id:1"]})");
  const auto answer =
      mine->ask(R"({"type":"subscribe","topics":["customer_id:1:call:*","customer_id:2:call:*"],"id":9})");
  EXPECT_EQ(answer["type"], "error");
  EXPECT_EQ(answer["code"], 403);
  EXPECT_EQ(answer["topics"], json::parse(R"(["customer_id:2:call:*"])"));
  EXPECT_EQ(answer["id"], 9);
  publish("2", "call.created", "call-2");
  publish("1", "call.created", "call-1");
  EXPECT_EQ(witness->receive()["event"], "call.created");
  EXPECT_EQ(other_witness->receive()["event"], "call.created");
  // Nothing of that request has been done: the next thing that comes is the answer to the next request.
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["customer_id:1"]})")["type"], "subscribed");
  publish("1", "call.ended", "call-1");
  EXPECT_EQ(mine->receive()["event"], "call.ended");
}

TEST_F(websocket_bridge_test, one_copy_per_connection_and_none_after_unsubscribing) {
  start();
  const auto mine = connected("1");
  mine->ask(
      R"({"type":"subscribe","topics":["customer_id:1","customer_id:1:call","customer_id:1:call:call-1","agent_id:agent-1"]})");
  publish("1", "call.created", "call-1", R"(,"agent_id":"agent-1")");
  publish("1", "call.ringing", "call-1", R"(,"agent_id":"agent-1")");
  EXPECT_EQ(mine->receive()["event"], "call.created");
  EXPECT_EQ(mine->receive()["event"], "call.ringing");
  EXPECT_EQ(
      mine->ask(R"({"type":"unsubscribe","topics":["customer_id:1","customer_id:1:call","agent_id:agent-1"]})")["type"],
      "unsubscribed");
  publish("1", "call.answered", "call-2");
  publish("1", "call.answered", "call-1");
  EXPECT_EQ(mine->receive()["resource_id"], "call-1");
}

TEST_F(websocket_bridge_test, an_agents_token_sees_its_own_agent_only) {
  start();
  const auto mine = connected("1", "agent-1");
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["agent_id:agent-2"]})")["code"], 403);
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["agent_id:agent-1"]})")["type"], "subscribed");
  publish("2", "agent.login", "agent-1");
  publish("1", "agent.login", "agent-2");
  publish("1", "agent.login", "agent-1");
  const auto event = mine->receive();
  EXPECT_EQ(event["customer_id"], "1");
  EXPECT_EQ(event["resource_id"], "agent-1");
}

TEST_F(websocket_bridge_test, connections_on_all_io_threads_get_events_in_order) {
  start();
  std::vector<std::unique_ptr<client>> all;
  for (int i = 0; i < 8; ++i) {
    all.push_back(connected("1"));
    all.back()->ask(R"({"type":"subscribe","topics":["customer_id:1"]})");
  }
  for (int i = 0; i < 300; ++i)
    publish("1", "call.updated", "call-" + std::to_string(i));
  for (auto& one : all)
    for (int i = 0; i < 300; ++i)
      ASSERT_EQ(one->receive()["resource_id"], "call-" + std::to_string(i));
}

TEST_F(websocket_bridge_test, without_a_good_token_there_is_no_upgrade) {
  start();
  const auto status = [&](const std::string& target, const std::string& authorization = {}) {
    return client{door->endpoint()}.open(target, authorization);
  };
  const auto good = token("1");
  EXPECT_EQ(status("/ws"), 401);
  EXPECT_EQ(status("/ws?token="), 401);
  EXPECT_EQ(status("/ws?token=rubbish"), 401);
  EXPECT_EQ(status("/ws?token=" + good.substr(0, good.size() - 1)), 401);
  EXPECT_EQ(status("/ws?token=eyJhbGciOiJub25lIn0.eyJjdXN0b21lcl9pZCI6IjEiLCJleHAiOjE5MDAwMDAwMDB9."), 401);
  EXPECT_EQ(status("/ws?token=" + token("1", {}, -2min)), 401);
  EXPECT_EQ(status("/ws?token=" + token("1", {}, -1s)), 401) << "within the leeway, but the stream would end at once";
  EXPECT_EQ(status("/ws?token=" + good, "Basic Z3Vlc3Q6Z3Vlc3Q="), 401);
  EXPECT_EQ(status("/ws?token=" + good), 101);
  EXPECT_EQ(status("/ws", "Bearer " + good), 101);
}

TEST_F(websocket_bridge_test, bad_messages_get_an_error_and_binary_ones_end_the_connection) {
  start();
  const auto mine = connected("1");
  for (const auto* bad : {"", "hello", "{}", R"({"type":"publish","topics":["customer_id:1"]})"})
    EXPECT_EQ(mine->ask(bad)["code"], 400) << bad;
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["customer_id:1"]})")["type"], "subscribed");
  mine->send_binary("x");
  EXPECT_EQ(mine->wait_for_close(), 1003);
}

TEST_F(websocket_bridge_test, messages_over_64_kib_end_the_connection) {
  start();
  const auto small = connected("1");
  EXPECT_EQ(small->ask(std::string(65536, ' '))["code"], 400);
  const auto large = connected("1");
  large->send(std::string(65537, ' '));
  EXPECT_EQ(large->wait_for_close(), 1009);
  const auto broken = connected("1");
  broken->send("\xff");
  EXPECT_EQ(broken->wait_for_close(), 1007);
}

TEST_F(websocket_bridge_test, topics_are_limited) {
  start({.topics_max = 3});
  const auto mine = connected("1");
  EXPECT_EQ(
      mine->ask(R"({"type":"subscribe","topics":["customer_id:1:a","customer_id:1:b","customer_id:1:a:*"]})")["type"],
      "subscribed");
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["customer_id:1:c","customer_id:1:d"]})")["reason"], "too_large");
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["customer_id:1:c","customer_id:1:a"]})")["type"], "subscribed");
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["customer_id:1:d"]})")["reason"], "too_large");
  mine->ask(R"({"type":"unsubscribe","topics":["customer_id:1:a"]})");
  EXPECT_EQ(mine->ask(R"({"type":"subscribe","topics":["customer_id:1:d"]})")["type"], "subscribed");
}

TEST_F(websocket_bridge_test, a_client_that_does_not_read_is_cut_off_and_the_others_are_not) {
  start({.write_timeout = 2s, .outbox_messages_max = 50});
  const auto slow = connected("1");
  slow->ask(R"({"type":"subscribe","topics":["customer_id:1"]})");
  const auto good = connected("1");
  good->ask(R"({"type":"subscribe","topics":["customer_id:1"]})");
  const auto padding = R"(,"padding":")" + std::string(100'000, 'x') + "\"";
  for (int i = 0; i < 400 && dropped("slow_consumer") == 0; ++i) {
    publish("1", "call.updated", "call-" + std::to_string(i), padding);
    ASSERT_EQ(good->receive()["resource_id"], "call-" + std::to_string(i));
  }
  EXPECT_EQ(dropped("slow_consumer"), 1);
  EXPECT_EQ(slow->wait_for_close(), 4008) << "it reads on in time to hear why";
  publish("1", "call.ended", "last");
  EXPECT_EQ(good->receive()["resource_id"], "last");
}

TEST_F(websocket_bridge_test, a_client_that_never_reads_again_is_cut_after_the_write_timeout) {
  start({.write_timeout = 200ms, .outbox_messages_max = 50});
  auto stuck = connected("1");
  stuck->ask(R"({"type":"subscribe","topics":["customer_id:1"]})");
  const auto padding = R"(,"padding":")" + std::string(500'000, 'x') + "\"";
  for (int i = 0; i < 60; ++i)
    publish("1", "call.updated", "call-1", padding);
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (connections() > 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  EXPECT_EQ(connections(), 0);
}

TEST_F(websocket_bridge_test, pings_keep_a_quiet_connection_and_silence_ends_it) {
  start({.ping_interval = 50ms, .pong_timeout = 400ms});
  const auto quiet = connected("1");
  std::atomic<int> pings{0};
  quiet->stream().control_callback([&](beast::websocket::frame_type what, beast::string_view) {
    pings += what == beast::websocket::frame_type::ping;
  });
  const auto silent = connected("1"); // does not read, so it does not answer pings either
  std::thread answers{[&] { EXPECT_EQ(quiet->wait_for_close(), 1001); }};
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (connections() > 1 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  EXPECT_EQ(connections(), 1);
  EXPECT_GE(pings, 2);
  EXPECT_EQ(silent->wait_for_close(), 0);
  bridge->drain();
  answers.join();
}

TEST_F(websocket_bridge_test, a_connection_ends_with_its_token) {
  start({.ping_interval = 50ms});
  const auto mine = connected("1");
  mine->ask(R"({"type":"subscribe","topics":["customer_id:1"]})");
  node.time.advance(1h);
  EXPECT_EQ(mine->wait_for_close(), 4401);
}

TEST_F(websocket_bridge_test, draining_closes_with_1001_and_takes_nothing_new) {
  start();
  const auto mine = connected("1");
  bridge->drain();
  EXPECT_EQ(mine->wait_for_close(), 1001);
  EXPECT_EQ(client{door->endpoint()}.open("/ws?token=" + token("1")), 503);
  bridge->stop(5s);
}

TEST_F(websocket_bridge_test, connections_are_limited) {
  start({.connections_max = 2}); // one per I/O thread
  const auto first = connected("1");
  const auto second = connected("1");
  EXPECT_EQ(client{door->endpoint()}.open("/ws?token=" + token("1")), 503);
  first->close();
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (connections() > 1 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  int opened = 0; // whichever thread has room
  for (int i = 0; i < 2; ++i)
    opened += client{door->endpoint()}.open("/ws?token=" + token("1")) == 101;
  EXPECT_EQ(opened, 1);
}

TEST_F(websocket_bridge_test, an_exchange_of_another_type_stops_the_start_with_its_name) {
  caf::scoped_actor self{node.system};
  broker::declare_exchange wrong;
  wrong.spec.name = "call.events";
  wrong.spec.type = "direct";
  wrong.spec.durable = true;
  self->request(node.context.broker->topology(), 10s, wrong)
      .receive([](broker::exchange_ok) {}, [](const caf::error&) { FAIL(); });
  websocket_bridge doomed{node.context, {}, nullptr};
  const auto started = doomed.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, errc::precondition_failed);
  EXPECT_THAT(started.error().what, HasSubstr("call.events"));
}

TEST_F(websocket_bridge_test, a_feed_whose_queue_is_gone_makes_another) {
  start();
  const auto mine = connected("1");
  mine->ask(R"({"type":"subscribe","topics":["customer_id:1"]})");
  caf::scoped_actor self{node.system};
  self->send(node.context.broker->topology(), broker::owner_gone{"websocket"});
  const auto routes_to = [&] {
    std::vector<const broker::endpoint*> found;
    const auto routes = node.context.broker->routes();
    routes->route("call.events", "", {}, found);
    return found.size();
  };
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (routes_to() > 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  while (routes_to() == 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  publish("1", "call.created", "call-1");
  EXPECT_EQ(mine->receive()["event"], "call.created");
}

} // namespace
} // namespace switchboard::websocket
