#include "bridges/http/management_json.hpp"

#include <gtest/gtest.h>

#include "bridges/http/management_call.hpp"
#include "bridges/http/management_definitions.hpp"

namespace switchboard::http {
namespace {

TEST(management_json, a_table_keeps_its_values) {
  const auto json = ordered_json::parse(R"({"a":1,"b":"two","c":true,"d":1.5,"e":null,"f":{"g":[1,"x",{"h":2}]}})");
  const auto table = table_from_json(json);
  ASSERT_TRUE(table);
  EXPECT_EQ(table_to_json(*table), json);
}

TEST(management_json, refuses_what_no_table_can_hold) {
  EXPECT_FALSE(table_from_json(ordered_json::parse("[1]")));
  EXPECT_FALSE(table_from_json(ordered_json::parse(R"({"a":18446744073709551615})")));
  EXPECT_FALSE(table_from_json(ordered_json{{std::string(256, 'n'), 1}}));
  auto deep = ordered_json::object();
  for (int level = 0; level < 20; ++level)
    deep = {{"x", deep}};
  EXPECT_FALSE(table_from_json(deep));
  ordered_json list = 1;
  for (int level = 0; level < 20; ++level)
    list = ordered_json::array({list});
  EXPECT_FALSE(table_from_json({{"x", list}}));
}

TEST(management_json, properties_go_both_ways) {
  const auto json = ordered_json::parse(
      R"({"content_type":"text/plain","message_id":"m","delivery_mode":2,"priority":9,"timestamp":5,"headers":{"a":1}})");
  const auto read = properties_from_json(json);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->delivery_mode, 2);
  EXPECT_EQ(properties_to_json(*read), json);
  EXPECT_TRUE(properties_from_json(ordered_json::array()));
  for (const auto* wrong : {R"({"priority":256})", R"({"priority":"x"})", R"({"type":1})", R"({"headers":1})", "7"})
    EXPECT_FALSE(properties_from_json(ordered_json::parse(wrong))) << wrong;
}

TEST(management_json, tags_come_as_text_or_list) {
  EXPECT_EQ(*tags_from_json("administrator, monitoring,"), (std::vector<std::string>{"administrator", "monitoring"}));
  EXPECT_EQ(*tags_from_json(ordered_json::array({"a", "b"})), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(tags_from_json("")->empty());
  EXPECT_FALSE(tags_from_json(nullptr));
  EXPECT_FALSE(tags_from_json(ordered_json::array({1})));
}

TEST(management_json, columns_choose_fields_also_inner_ones) {
  const auto all = ordered_json::parse(R"([{"a":1,"b":{"c":2,"d":3}},{"a":4}])");
  EXPECT_EQ(only_columns(all, "a,b.d"), ordered_json::parse(R"([{"a":1,"b":{"d":3}},{"a":4}])"));
  EXPECT_EQ(only_columns(all[0], "nothing"), ordered_json::object());
}

TEST(management_json, a_binding_is_named_by_key_and_arguments) {
  broker::binding_spec one{"x", "q", false, "k", {}};
  EXPECT_EQ(properties_key(one), "k");
  one.routing_key.clear();
  EXPECT_EQ(properties_key(one), "~");
  auto other = one;
  one.arguments.set("a", std::int64_t{1});
  other.arguments.set("a", std::int64_t{2});
  EXPECT_NE(properties_key(one), properties_key(other));
  EXPECT_EQ(properties_key(one), properties_key(one));
}

TEST(management_call, pages_lists_as_rabbitmq_does) {
  management_call call;
  http_answer got;
  call.done = [&](http_answer answer) { got = std::move(answer); };
  call.what.target = "/api/queues?page=2&page_size=2&sort=name";
  call.show(ordered_json::parse(R"([{"name":"c"},{"name":"a"},{"name":"b"}])"));
  const auto page = ordered_json::parse(got.body);
  EXPECT_EQ(page["items"], ordered_json::parse(R"([{"name":"c"}])"));
  EXPECT_EQ(page["page_count"], 2);
  EXPECT_EQ(page["total_count"], 3);
  call.what.target = "/api/queues?page=1&page_size=0";
  call.show(ordered_json::array());
  EXPECT_EQ(got.status, 400);
}

TEST(management_definitions, name_the_thing_that_is_wrong) {
  const auto wrong = [](const char* text) {
    const auto read = read_definitions(ordered_json::parse(text), std::nullopt);
    return read ? std::string{} : read.error().what;
  };
  EXPECT_EQ(wrong(R"({"queues":[{"name":"q","vhost":"/"}]})"), "");
  EXPECT_NE(wrong(R"({"queues":[{"name":"q","vhost":"/"},{"name":"r"}]})").find("queues[1]: "), std::string::npos);
  EXPECT_NE(wrong(R"({"users":[{"name":"u","tags":""}]})").find("users[0]: "), std::string::npos);
  EXPECT_NE(wrong(R"({"policies":[{"vhost":"/","name":"p","pattern":"(","definition":{}}]})").find("policies[0]"),
            std::string::npos);
  EXPECT_NE(wrong(R"({"bindings":[7]})").find("bindings[0]"), std::string::npos);
}

TEST(management_definitions, come_in_an_order_that_can_be_declared) {
  const auto read = read_definitions(ordered_json::parse(R"({
    "bindings":[{"source":"x","destination":"q","destination_type":"queue","routing_key":"k","arguments":{}}],
    "queues":[{"name":"q","durable":true}],
    "exchanges":[{"name":"x","type":"topic"},{"name":"amq.topic","type":"topic"}],
    "policies":[{"name":"p","pattern":".*","definition":{"expires":1}}]})"),
                                     "v");
  ASSERT_TRUE(read);
  ASSERT_EQ(read->topology.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<broker::put_policy>(read->topology[0].what));
  EXPECT_TRUE(std::holds_alternative<broker::declare_exchange>(read->topology[1].what));
  EXPECT_TRUE(std::holds_alternative<broker::declare_queue>(read->topology[2].what));
  EXPECT_TRUE(std::holds_alternative<broker::bind>(read->topology[3].what));
  EXPECT_EQ(read->topology[3].vhost, "v");
}

} // namespace
} // namespace switchboard::http
