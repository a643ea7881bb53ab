// Sessions from outside: raw sockets, bytes as a hostile or unlucky client sends them. Whatever comes, the answer is
// the right close or a cut, and the node serves the next client.
#include "bridges/amqp/amqp_session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <random>

#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include "bridges/amqp/amqp_bridge.hpp"
#include "messages/properties.hpp"
#include "tests/support/controlled_log.hpp"
#include "tests/support/users.hpp"

namespace switchboard::amqp {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto deadline = 20s;

struct frame {
  std::uint8_t type = 0;
  std::uint16_t channel = 0;
  std::string payload;
  method_id id() const { return type == 1 ? method_id_of(payload) : method_id{}; }
};

/// A socket and nothing that helps it to be correct.
class raw_client {
public:
  explicit raw_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      ADD_FAILURE() << "nobody listens";
    const int on = 1; // many small sends
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  raw_client(raw_client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  ~raw_client() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  /// False once the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (put <= 0)
        return false;
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return true;
  }
  template <class Method>
  bool send_method(std::uint16_t channel, const Method& what) {
    std::string out;
    append_method(out, channel, what);
    return send(out);
  }
  void shut() { ::shutdown(fd_, SHUT_WR); }

  /// Empty at the end of the connection.
  std::optional<frame> read() {
    for (;;) {
      const auto found = parse_frame(buffer_, 64u << 20);
      if (found.state == frame_state::complete) {
        frame result{found.type, found.channel, std::string{found.payload}};
        buffer_.erase(0, found.size);
        return result;
      }
      if (found.failed()) {
        ADD_FAILURE() << "the server sent something that is no frame";
        return std::nullopt;
      }
      if (!fill())
        return std::nullopt;
    }
  }
  /// Reads over heartbeats and content to the next method.
  std::optional<frame> read_method() {
    for (;;) {
      auto found = read();
      if (!found || found->type == 1)
        return found;
    }
  }
  std::string read_raw(std::size_t size) {
    while (buffer_.size() < size && fill())
      ;
    return std::exchange(buffer_, {});
  }
  /// Whatever it is: to a broken protocol header the answer is no frame.
  void read_to_the_end() {
    while (fill())
      buffer_.clear();
  }
  bool ends() {
    while (read())
      ;
    return true;
  }

  /// Reads until that method has come; false if something else, or the end, comes first.
  template <class Method>
  bool expect(std::uint16_t channel) {
    const auto found = read_method();
    if (!found)
      return ADD_FAILURE() << "closed instead of " << Method::name, false;
    EXPECT_EQ(found->channel, channel);
    EXPECT_EQ(found->id(), Method::id) << name(found->id()) << " instead of " << Method::name;
    last = *found;
    return found->id() == Method::id;
  }
  /// What close says, or 0 for a cut.
  std::uint16_t close_code() {
    while (auto found = read_method()) {
      last = *found;
      connection_close connection;
      if (found->id() == connection_close::id && decode_as(found->payload, connection))
        return connection.code;
      channel_close channel;
      if (found->id() == channel_close::id && decode_as(found->payload, channel))
        return channel.code;
    }
    return 0;
  }
  frame last;

private:
  bool fill() {
    pollfd wait{fd_, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(std::chrono::milliseconds{deadline}.count())) != 1) {
      ADD_FAILURE() << "the server says nothing";
      return false;
    }
    char chunk[65536];
    const auto got = ::recv(fd_, chunk, sizeof chunk, 0);
    if (got <= 0)
      return false;
    buffer_.append(chunk, static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  std::string buffer_;
};

connection_start_ok good_login() {
  static const std::string capabilities = [] {
    field_table inner;
    inner.set("authentication_failure_close", true);
    inner.set("consumer_cancel_notify", true);
    inner.set("connection.blocked", true);
    field_table outer;
    outer.set("capabilities", std::move(inner));
    std::string bytes;
    encode_fields(outer, bytes);
    return bytes;
  }();
  connection_start_ok what;
  what.client_properties = capabilities;
  what.mechanism = "PLAIN";
  what.response = {"\0guest\0guest", 12};
  what.locale = "en_US";
  return what;
}

connection_close goodbye() { return {200, "bye", {}}; }

class sessions : public testing::Test {
protected:
  explicit sessions(options how = {}) {
    how.port = 0;
    auto made = broker::virtual_hosts::start(system, io.units(), log, {});
    if (!made)
      throw std::runtime_error{made.error().what};
    vhosts = *std::move(made);
    test::add_guest(*vhosts);
    context.reset(
        new runtime::node_context{system, io, time, vhosts->standard(), metrics, directory, "test", vhosts.get()});
    bridge.emplace(*context, how);
    const auto listens = bridge->start();
    EXPECT_TRUE(listens) << listens.error().what;
  }
  ~sessions() override {
    bridge->stop(5s);
    bridge.reset();
    caf::anon_send_exit(context->broker->topology(), caf::exit_reason::user_shutdown);
    context.reset();
    vhosts.reset();
    system.await_all_actors_done(); // a session or queue that is held by mistake is a hang here
    io.stop();
  }

  enum class stage { header, start, tune, open, running, channel };
  static constexpr stage stages[] = {stage::header, stage::start,   stage::tune,
                                     stage::open,   stage::running, stage::channel};

  /// A client that has gone so far and no further.
  raw_client client_at(stage where) {
    raw_client made{bridge->port()};
    if (where == stage::header)
      return made;
    made.send(protocol_header);
    made.expect<connection_start>(0);
    if (where == stage::start)
      return made;
    made.send_method(0, good_login());
    made.expect<connection_tune>(0);
    if (where == stage::tune)
      return made;
    made.send_method(0, connection_tune_ok{2047, 131072, 0});
    if (where == stage::open)
      return made;
    made.send_method(0, connection_open{"/"});
    made.expect<connection_open_ok>(0);
    if (where == stage::running)
      return made;
    made.send_method(1, channel_open{});
    made.expect<channel_open_ok>(1);
    return made;
  }
  raw_client channel() { return client_at(stage::channel); }

  static queue_declare a_queue(std::string_view name, bool durable = false, bool exclusive = false) {
    queue_declare what;
    what.queue = name;
    what.durable = durable;
    what.exclusive = exclusive;
    return what;
  }
  static std::string publish_bytes(std::string_view queue, std::string_view body, bool persistent = false,
                                   std::uint16_t channel = 1) {
    basic_properties properties;
    if (persistent)
      properties.delivery_mode = 2;
    std::string out;
    const auto encoded = encode_properties(properties);
    append_publish(out, channel, false, {"", queue, encoded, body}, 131072);
    return out;
  }
  static std::string raw_frame(unsigned type, std::uint16_t channel, std::uint32_t size, std::string_view payload,
                               unsigned char end = 0xCE) {
    char head[7];
    store(store(store(head, static_cast<std::uint8_t>(type)), channel), size);
    return std::string{head, sizeof head}.append(payload).append(1, static_cast<char>(end));
  }
  static std::string raw_frame(unsigned type, std::uint16_t channel, std::string_view payload) {
    return raw_frame(type, channel, static_cast<std::uint32_t>(payload.size()), payload);
  }
  void expect_still_serving() {
    auto next = channel();
    next.send_method(0, goodbye());
    next.expect<connection_close_ok>(0);
  }

  caf::actor_system_config config;
  caf::actor_system system{config};
  system_clock time;
  runtime::metrics metrics;
  runtime::directory directory;
  runtime::io_threads io{system, 2};
  std::shared_ptr<test::controlled_log> log = std::make_shared<test::controlled_log>();
  std::unique_ptr<broker::virtual_hosts> vhosts;
  std::unique_ptr<runtime::node_context> context;
  std::optional<amqp_bridge> bridge;
};

// -- hostile bytes --------------------------------------------------------------------------------------------------

TEST_F(sessions, answer_another_protocol_with_their_own_header) {
  for (const auto other :
       {"GET / HTTP/1.1\r\n\r\n"sv, "AMQP\0\1\0\0"sv, "AMQP\3\1\0\0"sv, "AMQX"sv, "\x16\x03\x01\x02"sv}) {
    raw_client client{bridge->port()};
    client.send(other);
    EXPECT_EQ(client.read_raw(8), protocol_header);
    EXPECT_TRUE(client.ends());
  }
  expect_still_serving();
}

TEST_F(sessions, close_on_every_broken_frame_in_every_phase) {
  const struct {
    const char* what;
    std::string bytes;
    std::uint16_t code;
  } broken[] = {
      {"over any limit", raw_frame(1, 0, 0xFFFFFFFF, ""), 501},
      {"just over the limit", raw_frame(1, 0, 131073, ""), 501},
      {"wrong end octet", raw_frame(1, 0, 4, std::string("\0\x0A\0\x32", 4), 0xCD), 501},
      {"unknown type", raw_frame(7, 0, "abc"), 501},
      {"heartbeat with payload", raw_frame(8, 0, "x"), 501},
      {"method without ids", raw_frame(1, 0, "\1"), 501},
      {"header cut off", raw_frame(2, 1, "short"), 501},
      {"heartbeat on a channel", raw_frame(8, 5, ""), 505},
      {"body on channel 0", raw_frame(3, 0, "abc"), 505},
      {"header on channel 0", raw_frame(2, 0, std::string(14, '\0')), 505},
      {"method with bytes missing", raw_frame(1, 0, std::string("\0\x0A\0\x1F\0", 5)), 501},
  };
  for (const auto where : {stage::start, stage::tune, stage::open, stage::running, stage::channel})
    for (const auto& each : broken) {
      SCOPED_TRACE(std::string{each.what} + " in phase " + std::to_string(static_cast<int>(where)));
      auto client = client_at(where);
      client.send(each.bytes);
      EXPECT_EQ(client.close_code(), each.code);
      client.send_method(0, connection_close_ok{});
      EXPECT_TRUE(client.ends());
    }
  expect_still_serving();
}

TEST_F(sessions, take_only_short_frames_before_login) {
  auto early = client_at(stage::start);
  early.send(raw_frame(1, 0, 8193, ""));
  EXPECT_EQ(early.close_code(), 501);
  // The limit that was agreed on is another.
  auto late = channel();
  late.send_method(1, a_queue("q"));
  late.expect<queue_declare_ok>(1);
  late.send(publish_bytes("q", std::string(131064, 'x')));
  basic_get get;
  get.queue = "q";
  late.send_method(1, get);
  EXPECT_TRUE(late.expect<basic_get_ok>(1));
}

/// Calls `visit` with each method of AMQP, as empty as it can be.
template <class Visit>
void each_method(Visit visit) {
  [&]<std::size_t... Index>(std::index_sequence<Index...>) {
    (visit(method{std::variant_alternative_t<Index, method>{}}), ...);
  }
  (std::make_index_sequence<std::variant_size_v<method>>{});
}

TEST_F(sessions, refuse_every_method_but_the_one_expected_before_they_are_open) {
  const struct {
    stage where;
    method_id expected;
    std::uint16_t code; ///< of the expected method, which is as empty as all others; 0: a cut
  } phases[] = {{stage::start, connection_start_ok::id, 0},
                {stage::tune, connection_tune_ok::id, 0},
                {stage::open, connection_open::id, 530}};
  for (const auto& phase : phases)
    for (const std::uint16_t on : {0, 1})
      each_method([&](const method& what) {
        SCOPED_TRACE(std::string{name(what)} + " on channel " + std::to_string(on));
        auto client = client_at(phase.where);
        std::string bytes;
        encode_method(bytes, on, what);
        client.send(bytes);
        if (on == 0 && id(what) == connection_close::id) {
          client.expect<connection_close_ok>(0);
          return;
        }
        // As RabbitMQ: who has not logged in is cut without a word.
        const std::uint16_t otherwise = phase.where != stage::open ? 0 : on == 1 ? 505 : 504;
        EXPECT_EQ(client.close_code(), on == 0 && id(what) == phase.expected ? phase.code : otherwise);
      });
  expect_still_serving();
}

TEST_F(sessions, refuse_every_method_that_has_no_place_on_an_open_connection) {
  each_method([&](const method& what) {
    SCOPED_TRACE(std::string{name(what)} + " on channel 0");
    auto client = client_at(stage::running);
    std::string bytes;
    encode_method(bytes, 0, what);
    client.send(bytes);
    if (id(what) == connection_close::id)
      client.expect<connection_close_ok>(0);
    else if (id(what) == connection_update_secret::id)
      client.expect<connection_update_secret_ok>(0);
    else
      EXPECT_EQ(client.close_code(), 504);
  });
  each_method([&](const method& what) {
    SCOPED_TRACE(std::string{name(what)} + " on a channel that is not open");
    auto client = client_at(stage::running);
    std::string bytes;
    encode_method(bytes, 9, what);
    append_method(bytes, 0, goodbye());
    client.send(bytes);
    if (id(what) == channel_open::id)
      client.expect<channel_open_ok>(9);
    if (id(what) == channel_open::id)
      client.expect<connection_close_ok>(0);
    else
      EXPECT_EQ(client.close_code(), 504);
  });
  expect_still_serving();
}

TEST_F(sessions, survive_every_method_on_an_open_channel_whole_and_cut_off) {
  each_method([&](const method& what) {
    SCOPED_TRACE(std::string{name(what)});
    std::string whole;
    encode_method(whole, 1, what);
    const auto payload_size = whole.size() - frame_overhead;
    for (const bool cut : {false, true}) {
      if (cut && payload_size == 4)
        continue; // no arguments
      auto client = channel();
      if (cut)
        client.send(raw_frame(1, 1, std::string_view{whole}.substr(frame_head_size, payload_size - 1)));
      else
        client.send(whole);
      client.send_method(0, goodbye());
      bool closed = false;
      while (auto found = client.read_method()) {
        closed |= found->id() == connection_close::id || found->id() == connection_close_ok::id;
        if (found->id() == connection_close_ok::id)
          break; // the socket is ours to close
        if (found->id() == connection_close::id && cut) {
          connection_close why;
          EXPECT_TRUE(decode_as(found->payload, why));
          EXPECT_EQ(why.code, 501);
        }
      }
      EXPECT_TRUE(closed);
    }
  });
  expect_still_serving();
}

TEST_F(sessions, refuse_content_out_of_turn) {
  const std::string header = raw_frame(2, 1, std::string("\0\x3C\0\0\0\0\0\0\0\0\0\x05\0\0", 14));
  std::string publish;
  append_method(publish, 1, basic_publish{});
  std::string declare;
  append_method(declare, 1, a_queue("q"));
  const struct {
    const char* what;
    std::string bytes;
    std::uint16_t code;
  } wrong[] = {
      {"header without publish", header, 505},
      {"body without publish", raw_frame(3, 1, "abc"), 505},
      {"body without header", publish + raw_frame(3, 1, "abc"), 505},
      {"method instead of header", publish + declare, 505},
      {"method instead of body", publish + header + declare, 505},
      {"header twice", publish + header + header, 505},
      {"more body than said", publish + header + raw_frame(3, 1, "123456"), 501},
      {"header of another class", publish + raw_frame(2, 1, std::string("\0\x32\0\0\0\0\0\0\0\0\0\x05\0\0", 14)), 505},
      {"properties cut off", publish + raw_frame(2, 1, std::string("\0\x3C\0\0\0\0\0\0\0\0\0\x05\x80\0\x09", 15)), 502},
  };
  for (const auto& each : wrong) {
    SCOPED_TRACE(each.what);
    auto client = channel();
    client.send(each.bytes);
    EXPECT_EQ(client.close_code(), each.code);
  }
  expect_still_serving();
}

TEST_F(sessions, survive_any_bytes) {
  std::string good{protocol_header};
  append_method(good, 0, good_login());
  append_method(good, 0, connection_tune_ok{2047, 131072, 0});
  append_method(good, 0, connection_open{"/"});
  append_method(good, 1, channel_open{});
  append_method(good, 1, a_queue("fuzz"));
  append_method(good, 1, confirm_select{});
  good += publish_bytes("fuzz", "body");
  basic_consume consume;
  consume.queue = "fuzz";
  append_method(good, 1, consume);
  append_method(good, 1, basic_ack{1, true});
  append_method(good, 1, channel_close{200, "", {}});
  append_method(good, 0, goodbye());
  std::mt19937 random{20260121};
  const auto below = [&](std::size_t limit) { return random() % limit; };
  for (int round = 0; round < 1000; ++round) {
    auto bytes = good;
    for (auto changes = 1 + below(4); changes > 0; --changes)
      switch (below(3)) {
      case 0:
        bytes[below(bytes.size())] = static_cast<char>(random());
        break;
      case 1:
        bytes.erase(below(bytes.size()), 1 + below(8));
        break;
      default:
        bytes.insert(below(bytes.size()), 1 + below(8), static_cast<char>(random()));
      }
    raw_client client{bridge->port()};
    client.send(bytes);
    client.shut();
    client.read_to_the_end();
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
  expect_still_serving();
}

TEST_F(sessions, take_no_memory_for_bodies_that_are_only_announced) {
  auto client = client_at(stage::running);
  const auto before = message::resident_bytes();
  // 16 MiB each: what a header may claim, twenty bytes at a time.
  const std::string header = std::string("\0\x3C\0\0\0\0\0\0\x01\0\0\0\0\0", 14);
  std::string bytes;
  for (std::uint16_t number = 1; number <= 100; ++number) {
    append_method(bytes, number, channel_open{});
    append_method(bytes, number, basic_publish{});
    bytes += raw_frame(2, number, header);
  }
  client.send(bytes);
  EXPECT_EQ(client.close_code(), 506);
  EXPECT_LE(message::resident_bytes() - before, 0) << "and it is given back";
  client.send_method(0, connection_close_ok{});
  EXPECT_TRUE(client.ends());
}

TEST_F(sessions, take_one_body_after_the_other_without_end) {
  auto client = channel();
  client.send_method(1, a_queue("q"));
  client.expect<queue_declare_ok>(1);
  const std::string body(8u << 20, 'x'); // ten of them are over the bound of bodies under way
  for (int count = 0; count < 10; ++count) {
    client.send(publish_bytes("q", body));
    client.send_method(1, queue_purge{0, "q", false});
    ASSERT_TRUE(client.expect<queue_purge_ok>(1));
  }
}

// -- rules of a connection ------------------------------------------------------------------------------------------

TEST_F(sessions, hold_a_client_to_the_channels_it_agreed_on) {
  auto client = client_at(stage::tune);
  client.send_method(0, connection_tune_ok{2, 4096, 0});
  client.send_method(0, connection_open{"/"});
  client.expect<connection_open_ok>(0);
  client.send_method(2, channel_open{});
  client.expect<channel_open_ok>(2);
  client.send_method(65535, channel_open{}); // how many counts, not their numbers
  client.expect<channel_open_ok>(65535);
  client.send_method(1, channel_open{});
  EXPECT_EQ(client.close_code(), 530);
}

TEST_F(sessions, leave_the_socket_to_a_client_that_closed_and_answer_as_often_as_it_closes) {
  auto client = channel();
  for (int times = 0; times < 3; ++times) { // several threads of a client, say
    client.send_method(0, goodbye());
    EXPECT_TRUE(client.expect<connection_close_ok>(0));
  }
}

TEST_F(sessions, take_no_frame_of_more_than_8_kib_before_tune_ok) {
  auto client = client_at(stage::start);
  auto login = good_login();
  field_table properties;
  properties.set("too_long", std::string(8192, 'x'));
  std::string table;
  encode_fields(properties, table);
  login.client_properties = table;
  client.send_method(0, login);
  EXPECT_EQ(client.close_code(), 501);
}

TEST_F(sessions, say_why_a_login_is_refused_to_clients_that_listen) {
  auto client = client_at(stage::start);
  auto login = good_login();
  login.response = {"\0guest\0wrong", 12};
  client.send_method(0, login);
  EXPECT_EQ(client.close_code(), 403);
  EXPECT_TRUE(client.ends());
  auto old = client_at(stage::start);
  login.client_properties = {};
  old.send_method(0, login);
  EXPECT_EQ(old.close_code(), 0) << "a client without the capability is cut off";
}

TEST_F(sessions, answer_a_close_after_everything_before_it) {
  auto client = channel();
  std::string bytes;
  append_method(bytes, 1, a_queue("q"));
  append_method(bytes, 1, confirm_select{});
  for (int count = 0; count < 50; ++count)
    bytes += publish_bytes("q", "x");
  append_method(bytes, 1, queue_purge{0, "q", false});
  append_method(bytes, 0, goodbye());
  client.send(bytes);
  client.expect<queue_declare_ok>(1);
  client.expect<confirm_select_ok>(1);
  std::uint64_t confirmed = 0;
  for (;;) {
    const auto found = client.read_method();
    ASSERT_TRUE(found);
    basic_ack ack;
    if (found->id() != basic_ack::id) {
      EXPECT_EQ(found->id(), queue_purge_ok::id);
      break;
    }
    ASSERT_TRUE(decode_as(found->payload, ack));
    EXPECT_GT(ack.delivery_tag, confirmed);
    confirmed = ack.delivery_tag;
  }
  for (auto found = client.read_method(); found; found = client.read_method()) {
    client.last = *found;
    if (found->id() == connection_close_ok::id)
      break;
  }
  EXPECT_EQ(client.last.id(), connection_close_ok::id);
}

TEST_F(sessions, free_exclusive_queues_before_they_say_close_ok) {
  for (int round = 0; round < 20; ++round) {
    auto client = channel();
    client.send_method(1, a_queue("mine", false, /*exclusive*/ true));
    ASSERT_TRUE(client.expect<queue_declare_ok>(1)) << "round " << round;
    client.send_method(0, goodbye());
    ASSERT_TRUE(client.expect<connection_close_ok>(0));
  }
}

TEST_F(sessions, tell_clients_that_the_node_stops) {
  auto client = channel();
  std::thread stopping{[&] { bridge->stop(10s); }};
  EXPECT_EQ(client.close_code(), 320);
  client.send_method(0, connection_close_ok{});
  EXPECT_TRUE(client.ends());
  stopping.join();
}

// -- confirms, credit, consumers ------------------------------------------------------------------------------------

TEST_F(sessions, confirm_what_is_persistent_only_when_it_is_on_disk) {
  auto client = channel();
  client.send_method(1, a_queue("q", /*durable*/ true));
  client.expect<queue_declare_ok>(1);
  client.send_method(1, confirm_select{});
  client.expect<confirm_select_ok>(1);
  log->hold();
  client.send(publish_bytes("q", "kept", /*persistent*/ true));
  // An answer on the same channel comes after the publish was taken, and no ack before it.
  client.send_method(1, basic_qos{});
  ASSERT_TRUE(client.expect<basic_qos_ok>(1));
  EXPECT_EQ(log->waiting(), 1u);
  log->let_go();
  ASSERT_TRUE(client.expect<basic_ack>(1));
}

TEST_F(sessions, confirm_nothing_to_the_next_user_of_a_channel_number) {
  auto client = channel();
  client.send_method(1, a_queue("q", /*durable*/ true));
  client.expect<queue_declare_ok>(1);
  client.send_method(1, confirm_select{});
  client.expect<confirm_select_ok>(1);
  log->hold();
  for (int count = 0; count < 3; ++count)
    client.send(publish_bytes("q", "kept", /*persistent*/ true));
  client.send_method(1, channel_close{200, "", {}});
  ASSERT_TRUE(client.expect<channel_close_ok>(1));
  client.send_method(1, channel_open{});
  ASSERT_TRUE(client.expect<channel_open_ok>(1));
  client.send_method(1, confirm_select{});
  ASSERT_TRUE(client.expect<confirm_select_ok>(1));
  log->let_go();
  client.send(publish_bytes("q", "new"));
  ASSERT_TRUE(client.expect<basic_ack>(1));
  basic_ack ack;
  ASSERT_TRUE(decode_as(client.last.payload, ack));
  EXPECT_EQ(ack.delivery_tag, 1u);
  client.send_method(1, basic_qos{});
  EXPECT_TRUE(client.expect<basic_qos_ok>(1)) << "one ack, not two";
}

TEST_F(sessions, give_back_what_waited_for_the_channels_prefetch_when_its_consumer_is_cancelled) {
  auto client = channel();
  client.send_method(1, basic_qos{0, 1, /*global*/ true});
  client.expect<basic_qos_ok>(1);
  for (const char* queue : {"first", "second"}) {
    client.send_method(1, a_queue(queue));
    client.expect<queue_declare_ok>(1);
    client.send(publish_bytes(queue, queue));
    basic_consume consume;
    consume.queue = consume.consumer_tag = queue;
    client.send_method(1, consume);
    ASSERT_TRUE(client.expect<basic_consume_ok>(1));
    if (std::string_view{queue} == "first") {
      ASSERT_TRUE(client.expect<basic_deliver>(1));
    }
  }
  // "second" has been handed to this channel but may not be sent: the one place is taken.
  basic_cancel cancel;
  cancel.consumer_tag = "second";
  client.send_method(1, cancel);
  ASSERT_TRUE(client.expect<basic_cancel_ok>(1));
  client.send_method(1, basic_ack{1, false});
  basic_get get;
  get.queue = "second";
  client.send_method(1, get);
  EXPECT_TRUE(client.expect<basic_get_ok>(1)) << "the message is in its queue again";
}

TEST_F(sessions, forget_what_waited_for_the_channels_prefetch_when_its_queue_is_deleted) {
  auto client = channel();
  client.send_method(1, basic_qos{0, 1, /*global*/ true});
  client.expect<basic_qos_ok>(1);
  for (const char* queue : {"first", "second"}) {
    client.send_method(1, a_queue(queue));
    client.expect<queue_declare_ok>(1);
    client.send(publish_bytes(queue, queue));
    basic_consume consume;
    consume.queue = consume.consumer_tag = queue;
    client.send_method(1, consume);
    ASSERT_TRUE(client.expect<basic_consume_ok>(1));
    if (std::string_view{queue} == "first") {
      ASSERT_TRUE(client.expect<basic_deliver>(1));
    }
  }
  auto other = channel();
  queue_delete remove;
  remove.queue = "second";
  other.send_method(1, remove);
  ASSERT_TRUE(other.expect<queue_delete_ok>(1));
  ASSERT_TRUE(client.expect<basic_cancel>(1)) << "the server says so";
  client.send_method(1, basic_ack{1, false});
  client.send_method(1, basic_qos{0, 5, true});
  EXPECT_TRUE(client.expect<basic_qos_ok>(1)) << "and nothing of it comes";
}

TEST_F(sessions, leave_to_others_what_a_full_channel_can_not_take) {
  auto greedy = channel();
  greedy.send_method(1, a_queue("q"));
  greedy.expect<queue_declare_ok>(1);
  greedy.send_method(1, basic_qos{0, 3, /*global*/ true});
  greedy.expect<basic_qos_ok>(1);
  basic_consume consume;
  consume.queue = "q";
  greedy.send_method(1, consume);
  greedy.expect<basic_consume_ok>(1);
  for (int count = 0; count < 10; ++count)
    greedy.send(publish_bytes("q", "x"));
  for (int count = 0; count < 3; ++count)
    ASSERT_TRUE(greedy.expect<basic_deliver>(1));
  auto other = channel();
  basic_get get;
  get.queue = "q";
  for (int count = 0; count < 7; ++count) {
    other.send_method(1, get);
    ASSERT_TRUE(other.expect<basic_get_ok>(1)) << "message " << count;
  }
}

TEST_F(sessions, keep_unacknowledged_gets_whatever_the_get_before_was_like) {
  auto client = channel();
  client.send_method(1, a_queue("q"));
  client.expect<queue_declare_ok>(1);
  client.send(publish_bytes("q", "1") + publish_bytes("q", "2"));
  for (const bool no_ack : {true, false}) {
    client.send_method(1, basic_get{0, "q", no_ack});
    ASSERT_TRUE(client.expect<basic_get_ok>(1));
  }
  client.send_method(1, channel_close{200, "", {}});
  client.expect<channel_close_ok>(1);
  client.send_method(1, channel_open{});
  client.expect<channel_open_ok>(1);
  client.send_method(1, basic_get{0, "q", true});
  EXPECT_TRUE(client.expect<basic_get_ok>(1)) << "the second one comes back";
}

// -- alarms ---------------------------------------------------------------------------------------------------------

/// As the node's monitor does it.
class alarmed_sessions : public sessions {
protected:
  void raise(broker::alarm which) { set(which, true); }
  void clear(broker::alarm which) { set(which, false); }
  /// One that has a queue "q" and the confirm mode on channel 1.
  raw_client publisher() {
    auto client = channel();
    client.send_method(1, a_queue("q"));
    client.expect<queue_declare_ok>(1);
    client.send_method(1, confirm_select{});
    client.expect<confirm_select_ok>(1);
    return client;
  }
  static void expect_blocked(raw_client& client, std::string_view reason) {
    ASSERT_TRUE(client.expect<connection_blocked>(0));
    connection_blocked said;
    ASSERT_TRUE(decode_as(client.last.payload, said));
    EXPECT_EQ(said.reason, reason);
  }

private:
  void set(broker::alarm which, bool on) {
    context->alarms->set(which, on);
    context->connections.tell_alarms_changed();
  }
};

TEST_F(alarmed_sessions, tell_who_publishes_by_each_alarm_and_take_it_when_all_are_over) {
  using broker::alarm;
  const std::pair<alarm, std::string_view> rows[] = {
      {alarm::memory, "low on memory"}, {alarm::disk, "low on disk"}, {alarm::store, "low on disk"}};
  auto client = publisher();
  for (const auto& [which, reason] : rows) {
    raise(which);
    client.send(publish_bytes("q", "waits"));
    expect_blocked(client, reason);
    clear(which);
    ASSERT_TRUE(client.expect<connection_unblocked>(0)) << reason;
    ASSERT_TRUE(client.expect<basic_ack>(1));
  }
}

TEST_F(alarmed_sessions, say_both_reasons_and_are_unblocked_only_when_no_alarm_is_left) {
  auto client = publisher();
  auto other = channel();
  raise(broker::alarm::memory);
  raise(broker::alarm::disk);
  client.send(publish_bytes("q", "1"));
  expect_blocked(client, "low on disk & memory");
  clear(broker::alarm::memory);
  other.send_method(1, queue_declare{0, "q", true}); // behind the notice, on another connection
  ASSERT_TRUE(other.expect<queue_declare_ok>(1));
  queue_declare_ok found;
  ASSERT_TRUE(decode_as(other.last.payload, found));
  EXPECT_EQ(found.message_count, 0u);
  clear(broker::alarm::disk);
  ASSERT_TRUE(client.expect<connection_unblocked>(0));
  ASSERT_TRUE(client.expect<basic_ack>(1));
}

TEST_F(alarmed_sessions, serve_all_but_publishes_and_tell_nobody_else) {
  auto client = publisher();
  client.send(publish_bytes("q", "1") + publish_bytes("q", "2"));
  ASSERT_TRUE(client.expect<basic_ack>(1));
  if (auto more = client.last; !more.payload.empty()) {
    basic_ack last;
    decode_as(more.payload, last);
    if (last.delivery_tag < 2)
      client.expect<basic_ack>(1);
  }
  raise(broker::alarm::disk);
  auto taker = channel();
  taker.send_method(1, basic_consume{0, "q", "tag"});
  ASSERT_TRUE(taker.expect<basic_consume_ok>(1));
  ASSERT_TRUE(taker.expect<basic_deliver>(1));
  ASSERT_TRUE(taker.expect<basic_deliver>(1));
  taker.send_method(1, basic_ack{2, true});
  taker.send_method(1, a_queue("another", /*durable*/ true));
  ASSERT_TRUE(taker.expect<queue_declare_ok>(1));
  client.send_method(1, basic_get{0, "q", true}); // it has published, and does not now
  ASSERT_TRUE(client.expect<basic_get_empty>(1));
  clear(broker::alarm::disk);
  client.send_method(0, goodbye());
  ASSERT_TRUE(client.expect<connection_close_ok>(0)) << "neither blocked nor unblocked was said";
}

TEST_F(alarmed_sessions, keep_what_stands_behind_a_publish_in_order_and_take_no_more) {
  auto client = publisher();
  raise(broker::alarm::memory);
  client.send(publish_bytes("q", "1"));
  client.send_method(1, basic_qos{}); // behind it
  expect_blocked(client, "low on memory");
  clear(broker::alarm::memory);
  ASSERT_TRUE(client.expect<connection_unblocked>(0));
  // The ack may come before or after: a confirm waits for its queue.
  const auto first = client.read_method(), second = client.read_method();
  ASSERT_TRUE(first && second);
  EXPECT_THAT((std::vector{first->id(), second->id()}), testing::UnorderedElementsAre(basic_qos_ok::id, basic_ack::id));
}

TEST_F(alarmed_sessions, let_a_message_that_has_begun_come_to_its_end) {
  auto client = publisher();
  client.send_method(2, channel_open{});
  client.expect<channel_open_ok>(2);
  const auto bytes = publish_bytes("q", "body");
  const auto method = parse_frame(bytes, 131072).size;
  client.send(bytes.substr(0, method));
  client.send_method(2, basic_qos{}); // answered: the method was taken
  ASSERT_TRUE(client.expect<basic_qos_ok>(2));
  raise(broker::alarm::memory);
  client.send(bytes.substr(method));
  ASSERT_TRUE(client.expect<basic_ack>(1));
  clear(broker::alarm::memory);
}

TEST_F(alarmed_sessions, hold_back_clients_that_can_not_be_told) {
  raw_client client{bridge->port()};
  client.send(protocol_header);
  client.expect<connection_start>(0);
  auto login = good_login();
  login.client_properties = {};
  client.send_method(0, login);
  client.expect<connection_tune>(0);
  client.send_method(0, connection_tune_ok{2047, 131072, 0});
  client.send_method(0, connection_open{"/"});
  client.expect<connection_open_ok>(0);
  client.send_method(1, channel_open{});
  client.expect<channel_open_ok>(1);
  client.send_method(1, a_queue("q"));
  client.expect<queue_declare_ok>(1);
  raise(broker::alarm::disk);
  client.send(publish_bytes("q", "waits"));
  client.send_method(1, queue_declare{0, "q", true});
  auto other = channel();
  for (int round = 0; round < 20; ++round) { // time enough to be wrong
    other.send_method(1, queue_declare{0, "q", true});
    ASSERT_TRUE(other.expect<queue_declare_ok>(1));
    queue_declare_ok found;
    ASSERT_TRUE(decode_as(other.last.payload, found));
    ASSERT_EQ(found.message_count, 0u);
  }
  clear(broker::alarm::disk);
  ASSERT_TRUE(client.expect<queue_declare_ok>(1)) << "nothing was said before";
}

TEST_F(alarmed_sessions, say_goodbye_to_who_is_blocked_when_the_node_stops) {
  auto client = publisher();
  raise(broker::alarm::disk);
  client.send(publish_bytes("q", "waits"));
  expect_blocked(client, "low on disk");
  std::thread stopping{[&] { bridge->stop(10s); }};
  EXPECT_EQ(client.close_code(), 320);
  client.send_method(0, connection_close_ok{});
  EXPECT_TRUE(client.ends());
  stopping.join();
}

TEST_F(alarmed_sessions, do_not_count_heartbeats_of_who_is_blocked) {
  raw_client client{bridge->port()};
  client.send(protocol_header);
  client.expect<connection_start>(0);
  client.send_method(0, good_login());
  client.expect<connection_tune>(0);
  client.send_method(0, connection_tune_ok{2047, 131072, 1}); // a second: silence of more than two ends it
  client.send_method(0, connection_open{"/"});
  client.expect<connection_open_ok>(0);
  client.send_method(1, channel_open{});
  client.expect<channel_open_ok>(1);
  raise(broker::alarm::memory);
  client.send(publish_bytes("q", "waits"));
  expect_blocked(client, "low on memory");
  std::this_thread::sleep_for(3500ms); // six looks; four in vain would end it
  clear(broker::alarm::memory);
  EXPECT_TRUE(client.expect<connection_unblocked>(0));
}

class narrow_sessions : public sessions {
protected:
  narrow_sessions() : sessions(narrow()) {}
  static options narrow() {
    options how;
    how.unsent_bytes_max = 64 << 10;
    how.outbox_bytes_max = 16 << 10;
    return how;
  }
};

TEST_F(narrow_sessions, stop_reading_a_client_that_does_not_read_and_go_on_when_it_does) {
  auto client = channel();
  client.send_method(1, a_queue("q"));
  client.expect<queue_declare_ok>(1);
  client.send(publish_bytes("q", std::string(100'000, 'x')));
  // Each pair brings the same message once more: without a bound, a few bytes would make the node hold gigabytes.
  constexpr std::uint64_t rounds = 300;
  std::string bytes;
  for (std::uint64_t tag = 1; tag <= rounds; ++tag) {
    append_method(bytes, 1, basic_get{0, "q", false});
    append_method(bytes, 1, basic_reject{tag, true});
  }
  client.send(bytes);
  for (std::uint64_t count = 0; count < rounds; ++count)
    ASSERT_TRUE(client.expect<basic_get_ok>(1)) << "get " << count;
  client.send_method(0, goodbye());
  EXPECT_TRUE(client.expect<connection_close_ok>(0));
}

} // namespace
} // namespace switchboard::amqp
