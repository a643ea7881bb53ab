#include "broker/topology_records.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tests/golden/mutate.hpp"

namespace switchboard::broker {
namespace {

field_table one_of_each() {
  field_table nested;
  nested.set("k", field_array{1, "x"});
  field_table made;
  made.set("V", {});
  made.set("t", true);
  made.set("b", std::int8_t{-128});
  made.set("B", std::uint8_t{255});
  made.set("s", std::int16_t{-32768});
  made.set("u", std::uint16_t{65535});
  made.set("I", std::numeric_limits<std::int32_t>::min());
  made.set("i", std::numeric_limits<std::uint32_t>::max());
  made.set("l", std::numeric_limits<std::int64_t>::min());
  made.set("L", std::numeric_limits<std::uint64_t>::max());
  made.set("f", -0.0F);
  made.set("d", std::numeric_limits<double>::infinity());
  made.set("D", decimal{2, 12345});
  made.set("S", "50% \xff and \n");
  made.set("A", field_array{"a", field_value{}, field_array{1}});
  made.set("T", timestamp{1768910400});
  made.set("F", nested);
  made.set("x", byte_array{std::string("\0\xff", 2)});
  made.append("S", "the same name again");
  return made;
}

binding_spec odd_binding() {
  return {.source = "s/%\xc3\xa4",
          .destination = std::string("d\0", 2),
          .to_exchange = true,
          .routing_key = "a.*.#",
          .arguments = one_of_each()};
}

TEST(topology_records, keys_are_readable_and_keep_vhosts_apart) {
  EXPECT_EQ(exchange_key("/", "calls"), "exchange/%2F/calls");
  EXPECT_EQ(queue_key("/", "a/b"), "queue/%2F/a/b");
  EXPECT_EQ(queue_key("a/b", "c"), "queue/a%2Fb/c");
  EXPECT_EQ(binding_key("50%", 12), "binding/50%25/12");
}

TEST(topology_records, golden_text_of_each_record) {
  field_table arguments;
  arguments.set("x-message-ttl", std::int32_t{60000});
  EXPECT_EQ(encode_queue({.name = "q", .durable = true, .arguments = arguments}, 7),
            R"({"version":1,"number":7,"auto_delete":false,"arguments":[["x-message-ttl","I",60000]]})");
  EXPECT_EQ(encode_exchange({.name = "e", .type = "topic", .durable = true, .internal = true}),
            R"({"version":1,"type":"topic","auto_delete":false,"internal":true,"arguments":[]})");
  EXPECT_EQ(encode_binding({.source = "e", .destination = "q", .routing_key = "k\n"}),
            R"({"version":1,"source":"e","destination":"q","to_exchange":false,"routing_key":"k%0A","arguments":[]})");
}

TEST(topology_records, an_exchange_comes_back_as_it_was) {
  const exchange_spec spec{.name = "a/%2F\xff",
                           .type = "topic",
                           .durable = true,
                           .auto_delete = true,
                           .internal = true,
                           .arguments = one_of_each()};
  const auto read = decode_record(exchange_key("v/1", spec.name), encode_exchange(spec));
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->vhost, "v/1");
  const auto& back = std::get<exchange_record>(read->what).spec;
  EXPECT_EQ(back.name, spec.name);
  EXPECT_EQ(back.type, spec.type);
  EXPECT_TRUE(back.durable && back.auto_delete && back.internal);
  EXPECT_EQ(back.arguments, spec.arguments);
}

TEST(topology_records, a_queue_comes_back_with_its_number) {
  const queue_spec spec{.name = "q/1", .durable = true, .auto_delete = true, .arguments = one_of_each()};
  const auto number = std::numeric_limits<queue_number>::max();
  const auto read = decode_record(queue_key("/", spec.name), encode_queue(spec, number));
  ASSERT_TRUE(read) << read.error().what;
  const auto& back = std::get<queue_record>(read->what);
  EXPECT_EQ(back.number, number);
  EXPECT_EQ(back.spec.name, spec.name);
  EXPECT_TRUE(back.spec.durable && back.spec.auto_delete && !back.spec.exclusive);
  EXPECT_EQ(back.spec.arguments, spec.arguments);
}

TEST(topology_records, a_binding_comes_back_with_any_bytes_in_its_names) {
  const auto spec = odd_binding();
  const auto read = decode_record(binding_key("/", 42), encode_binding(spec));
  ASSERT_TRUE(read) << read.error().what;
  const auto& back = std::get<binding_record>(read->what);
  EXPECT_EQ(back.number, 42u);
  EXPECT_EQ(back.spec.source, spec.source);
  EXPECT_EQ(back.spec.destination, spec.destination);
  EXPECT_EQ(back.spec.to_exchange, spec.to_exchange);
  EXPECT_EQ(back.spec.routing_key, spec.routing_key);
  EXPECT_EQ(back.spec.arguments, spec.arguments);
}

TEST(topology_records, a_record_cut_off_anywhere_is_corrupt) {
  const auto whole = encode_binding(odd_binding());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto read = decode_record("binding/%2F/1", whole.substr(0, size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, errc::corrupt);
  }
}

TEST(topology_records, what_is_wrong_is_said_with_its_key) {
  const auto queue = encode_queue({.name = "q", .durable = true}, 1);
  const struct {
    const char* key;
    std::string bytes;
    const char* why;
  } wrong[] = {
      {"queue/%2F/q", "", "not JSON"},
      {"queue/%2F/q", "[]", "not a JSON object"},
      {"queue/%2F/q", "{}", "not a record of version 1"},
      {"queue/%2F/q", R"({"version":2})", "not a record of version 1"},
      {"queue/%2F/q", R"({"version":1})", "a yes-or-no is missing"},
      {"queue/%2F/q", R"({"version":1,"auto_delete":0})", "a yes-or-no is missing"},
      {"queue/%2F/q", R"({"version":1,"auto_delete":false,"number":-1,"arguments":[]})", "out of range"},
      {"queue/%2F/q", R"({"version":1,"auto_delete":false,"number":1.5,"arguments":[]})", "out of range"},
      {"queue/%2F/q", R"({"version":1,"auto_delete":false,"number":1,"arguments":{}})", "arguments are missing"},
      {"queue/%2F/q", R"({"version":1,"auto_delete":false,"number":1,"arguments":[["a","b",300]]})", "out of range"},
      {"queue/%2F/q", R"({"version":1,"auto_delete":false,"number":1,"arguments":[["a","?",1]]})", "type letter"},
      {"queue/%2F/q", R"({"version":1,"auto_delete":false,"number":1,"arguments":[["a","S","%4"]]})", "hexadecimal"},
      {"queue/%2F/q", R"({"version":1,"auto_delete":false,"number":1,"arguments":[["a","S"]]})", "another size"},
      {"queue", queue, "'<kind>/<vhost>/'"},
      {"queue/q", queue, "'<kind>/<vhost>/'"},
      {"", queue, "'<kind>/<vhost>/'"},
      {"user/%2F/q", queue, "none of exchange, queue, binding"},
      {"queue/%zz/q", queue, "hexadecimal"},
      {"exchange/%2F/q", queue, "a text is missing"},
      {"binding/%2F/x", queue, "does not end in a number"},
      {"binding/%2F/1x", queue, "does not end in a number"},
  };
  for (const auto& each : wrong) {
    const auto read = decode_record(each.key, each.bytes);
    ASSERT_FALSE(read) << each.key << " " << each.bytes;
    EXPECT_EQ(read.error().code, errc::corrupt);
    EXPECT_NE(read.error().what.find(each.why), std::string::npos) << read.error().what;
    EXPECT_NE(read.error().what.find("topology record '"), std::string::npos);
  }
}

TEST(topology_records, arguments_nested_too_deep_are_corrupt_and_not_a_crash) {
  std::string deep = "1";
  for (int i = 0; i < 5000; ++i)
    deep = R"([["A",)" + deep + "]]";
  const auto read = decode_record(
      "queue/%2F/q", R"({"version":1,"auto_delete":false,"number":1,"arguments":[["a","A",)" + deep + "]]}");
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().what.find("nested too deep"), std::string::npos) << read.error().what;
}

TEST(topology_records, damaged_bytes_are_read_or_refused_but_never_a_crash) {
  const auto whole = encode_binding(odd_binding());
  int read = 0;
  std::mt19937 dice{5};
  for (int round = 0; round < 3000; ++round)
    read += decode_record("binding/%2F/1", golden::mutate(whole, dice)).has_value();
  EXPECT_LT(read, 3000); // most damage is noticed
}

} // namespace
} // namespace switchboard::broker
