// A real core - store on disk, broker, the counter plugin - and a client of it that speaks to the broker as any
// consumer does. Every wait is for an event, with a deadline only so that a broken test ends.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/ids.hpp"
#include "broker/errors.hpp"
#include "broker/publisher.hpp"
#include "messages/properties.hpp"
#include "messages/service_names.hpp"
#include "runtime/core.hpp"

namespace switchboard::runtime {

inline constexpr auto patience = std::chrono::seconds{20};

/// The machine's clock, set ahead by the test. Thread-safe.
class shifted_clock final : public clock {
public:
  time_point now() const override { return system_clock{}.now() + milliseconds{ahead_.load()}; }
  void advance(milliseconds by) { ahead_ += by.count(); }

private:
  std::atomic<milliseconds::rep> ahead_{0};
};

/// A new empty folder, removed at the end.
class temporary_folder {
public:
  temporary_folder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            ("switchboard-runtime-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
    std::filesystem::create_directories(path_);
  }
  ~temporary_folder() { std::filesystem::remove_all(path_); }
  std::string str() const { return path_.string(); }

private:
  std::filesystem::path path_;
};

inline core_options counter_node(const std::string& data_dir, std::shared_ptr<clock> time = nullptr) {
  core_options options;
  options.data_dir = data_dir;
  options.plugins_dir = SWITCHBOARD_TEST_PLUGIN_DIR;
  options.plugins = {"counter"};
  options.worker_threads = 2;
  options.store_bytes_max = std::uint64_t{1} << 28;
  options.clock = std::move(time);
  return options;
}

/// One queue or reply name to receive from, and a publisher.
class client {
public:
  explicit client(core& at) : core_(at), self_(at.node().system), publisher_(at.node().broker) {
    reply_to_ = at.node().broker->replies().add(caf::actor_cast<caf::actor>(self_.ptr()), 7);
  }
  ~client() { core_.node().broker->replies().remove(reply_to_); }

  const std::string& reply_to() const { return reply_to_; }

  template <class Response, class Request>
  expected<Response> ask(const caf::actor& whom, Request what) {
    expected<Response> result{errc::timed_out, "no answer"};
    self_->request(whom, patience, std::move(what))
        .receive([&](Response& answer) { result = std::move(answer); },
                 [&](const caf::error& why) { result = broker::from_caf(why); });
    return result;
  }

  /// A durable queue bound to an exchange.
  broker::queue_ptr declare(const std::string& queue, const std::string& exchange) {
    broker::declare_queue what;
    what.spec.name = queue;
    what.spec.durable = true;
    what.spec.owner = "test";
    auto made = ask<broker::queue_ok>(core_.node().broker->topology(), what);
    broker::bind bind;
    bind.spec.source = exchange;
    bind.spec.destination = queue;
    bind.owner = "test";
    EXPECT_TRUE(ask<broker::bound>(core_.node().broker->topology(), bind));
    return made ? made->queue : nullptr;
  }

  broker::queue_ptr find(const std::string& queue) {
    return std::static_pointer_cast<const broker::queue_handle>(core_.node().broker->routes()->find_queue(queue));
  }

  void consume(const broker::queue_ptr& queue) {
    broker::start_consumer what;
    what.consumer = caf::actor_cast<caf::actor>(self_.ptr());
    what.key = 1;
    what.owner = "test";
    ASSERT_TRUE(ask<broker::consume_ok>(queue->actor, what));
    queue_ = queue;
  }

  /// Publishes and, if persistent, waits until it is on disk.
  void publish(const std::string& exchange, const std::string& key, const std::string& body, bool persistent,
               const std::string& correlation = {}, const std::string& reply_to = {},
               const std::string& message_id = {}) {
    basic_properties properties;
    if (!correlation.empty())
      properties.correlation_id = correlation;
    if (!reply_to.empty())
      properties.reply_to = reply_to;
    if (!message_id.empty())
      properties.message_id = message_id;
    properties.delivery_mode = persistent ? 2 : 1;
    publish(make_message(exchange, key, encode_properties(properties), body, persistent));
  }
  void publish(const message_ptr& what) {
    auto transaction = core_.node().broker->log().begin();
    publisher_.begin();
    publisher_.publish(what, *transaction);
    core_.node().broker->log().commit(std::move(transaction), {});
    publisher_.take().send();
  }

  /// The envelope of a request, published to its service; the answer's body as it came.
  std::string call(const std::string& envelope, bool persistent = true, const std::string& queue = "counter") {
    publish("", request_queue(queue), envelope, persistent, "c-1", reply_to_);
    return reply();
  }

  /// The next direct reply; checks its correlation id.
  std::string reply() {
    while (replies_.empty() && receive()) {
    }
    if (replies_.empty())
      return "no reply";
    auto first = replies_.front();
    replies_.erase(replies_.begin());
    const auto properties = decode_properties(first->properties());
    EXPECT_EQ(properties->correlation_id, "c-1");
    return std::string{first->body()};
  }

  struct event_seen {
    event fact;
    bool redelivered = false;
  };
  /// The next event of the consumed queue, acknowledged.
  std::optional<event_seen> next_event() {
    while (events_.empty() && receive()) {
    }
    if (events_.empty())
      return std::nullopt;
    auto [number, item] = events_.front();
    events_.erase(events_.begin());
    self_->send(queue_->actor, broker::settle{self_->id(), 1, number, number, broker::verdict::ack});
    auto fact = decode_event(item.message->body());
    EXPECT_TRUE(fact);
    return fact ? std::optional{event_seen{*fact, item.redelivered}} : std::nullopt;
  }
  std::string next_event_type() {
    const auto seen = next_event();
    return seen ? seen->fact.event_type : "no event";
  }

  broker::queue_status status(const broker::queue_ptr& queue) {
    auto answer = ask<broker::queue_status>(queue->actor, broker::inspect_queue{});
    return answer ? *answer : broker::queue_status{};
  }

private:
  bool receive() {
    bool came = false;
    self_->receive(
        [&](broker::deliver& what) {
          auto number = what.first;
          for (auto& item : what.items)
            events_.emplace_back(number++, std::move(item));
          self_->send(queue_->actor, broker::grant{self_->id(), 1, what.items.size(), 1u << 20});
          came = true;
        },
        [&](broker::direct_reply& what) {
          replies_.insert(replies_.end(), what.messages.begin(), what.messages.end());
          came = true;
        },
        caf::after(patience) >> [] {});
    return came;
  }

  core& core_;
  caf::scoped_actor self_;
  broker::publisher publisher_;
  std::string reply_to_;
  broker::queue_ptr queue_;
  std::vector<message_ptr> replies_;
  std::vector<std::pair<broker::delivery_number, broker::queued>> events_;
};

/// A request envelope as a client would write it.
inline std::string envelope(const std::string& method, const std::string& route, const std::string& body = "null",
                            const std::string& message_id = {}, const std::string& customer = "customer-1") {
  return R"({"message_id":")" + (message_id.empty() ? make_uuid() : message_id) +
         R"(","timestamp":"2026-01-20T12:00:00.000Z","method":")" + method + R"(","route":")" + route +
         R"(","headers":{"customer_id":")" + customer + R"("},"body":)" + body + "}";
}

} // namespace switchboard::runtime
