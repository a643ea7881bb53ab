// The SDK through its C ABI: a small counter entity shows what each outcome becomes, and that no exception escapes.
#include <gtest/gtest.h>

#include <array>
#include <stdexcept>

#include "sdk/entity.hpp"
#include "sdk/plugin.hpp"
#include "sdk/testing.hpp"

namespace switchboard::sdk::counter_test {

enum class mood { calm, cross };
constexpr auto names_of(mood) { return std::array<std::string_view, 2>{"calm", "cross"}; }

struct counter {
  std::string customer_id;
  int count = 0;
  mood feels = mood::calm;
  time_point made{};
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(counter, customer_id, count, feels, made)

json view(const counter& c) { return {{"count", c.count}, {"mood", text(c.feels)}}; }

using result = outcome<counter>;

result create(const message& msg, const context& ctx) {
  body_reader in{msg};
  counter made{msg.customer_id, static_cast<int>(in.integer("start", 0, 0, 100)), mood::calm, ctx.now()};
  if (in.wrong())
    return refused<counter>(status_of(in.wrong()->code), "INVALID", in.wrong()->what);
  result out;
  out.next(made).event("counter.created", view(made)).arm("tick", milliseconds{100}).reply(200, {{"id", ctx.id()}});
  return out;
}
result add(counter now, const message& msg, const context&) {
  now.count += std::stoi("0" + msg.path_parameter("by"));
  result out;
  out.next(now).reply(200, view(now)).send({"counter", "other"}, "nudge", {{"from", "add"}});
  return out;
}
result explode(counter, const message&, const context&) { throw std::runtime_error("boom"); }
result explode_oddly(counter, const message&, const context&) { throw 7; }
result say_nothing(counter, const message&, const context&) { return {}; }
result say_twice(counter, const message&, const context&) {
  result out;
  out.reply(200, 1).reply(200, 2);
  return out;
}
result remove(counter, const message&, const context&) {
  result out;
  out.end().event("counter.deleted", json::object()).reply(200, nullptr);
  return out;
}
result tick(counter now, const message& msg, const context&) {
  ++now.count;
  result out;
  out.next(now).event("counter.ticked", {{"name", msg.name}});
  return out;
}
result nudged_nobody(const message& msg, const context&) {
  result out;
  out.send(msg.sender(), "nobody_here");
  return out;
}
result nobody_here(counter now, const message&, const context&) {
  now.feels = mood::cross;
  result out;
  out.next(now);
  return out;
}
result heard(counter now, const message& msg, const context&) {
  now.count += 100 + static_cast<int>(msg.body()->at("n").get<int>());
  result out;
  out.next(now);
  return out;
}

const entity_type<counter>& type() {
  static const entity_type<counter> made{
      "counter",
      "counter",
      2,
      view,
      {creates<counter>("POST", "/v1/counters", create), lists<counter>("GET", "/v1/counters"),
       answers<counter>("POST", "/v1/counters/{id}/add/{by}", add),
       answers<counter>("POST", "/v1/counters/{id}/explode", explode),
       answers<counter>("POST", "/v1/counters/{id}/explode_oddly", explode_oddly),
       answers<counter>("POST", "/v1/counters/{id}/nothing", say_nothing),
       answers<counter>("POST", "/v1/counters/{id}/twice", say_twice),
       answers<counter>("DELETE", "/v1/counters/{id}", remove),
       answers_by<counter>("counter_id", "POST", "/v1/services/type/counter", say_twice), timer<counter>("tick", tick),
       told<counter>("nudge", tick, nudged_nobody), told<counter>("nobody_here", nobody_here),
       hears<counter>("bell.rang", "counter_id", heard)},
      [](json older, std::uint32_t) {
        older["feels"] = "cross"; // version 1 had no mood
        older["made"] = 0;
        return older;
      }};
  return made;
}

struct bell {
  std::string customer_id;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(bell, customer_id)
outcome<bell> ring(const message& msg, const context&) {
  outcome<bell> out;
  out.next({msg.customer_id}).event("bell.rang", *msg.body()).reply(200, nullptr);
  return out;
}
const entity_type<bell>& bell_type() {
  static const entity_type<bell> made{
      "bell", "bell", 1, [](const bell&) { return json::object(); }, {creates<bell>("POST", "/v1/bells", ring)}};
  return made;
}

class sdk_test : public testing::Test {
protected:
  sdk_test() {
    world_.add(abi_of<&type>());
    world_.add(abi_of<&bell_type>());
  }
  std::string make() { return world_.request("POST", "/v1/counters", nullptr, "c1").body["id"]; }
  static json counter_view(int count, const char* feels = "calm") { return {{"count", count}, {"mood", feels}}; }

  sdk::test_kit::world world_;
};

TEST_F(sdk_test, a_created_entity_has_state_view_event_and_timer) {
  const auto id = make();
  EXPECT_TRUE(is_uuid(id));
  EXPECT_EQ(world_.view("counter", id), counter_view(0));
  ASSERT_EQ(world_.events().size(), 1U);
  EXPECT_EQ(world_.events()[0].type, "counter.created");
  EXPECT_EQ(world_.events()[0].customer_id, "c1");
  EXPECT_EQ(world_.events()[0].resource_id, id);
  EXPECT_EQ(world_.timers("counter", id), std::vector<std::string>{"tick"});
  world_.advance(milliseconds{99});
  EXPECT_EQ(world_.view("counter", id), counter_view(0));
  world_.advance(milliseconds{1});
  EXPECT_EQ(world_.view("counter", id), counter_view(1));
  world_.advance(milliseconds{1000});
  EXPECT_EQ(world_.view("counter", id), counter_view(1)) << "a timer fires once";
}

TEST_F(sdk_test, a_taken_id_is_refused_and_nothing_changes) {
  const json body{{"id", "mine"}, {"start", 5}};
  EXPECT_EQ(world_.request("POST", "/v1/counters", body, "c1").status, 200);
  const auto again = world_.request("POST", "/v1/counters", body, "c2");
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.reason, "ALREADY_EXISTS");
  EXPECT_EQ(world_.view("counter", "mine"), counter_view(5));
}

TEST_F(sdk_test, another_tenant_finds_nothing_and_an_inside_caller_finds_all) {
  const auto id = make();
  const auto route = "/v1/counters/" + id + "/add/3";
  EXPECT_EQ(world_.request("POST", route, nullptr, "c2").status, 404);
  EXPECT_EQ(world_.request("POST", route, nullptr, "c1").body, counter_view(3));
  EXPECT_EQ(world_.request("POST", route).body, counter_view(6));
  EXPECT_EQ(world_.request("GET", "/v1/counters", nullptr, "c2").body["result"].size(), 0U);
  EXPECT_EQ(world_.request("GET", "/v1/counters", nullptr, "c1").body["result"].size(), 1U);
}

TEST_F(sdk_test, wrong_bodies_and_routes_are_refused) {
  EXPECT_EQ(world_.request("POST", "/v1/counters", {{"start", "x"}}).status, 400);
  EXPECT_EQ(world_.request("POST", "/v1/counters", {{"start", 101}}).status, 400);
  EXPECT_EQ(world_.request("POST", "/v1/counters", {{"start", 18446744073709551615ULL}}).status, 400);
  EXPECT_EQ(world_.request("POST", "/v1/counters", json::array({1})).status, 400);
  EXPECT_EQ(world_.request("PUT", "/v1/counters").status, 404);
  EXPECT_EQ(world_.request("POST", "/v1/counters/x/add/1").status, 404);
  EXPECT_TRUE(world_.failures().empty());
}

TEST_F(sdk_test, an_exception_or_a_missing_or_second_reply_fails_the_decision_and_keeps_the_state) {
  const auto id = make();
  for (const auto* verb : {"explode", "explode_oddly", "nothing", "twice"}) {
    const auto before = world_.failures().size();
    EXPECT_EQ(world_.request("POST", "/v1/counters/" + id + "/" + verb).status, 500) << verb;
    ASSERT_EQ(world_.failures().size(), before + 1) << verb;
  }
  EXPECT_NE(world_.failures()[0].find("boom"), std::string::npos);
  EXPECT_EQ(world_.view("counter", id), counter_view(0));
}

TEST_F(sdk_test, an_ended_entity_is_gone_with_its_timers_but_its_last_event_leaves) {
  const auto id = make();
  EXPECT_EQ(world_.request("DELETE", "/v1/counters/" + id).status, 200);
  EXPECT_FALSE(world_.exists("counter", id));
  EXPECT_TRUE(world_.timers("counter", id).empty());
  EXPECT_EQ(world_.events().back().type, "counter.deleted");
  EXPECT_EQ(world_.events().back().customer_id, "c1");
}

TEST_F(sdk_test, messages_reach_entities_and_also_places_where_there_is_none) {
  const auto id = make();
  world_.request("POST", "/v1/counters/" + id + "/add/1");
  EXPECT_EQ(world_.waiting(), 1U);
  world_.settle();
  EXPECT_EQ(world_.view("counter", id), counter_view(1, "cross")) << "nobody was at `other`, who said so";
  EXPECT_FALSE(world_.exists("counter", "other"));
}

TEST_F(sdk_test, subscribed_events_reach_the_entity_they_name) {
  const auto id = make();
  world_.request("POST", "/v1/bells", {{"counter_id", id}, {"n", 7}});
  world_.request("POST", "/v1/bells", {{"counter_id", "nobody"}, {"n", 7}});
  world_.settle();
  EXPECT_EQ(world_.view("counter", id), counter_view(107));
  EXPECT_TRUE(world_.failures().empty());
}

std::string text_of(sb_bytes bytes) { return {bytes.data, bytes.size}; }
void append(void* self, sb_bytes part) { static_cast<std::string*>(self)->append(part.data, part.size); }

struct opened {
  explicit opened(std::string_view state, std::uint32_t version) {
    sb_sink sink{&why, &append};
    instance = abi_of<&type>().open({state.data(), state.size()}, version, &sink);
  }
  ~opened() {
    if (instance)
      abi_of<&type>().close(instance);
  }
  json view() const {
    std::string shown;
    sb_sink sink{&shown, &append};
    abi_of<&type>().view(instance, &sink);
    return json::parse(shown);
  }
  std::string why;
  void* instance = nullptr;
};

TEST(state, opens_todays_and_older_versions) {
  opened today{R"({"customer_id":"c","count":3,"feels":"calm","made":1000})", 2};
  ASSERT_TRUE(today.instance);
  EXPECT_EQ(today.view(), (json{{"count", 3}, {"mood", "calm"}}));
  opened older{R"({"customer_id":"c","count":3})", 1};
  ASSERT_TRUE(older.instance);
  EXPECT_EQ(older.view(), (json{{"count", 3}, {"mood", "cross"}}));
  opened fresh{"", 0};
  ASSERT_TRUE(fresh.instance);
  EXPECT_EQ(fresh.view(), json{});
}

TEST(state, damaged_unknown_and_newer_ones_say_why_they_do_not_open) {
  const std::string good = R"({"customer_id":"c","count":3,"feels":"calm","made":1000})";
  for (std::size_t size = 1; size < good.size(); ++size) {
    opened cut{good.substr(0, size), 2};
    EXPECT_FALSE(cut.instance) << size;
    EXPECT_FALSE(cut.why.empty());
  }
  opened newer{good, 3};
  EXPECT_FALSE(newer.instance);
  EXPECT_NE(newer.why.find("newer version"), std::string::npos);
  opened unknown_name{R"({"customer_id":"c","count":3,"feels":"glad","made":1000})", 2};
  EXPECT_FALSE(unknown_name.instance);
}

TEST(context, the_same_dice_give_the_same_uuids) {
  const auto settings = std::make_shared<const json>(json{{"ring_ms", 250}, {"bad_ms", "x"}, {"minus_ms", -1}});
  const time_point at{milliseconds{0x017f22e279b0}};
  const context one{"id", at, 42, settings};
  const context same{"id", at, 42, settings};
  const auto first = one.make_uuid();
  EXPECT_TRUE(is_uuid(first));
  EXPECT_TRUE(first.starts_with("017f22e2-79b0-7")) << first; // version 7
  EXPECT_NE(std::string_view{"89ab"}.find(first[19]), std::string_view::npos);
  EXPECT_EQ(first, same.make_uuid());
  EXPECT_NE(first, one.make_uuid());
  EXPECT_EQ(one.setting("ring_ms", milliseconds{1}), milliseconds{250});
  for (const auto* name : {"bad_ms", "minus_ms", "missing_ms"})
    EXPECT_EQ(one.setting(name, milliseconds{1}), milliseconds{1}) << name;
}

TEST(route, literals_match_themselves_and_names_match_one_segment) {
  EXPECT_TRUE(match_route("/v1/calls", "/v1/calls"));
  const auto found = match_route("/v1/queues/{id}/calls/{call_id}", "/v1/queues/q%2F1/calls/7");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (path_parameters{{"id", "q/1"}, {"call_id", "7"}}));
  for (const auto* other : {"/v1/calls/", "/v1/call", "/v1", "/v1/calls/7", "", "v1/calls", "/v1//calls"})
    EXPECT_FALSE(match_route("/v1/calls", other)) << other;
  EXPECT_FALSE(match_route("/v1/calls/{id}/hold", "/v1/calls//hold"));
  EXPECT_FALSE(match_route("/v1/calls/{id}", "/v1/calls/7/hold"));
}

TEST(route, escapes_are_decoded_only_when_they_are_whole) {
  EXPECT_EQ(percent_decode("%2B1%zz%4"), "+1%zz%4");
  EXPECT_EQ(query_parameter("a=1&page_size=10&b", "page_size"), "10");
  EXPECT_EQ(query_parameter("a=1&page_size=10&b", "b"), "");
  EXPECT_EQ(query_parameter("", "b"), "");
}

TEST(address, needs_a_known_type_and_a_target) {
  const auto read = [](const json& value) {
    body_reader in{json::object()};
    const auto made = read_address(in, "source", value);
    return std::pair{made, in.wrong().has_value()};
  };
  EXPECT_EQ(read({{"type", "tel"}, {"target", "+1"}}), (std::pair{address{"tel", "+1", ""}, false}));
  EXPECT_EQ(read("+1"), (std::pair{address{"tel", "+1", ""}, false}));
  for (const auto& bad : {json(7), json{{"type", "fax"}, {"target", "1"}}, json{{"type", "tel"}}, json{{"target", 1}}})
    EXPECT_TRUE(read(bad).second) << bad;
}

TEST(abi, the_tables_list_every_route_and_subscription) {
  const auto& abi = abi_of<&type>();
  EXPECT_EQ(abi.size, sizeof(sb_entity_type));
  EXPECT_STREQ(abi.type, "counter");
  ASSERT_EQ(abi.route_count, 9U);
  EXPECT_EQ(abi.routes[1].target, SB_LIST);
  EXPECT_STREQ(abi.routes[8].key, "counter_id");
  ASSERT_EQ(abi.subscription_count, 1U);
  EXPECT_STREQ(abi.subscriptions[0].event_type, "bell.rang");
}

TEST(abi, an_unreadable_body_is_an_error_value) {
  message msg;
  msg.body_text = "{not json";
  EXPECT_EQ(msg.body().error().code, errc::bad_format);
  body_reader in{msg};
  EXPECT_TRUE(in.wrong());
  EXPECT_EQ(in.text("anything", "x"), "x");
  message deep;
  deep.body_text = std::string(100, '[') + std::string(100, ']');
  EXPECT_EQ(deep.body().error().code, errc::too_large);
}

} // namespace switchboard::sdk::counter_test

SWITCHBOARD_PLUGIN("counter", "1.2.3", &switchboard::sdk::counter_test::type,
                   &switchboard::sdk::counter_test::bell_type)

TEST(plugin, the_entry_point_describes_all_types_and_the_manifest_agrees) {
  const auto* plugin = switchboard_plugin_entry();
  EXPECT_EQ(plugin->size, sizeof(sb_plugin));
  EXPECT_EQ(plugin->abi_major, SWITCHBOARD_ABI_MAJOR);
  ASSERT_EQ(plugin->type_count, 2U);
  EXPECT_STREQ(plugin->types[1]->type, "bell");
  EXPECT_STREQ(switchboard_plugin_manifest, "abi=1.2\nname=counter\nversion=1.2.3\n");
}
