// What clients choose about routing, from any bytes: a topic pattern and a key, header arguments and headers, further
// keys. The trie agrees with AMQP's definition, the way that reads headers in place agrees with the one that copies,
// and no key is found that the headers don't hold.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/death.hpp"
#include "broker/exchange_headers.hpp"
#include "broker/routing_keys.hpp"
#include "broker/routing_table_builder.hpp"
#include "messages/properties.hpp"
#include "tests/broker/naive_topic.hpp"

using namespace switchboard;
using namespace switchboard::broker;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// The definition is exponential in '#': only short keys are held against it, long ones only have to end.
constexpr std::size_t naive_bytes_max = 24;

void check_topic(std::string_view pattern, std::string_view key) {
  pattern = pattern.substr(0, 255);
  key = key.substr(0, 255);
  routing_table_builder builder;
  builder.add_exchange({.name = "x", .type = "topic"});
  builder.add_queue(std::make_shared<const endpoint>(1, "q", false));
  const binding_spec spec{.source = "x", .destination = "q", .routing_key = std::string{pattern}};
  builder.bind(spec);
  std::vector<const endpoint*> found;
  builder.snapshot()->route("x", key, {}, found);
  if (pattern.size() <= naive_bytes_max && key.size() <= naive_bytes_max)
    require(found.size() == naive::topic_matches(std::string{pattern}, std::string{key}));
  require(found.size() <= 1);
  builder.unbind(spec);
  found.clear();
  builder.snapshot()->route("x", key, {}, found);
  require(found.empty());
}

void check_headers(std::string_view arguments, std::string_view headers) {
  std::vector<header_field> fields;
  read_headers(headers, fields);
  require(std::is_sorted(fields.begin(), fields.end(),
                         [](const header_field& left, const header_field& right) { return left.name < right.name; }));
  const auto table = decode_fields(headers);
  if (table)
    require(fields.size() == table->size());
  const auto wanted = decode_fields(arguments);
  if (!wanted || !header_pattern::check(*wanted))
    return;
  const header_pattern pattern{*wanted};
  static_cast<void>(pattern.matches(fields));
  if (!table)
    return;
  // In one exchange with everything else that happens on the way.
  routing_table_builder builder;
  builder.add_exchange({.name = "x", .type = "headers"});
  builder.add_queue(std::make_shared<const endpoint>(1, "q", false));
  builder.bind({.source = "x", .destination = "q", .arguments = *wanted});
  std::vector<const endpoint*> found;
  builder.snapshot()->route("x", "", headers, found);
  require(found.size() == pattern.matches(fields));
}

void check_copies(std::string_view headers) {
  const auto table = decode_fields(headers);
  const auto good = check_copy_keys(headers);
  if (!table)
    return;
  const auto keys = copy_keys(*table);
  require(good.has_value() == keys.wrong_header.empty());
  for (const auto& key : keys.keys)
    require(headers.find(key) != std::string_view::npos);

  basic_properties properties;
  properties.headers = *table;
  const auto what = make_message("x", "k", encode_properties(properties), "body", true);
  const auto blind = without_blind_copies(what);
  require(!decode_properties(blind->properties())->headers->find(blind_copy_header));
  const auto dead = make_dead_letter(*what, death::expired, "q", "x", std::nullopt, {});
  const auto after = decode_properties(dead->properties());
  require(after && after->headers && after->headers->find("x-death"));
  require(closes_circle(*dead, "q"));
  require(decode_properties(count_delivery(*dead, 1)->properties()).has_value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  if (bytes.empty())
    return 0;
  const auto first = bytes.substr(1, static_cast<unsigned char>(bytes[0]));
  const auto second = bytes.substr(1 + first.size());
  check_topic(first, second);
  check_headers(first, second);
  check_copies(second);
  return 0;
}
