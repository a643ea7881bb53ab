// Real SUB sockets on loopback against the bridge, with a broker whose log is memory.
#include "bridges/zmq/zmq_bridge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include <zmq.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "bridges/zmq/zmq_publisher.hpp"
#include "tests/support/small_node.hpp"

namespace switchboard::zmq_stream {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class subscriber {
public:
  explicit subscriber(const std::string& to, std::initializer_list<const char*> topics, int high_water_mark = 0)
      : socket_(context_, ::zmq::socket_type::sub) {
    socket_.set(::zmq::sockopt::rcvtimeo, 10'000); // a test that would wait for ever fails instead
    socket_.set(::zmq::sockopt::linger, 0);
    socket_.set(::zmq::sockopt::rcvhwm, high_water_mark);
    for (const auto* topic : topics)
      socket_.set(::zmq::sockopt::subscribe, topic);
    socket_.connect(to);
  }

  std::vector<std::string> receive() {
    std::vector<std::string> parts;
    do {
      ::zmq::message_t part;
      if (!socket_.recv(part))
        return parts;
      parts.push_back(part.to_string());
    } while (socket_.get(::zmq::sockopt::rcvmore));
    return parts;
  }

  void timeout(int milliseconds) { socket_.set(::zmq::sockopt::rcvtimeo, milliseconds); }

private:
  ::zmq::context_t context_;
  ::zmq::socket_t socket_;
};

class zmq_bridge_test : public ::testing::Test {
protected:
  void start(options how = {}) {
    how.port = 0;
    bridge = std::make_unique<zmq_bridge>(node.context, how);
    const auto started = bridge->start();
    ASSERT_TRUE(started) << started.error().what;
  }
  void TearDown() override {
    if (bridge)
      bridge->stop(5s);
  }

  void publish(const std::string& type, const std::string& id, const std::string& data) {
    const auto resource = type.substr(0, type.find('.'));
    node.publish(resource + ".events",
                 R"({"event_id":"e","event_type":")" + type +
                     R"(","timestamp":"2026-01-20T12:00:00.000Z","customer_id":"c-1","resource_type":")" + resource +
                     R"(","resource_id":")" + id + R"(","data":)" + data + "}");
  }

  /// A subscription takes effect a moment after connect (ZeroMQ's slow joiner): send until one comes.
  void joined(subscriber& who, const std::string& type, const std::string& id, const std::string& data) {
    who.timeout(20);
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < give_up) {
      publish(type, id, data);
      if (!who.receive().empty())
        break;
    }
    while (!who.receive().empty())
      ;
    who.timeout(10'000);
  }

  double dropped() { return node.metrics.dropped.Add({{"bridge", "zmq"}, {"reason", "slow_consumer"}}).Value(); }

  test::small_node node;
  std::unique_ptr<zmq_bridge> bridge;
};

TEST_F(zmq_bridge_test, events_come_as_topic_and_json) {
  start();
  EXPECT_THAT(bridge->address(), ::testing::StartsWith("tcp://127.0.0.1:"));
  subscriber all{bridge->address(), {""}};
  joined(all, "call.created", "warm-up", R"({"status":"dialing"})");
  publish("call.ringing", "call-789", R"({"status":"ringing"})");
  const auto state = all.receive();
  ASSERT_EQ(state.size(), 2U);
  EXPECT_EQ(state[0], "call.state");
  EXPECT_EQ(json::parse(state[1]), json::parse(R"({"call_id":"call-789","status":"ringing",
      "timestamp":"2026-01-20T12:00:00.000Z","customer_id":"c-1"})"));
}

TEST_F(zmq_bridge_test, a_subscriber_gets_what_begins_with_its_topics_in_order) {
  start();
  subscriber calls{bridge->address(), {"call.", "queue.stats"}};
  joined(calls, "call.created", "warm-up", R"({"status":"dialing"})");
  publish("agent.login", "agent-1", R"({"status":"available"})");
  for (int i = 0; i < 100; ++i)
    publish("call.ringing", "call-" + std::to_string(i), R"({"status":"ringing"})");
  publish("queue.stats", "queue-1", R"({"waiting":5,"active":3})");
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(json::parse(calls.receive().at(1))["call_id"], "call-" + std::to_string(i));
  // Exchanges are apart until the feed's queue, but one publisher's events stay in the order it sent them.
  EXPECT_EQ(calls.receive().at(0), "queue.stats");
}

TEST_F(zmq_bridge_test, an_unreadable_event_is_counted_and_the_next_one_comes) {
  start();
  subscriber all{bridge->address(), {""}};
  joined(all, "call.created", "warm-up", R"({"status":"dialing"})");
  node.publish("call.events", "not JSON");
  publish("call.ended", "call-1", R"({"status":"ended"})");
  EXPECT_EQ(json::parse(all.receive().at(1))["call_id"], "call-1");
  EXPECT_EQ(node.metrics.dropped.Add({{"bridge", "zmq"}, {"reason", "bad_event"}}).Value(), 1);
}

TEST_F(zmq_bridge_test, a_port_in_use_is_an_error_with_address_and_cause) {
  start();
  options same;
  same.port = static_cast<std::uint16_t>(std::stoi(bridge->address().substr(bridge->address().rfind(':') + 1)));
  zmq_bridge second{node.context, same};
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, errc::io_failed);
  EXPECT_EQ(started.error().what, bridge->address() + ": Address already in use");
  options nowhere;
  nowhere.host = "not an address";
  EXPECT_FALSE(zmq_bridge(node.context, nowhere).start());
}

TEST_F(zmq_bridge_test, the_port_is_free_after_stop) {
  start();
  const auto address = bridge->address();
  bridge->stop(5s);
  bridge = nullptr;
  options same;
  same.port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  zmq_bridge second{node.context, same};
  EXPECT_TRUE(second.start());
  second.stop(5s);
}

TEST_F(zmq_bridge_test, garbage_and_overlong_frames_end_their_connection_and_no_other) {
  start({.handshake = 300ms});
  subscriber good{bridge->address(), {""}};
  joined(good, "call.created", "warm-up", R"({"status":"dialing"})");
  namespace asio = boost::asio;
  const auto port = static_cast<std::uint16_t>(std::stoi(bridge->address().substr(bridge->address().rfind(':') + 1)));
  // A ZMTP 3.0 NULL greeting, then a frame that says it is 1 GiB long.
  std::string greeting("\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL", 16);
  greeting.resize(64, '\0');
  for (const auto& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1000, '\xff'),
                            greeting + std::string("\x02\0\0\0\0\x40\0\0\0", 9) + std::string(2000, 'x')}) {
    asio::io_context context;
    asio::ip::tcp::socket raw{context};
    raw.connect({asio::ip::address_v4::loopback(), port});
    timeval limit{15, 0};
    ::setsockopt(raw.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    boost::system::error_code error;
    asio::write(raw, asio::buffer(bytes), error);
    std::string got(4096, '\0');
    while (!error)
      raw.read_some(asio::buffer(got), error);
    EXPECT_TRUE(error == asio::error::eof || error == asio::error::connection_reset) << error.message();
  }
  publish("call.ended", "call-1", R"({"status":"ended"})");
  EXPECT_EQ(json::parse(good.receive().at(1))["call_id"], "call-1");
}

// Straight at the socket: a slow subscriber's drops are counted, and only it misses messages.
TEST(zmq_publisher, a_slow_subscriber_misses_messages_and_the_others_do_not) {
  options how;
  how.port = 0;
  how.send_high_water_mark = 100;
  how.linger = 0ms;
  publisher from{how};
  const auto address = from.bind();
  ASSERT_TRUE(address);
  subscriber good{*address, {"x"}};
  subscriber slow{*address, {"x"}, 1};
  const auto join = [&](subscriber& who) {
    who.timeout(10);
    while (who.receive().empty())
      from.send({"x", "join"});
    while (!who.receive().empty())
      ;
    who.timeout(10'000);
  };
  join(good);
  join(slow);
  while (good.timeout(50), !good.receive().empty())
    ;
  good.timeout(10'000);
  const std::string padding(100'000, 'x');
  bool dropped = false;
  int count = 0;
  // The good one reads every message before the next is sent, so only the slow one can be over its mark.
  for (; count < 2000 && !dropped; ++count) {
    dropped = from.send({"x", std::to_string(count) + " " + padding}) == publisher::sent::dropped_for_some;
    ASSERT_THAT(good.receive().at(1), ::testing::StartsWith(std::to_string(count) + " "));
  }
  EXPECT_TRUE(dropped) << "after " << count;
  EXPECT_THAT(slow.receive().at(1), HasSubstr(" "));
  EXPECT_EQ(from.send({"y", "nobody wants this"}), publisher::sent::to_all);
}

TEST(zmq_publisher, knows_whether_anybody_ever_subscribed) {
  options how;
  how.port = 0;
  how.linger = 0ms;
  publisher from{how};
  const auto address = from.bind();
  ASSERT_TRUE(address);
  EXPECT_FALSE(from.has_subscribers());
  subscriber one{*address, {"x"}};
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  while (!from.has_subscribers() && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(from.has_subscribers());
}

} // namespace
} // namespace switchboard::zmq_stream
