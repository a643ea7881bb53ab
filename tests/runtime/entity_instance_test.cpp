// What the host does with plugins that break the rules of the ABI: written against the C ABI directly, since the SDK
// would not let them.
#include "runtime/entity_instance.hpp"

#include <stdexcept>

#include <gmock/gmock.h>

namespace switchboard::runtime {
namespace {

using testing::HasSubstr;

sb_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view_of(sb_bytes text) { return {text.data, text.size}; }

int closed = 0;

/// Does what the message's name says.
int obey(void*, const sb_message* message, const sb_context* context, sb_outcome* out) {
  const auto order = view_of(message->name);
  if (order == "throw")
    throw std::runtime_error("thrown across the boundary");
  if (order == "throw a number")
    throw 7;
  if (order == "fail without a word")
    return 1;
  if (order == "fail") {
    out->state(out->self, 1, bytes("c"), bytes("never kept"));
    out->fail(out->self, bytes("it said so"));
    return 1;
  }
  if (order == "answer badly")
    out->reply(out->self, 200, bytes("{"));
  if (order == "answer with an odd status")
    out->reply(out->self, 7, bytes("{}"));
  if (order == "answer twice") {
    out->reply(out->self, 200, bytes("{}"));
    out->refuse(out->self, 400, bytes("NO"), bytes("no"));
  }
  if (order == "reply unasked")
    out->reply(out->self, 200, bytes("{}"));
  if (order == "huge state")
    out->state(out->self, 1, bytes("c"), bytes(std::string(state_bytes_max + 1, 'x')));
  for (std::size_t i = 0; order == "flood" && i <= effects_max; ++i)
    out->cancel_timer(out->self, bytes("x"));
  if (order == "no bytes")
    out->event(out->self, {nullptr, 7}, bytes("c"), bytes("1"), bytes("{}"));
  if (order == "empty state")
    out->state(out->self, 1, bytes("c"), bytes(""));
  if (order == "bad event")
    out->event(out->self, bytes("nodot"), bytes("c"), bytes("1"), bytes("{}"));
  if (order == "bad address")
    out->send(out->self, bytes("call"), bytes("a b"), bytes("hello"), bytes("{}"));
  if (order == "bad timer")
    out->arm_timer(out->self, bytes(""), 1, bytes("{}"));
  if (order == "everything") {
    const auto now = R"({"now":)" + std::to_string(context->now_ms) + "}";
    out->reply(out->self, 201, bytes(now));
    out->state(out->self, 3, bytes("customer-1"), bytes("state-1"));
    out->event(out->self, bytes("call.created"), bytes("customer-1"), context->entity_id, context->settings);
    out->send(out->self, bytes("queue"), bytes("q-1"), bytes("offer"), message->body);
    out->arm_timer(out->self, bytes("ring"), -5, bytes("{}"));
    out->cancel_timer(out->self, bytes("wrap_up"));
    out->end(out->self);
  }
  return 0;
}

void* open_any(sb_bytes state, std::uint32_t version, sb_sink* error) {
  if (view_of(state) == "unreadable") {
    error->write(error->self, bytes("version "));
    const auto number = std::to_string(version);
    error->write(error->self, bytes(number));
    return nullptr;
  }
  if (view_of(state) == "throw")
    throw std::runtime_error("cannot open");
  static int instance = 0;
  return &instance;
}

const sb_entity_type type{sizeof(sb_entity_type),
                          "any",
                          nullptr,
                          1,
                          nullptr,
                          0,
                          nullptr,
                          0,
                          open_any,
                          obey,
                          [](void*, sb_sink* out) { out->write(out->self, bytes(R"({"seen":true})")); },
                          [](void*) { ++closed; }};

expected<decision> decide(std::string name) {
  auto instance = entity_instance::open(type, "", 1);
  entity_message what;
  what.kind = name == "everything" || name.starts_with("answer") ? SB_REQUEST : SB_MESSAGE;
  what.name = std::move(name);
  what.body = R"({"caller":"c-1"})";
  return instance->decide(what, "e-1", time_point{milliseconds{1234}}, 42, R"({"setting":1})");
}

TEST(entity_instance, collects_what_a_decision_wants_done) {
  const auto made = decide("everything");
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_EQ(made->reply->status, 201);
  EXPECT_EQ(made->reply->body, R"({"now":1234})");
  EXPECT_EQ(made->reply->reason, "");
  EXPECT_EQ(made->state->version, 3U);
  EXPECT_EQ(made->state->customer_id, "customer-1");
  EXPECT_EQ(made->state->bytes, "state-1");
  EXPECT_TRUE(made->ended);
  ASSERT_EQ(made->events.size(), 1U);
  EXPECT_EQ(made->events[0].resource_id, "e-1");
  EXPECT_EQ(made->events[0].data, R"({"setting":1})");
  ASSERT_EQ(made->sends.size(), 1U);
  EXPECT_EQ(made->sends[0].body, R"({"caller":"c-1"})");
  ASSERT_EQ(made->timers.size(), 2U);
  EXPECT_EQ(made->timers[0].delay, milliseconds{0}); // a timer can't be due before it is armed
  EXPECT_EQ(made->timers[1].delay, std::nullopt);
}

TEST(entity_instance, a_decision_that_breaks_a_rule_is_a_failure_with_its_reason) {
  const std::pair<const char*, const char*> cases[]{
      {"throw", "thrown across the boundary"},
      {"throw a number", "exception of an unknown type"},
      {"fail without a word", "failed without a reason"},
      {"fail", "it said so"},
      {"answer badly", "reply's body is not JSON"},
      {"answer with an odd status", "status 7"},
      {"answer never", "answered 0 times"},
      {"answer twice", "answered 2 times"},
      {"reply unasked", "answered 1 times"},
      {"huge state", "a state of 16777217 bytes is over 16777216"},
      {"flood", "more than 10000 events, messages and timers"},
      {"no bytes", "null"},
      {"empty state", "an empty state"},
      {"bad event", "the event 'nodot'"},
      {"bad address", "the message 'hello'"},
      {"bad timer", "the timer ''"},
  };
  for (const auto& [order, reason] : cases) {
    const auto made = decide(order);
    ASSERT_FALSE(made) << order;
    EXPECT_EQ(made.error().code, errc::internal);
    EXPECT_THAT(made.error().what, HasSubstr(reason));
  }
}

TEST(entity_instance, a_state_that_can_not_be_opened_says_why) {
  EXPECT_EQ(entity_instance::open(type, "unreadable", 7).error().what, "version 7");
  EXPECT_THAT(entity_instance::open(type, "throw", 7).error().what, HasSubstr("cannot open"));
}

TEST(entity_instance, is_closed_once) {
  closed = 0;
  {
    auto opened = entity_instance::open(type, "", 1);
    auto moved = std::move(*opened);
    EXPECT_EQ(*moved.view(), R"({"seen":true})");
  }
  EXPECT_EQ(closed, 1);
}

} // namespace
} // namespace switchboard::runtime
