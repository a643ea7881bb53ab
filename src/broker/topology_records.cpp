// The map of this file: keys, names in JSON, arguments in JSON, the three records written, the three records read.
#include "broker/topology_records.hpp"

#include <bit>
#include <charconv>
#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

namespace switchboard::broker {

namespace {

using json = nlohmann::ordered_json; // fields in the order in which people read them

constexpr int record_version = 1;

// -- text of any bytes ----------------------------------------------------------------------------------------------

template <class Keep>
std::string escaped(std::string_view bytes, Keep keep) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string text;
  for (const char each : bytes) {
    const auto byte = static_cast<unsigned char>(each);
    if (each != '%' && keep(byte))
      text += each;
    else
      text.append(1, '%').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
  }
  return text;
}

std::string escaped(std::string_view bytes) {
  return escaped(bytes, [](unsigned char byte) { return byte >= 0x20 && byte < 0x7f; });
}

std::string escaped_vhost(std::string_view vhost) {
  return escaped(vhost, [](unsigned char byte) { return byte > 0x20 && byte < 0x7f && byte != '/'; });
}

/// Thrown inside this file only, caught by decode_record: a record is read field by field, and each may be wrong.
struct unreadable {
  std::string why;
};

std::string unescaped(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      bytes += text[at];
      continue;
    }
    unsigned byte = 0;
    const auto* first = text.data() + at + 1;
    if (text.size() - at < 3 || std::from_chars(first, first + 2, byte, 16).ptr != first + 2)
      throw unreadable{"'%' is not followed by two hexadecimal digits"};
    bytes += static_cast<char>(byte);
    at += 2;
  }
  return bytes;
}

// -- arguments ------------------------------------------------------------------------------------------------------

json table_json(const field_table& table);

/// [letter, value]; a floating point number is written as its bits, which JSON can't lose.
struct value_json {
  json operator()(std::monostate) const { return {"V", nullptr}; }
  json operator()(bool value) const { return {"t", value}; }
  json operator()(std::int8_t value) const { return {"b", value}; }
  json operator()(std::uint8_t value) const { return {"B", value}; }
  json operator()(std::int16_t value) const { return {"s", value}; }
  json operator()(std::uint16_t value) const { return {"u", value}; }
  json operator()(std::int32_t value) const { return {"I", value}; }
  json operator()(std::uint32_t value) const { return {"i", value}; }
  json operator()(std::int64_t value) const { return {"l", value}; }
  json operator()(std::uint64_t value) const { return {"L", value}; }
  json operator()(float value) const { return {"f", std::bit_cast<std::uint32_t>(value)}; }
  json operator()(double value) const { return {"d", std::bit_cast<std::uint64_t>(value)}; }
  json operator()(const decimal& value) const { return {"D", json::array({value.scale, value.value})}; }
  json operator()(const std::string& value) const { return {"S", escaped(value)}; }
  json operator()(const byte_array& value) const { return {"x", escaped(value.bytes)}; }
  json operator()(const timestamp& value) const { return {"T", value.seconds}; }
  json operator()(const field_table& value) const { return json::array({"F", table_json(value)}); }
  json operator()(const field_array& value) const {
    auto all = json::array();
    for (const auto& each : value)
      all.push_back(std::visit(*this, each.value));
    return json::array({"A", std::move(all)});
  }
};

json table_json(const field_table& table) {
  auto all = json::array();
  for (const auto& [name, value] : table.fields()) {
    auto field = std::visit(value_json{}, value.value);
    field.insert(field.begin(), escaped(name));
    all.push_back(std::move(field));
  }
  return all;
}

template <class Number>
Number number_from(const json& from) {
  // Compared in the widest type of the number's own sign, so that 300 is no octet and -1 no unsigned number.
  if (from.is_number_unsigned() && std::in_range<Number>(from.get<std::uint64_t>()))
    return static_cast<Number>(from.get<std::uint64_t>());
  if (from.is_number_integer() && !from.is_number_unsigned() && std::in_range<Number>(from.get<std::int64_t>()))
    return static_cast<Number>(from.get<std::int64_t>());
  throw unreadable{"a number has the wrong type or is out of range"};
}

std::string text_from(const json& from) {
  if (!from.is_string())
    throw unreadable{"a text is missing or of another type"};
  return unescaped(from.get_ref<const std::string&>());
}

bool flag_from(const json& from) {
  if (!from.is_boolean())
    throw unreadable{"a yes-or-no is missing or of another type"};
  return from.get<bool>();
}

const json& array_from(const json& from, std::size_t size) {
  if (!from.is_array() || from.size() != size)
    throw unreadable{"an array is missing or has another size"};
  return from;
}

field_table table_from(const json& from, int depth);

field_value value_from(const std::string& letter, const json& from, int depth) {
  switch (letter.size() == 1 ? letter[0] : '\0') {
  case 'V':
    return {};
  case 't':
    return flag_from(from);
  case 'b':
    return number_from<std::int8_t>(from);
  case 'B':
    return number_from<std::uint8_t>(from);
  case 's':
    return number_from<std::int16_t>(from);
  case 'u':
    return number_from<std::uint16_t>(from);
  case 'I':
    return number_from<std::int32_t>(from);
  case 'i':
    return number_from<std::uint32_t>(from);
  case 'l':
    return number_from<std::int64_t>(from);
  case 'L':
    return number_from<std::uint64_t>(from);
  case 'f':
    return std::bit_cast<float>(number_from<std::uint32_t>(from));
  case 'd':
    return std::bit_cast<double>(number_from<std::uint64_t>(from));
  case 'D':
    return decimal{number_from<std::uint8_t>(array_from(from, 2)[0]), number_from<std::uint32_t>(from[1])};
  case 'S':
    return text_from(from);
  case 'x':
    return byte_array{text_from(from)};
  case 'T':
    return timestamp{number_from<std::uint64_t>(from)};
  case 'F':
    return table_from(from, depth + 1);
  case 'A': {
    if (!from.is_array() || depth >= field_depth_max)
      throw unreadable{"an array is of another type or nested too deep"};
    field_array all;
    for (const auto& each : from)
      all.push_back(value_from(text_from(array_from(each, 2)[0]), each[1], depth + 1));
    return all;
  }
  default:
    throw unreadable{"an argument has an unknown type letter"};
  }
}

field_table table_from(const json& from, int depth) {
  if (!from.is_array() || depth > field_depth_max)
    throw unreadable{"arguments are missing, of another type or nested too deep"};
  field_table table;
  for (const auto& each : from) {
    const auto& field = array_from(each, 3);
    table.append(text_from(field[0]), value_from(text_from(field[1]), field[2], depth));
  }
  return table;
}

// -- records --------------------------------------------------------------------------------------------------------

/// A field that must be there; null, which no reader above takes, if it is not.
const json& at(const json& record, const char* name) {
  static const json nothing;
  const auto found = record.find(name);
  return found == record.end() ? nothing : *found;
}

std::string_view policy_word(policy_kind kind) { return kind == policy_kind::standard ? "policy" : "operator_policy"; }

exchange_record read_exchange(const json& record, std::string_view name) {
  exchange_record read;
  read.spec.name = name;
  read.spec.type = text_from(at(record, "type"));
  read.spec.durable = true;
  read.spec.auto_delete = flag_from(at(record, "auto_delete"));
  read.spec.internal = flag_from(at(record, "internal"));
  read.spec.arguments = table_from(at(record, "arguments"), 1);
  if (record.contains("delay"))
    read.delay = number_from<queue_number>(at(record, "delay"));
  return read;
}

queue_record read_queue(const json& record, std::string_view name) {
  queue_record read;
  read.spec.name = name;
  read.spec.durable = true;
  read.spec.auto_delete = flag_from(at(record, "auto_delete"));
  read.spec.arguments = table_from(at(record, "arguments"), 1);
  read.number = number_from<queue_number>(at(record, "number"));
  return read;
}

binding_record read_binding(const json& record, std::string_view number) {
  binding_record read;
  const auto* end = number.data() + number.size();
  const auto [stop, problem] = std::from_chars(number.data(), end, read.number);
  if (problem != std::errc{} || stop != end)
    throw unreadable{"the key does not end in a number"};
  read.spec.source = text_from(at(record, "source"));
  read.spec.destination = text_from(at(record, "destination"));
  read.spec.to_exchange = flag_from(at(record, "to_exchange"));
  read.spec.routing_key = text_from(at(record, "routing_key"));
  read.spec.arguments = table_from(at(record, "arguments"), 1);
  return read;
}

policy read_policy(const json& record, std::string_view name) {
  policy read;
  read.name = name;
  auto pattern = name_pattern::make(text_from(at(record, "pattern")));
  if (!pattern)
    throw unreadable{pattern.error().what};
  read.pattern = *std::move(pattern);
  read.apply_to = text_from(at(record, "apply_to"));
  read.priority = number_from<std::int64_t>(at(record, "priority"));
  read.definition = table_from(at(record, "definition"), 1);
  return read;
}

topology_record read_record(std::string_view key, const json& record) {
  if (!record.is_object())
    throw unreadable{"not a JSON object"};
  if (at(record, "version") != record_version)
    throw unreadable{"not a record of version 1"};
  const auto first = key.find('/');
  const auto second = first == key.npos ? first : key.find('/', first + 1);
  if (second == key.npos)
    throw unreadable{"the key has no '<kind>/<vhost>/' in front"};
  const auto kind = key.substr(0, first);
  const auto rest = key.substr(second + 1);
  auto vhost = unescaped(key.substr(first + 1, second - first - 1));
  if (kind == "exchange")
    return {std::move(vhost), read_exchange(record, rest)};
  if (kind == "queue")
    return {std::move(vhost), read_queue(record, rest)};
  if (kind == "binding")
    return {std::move(vhost), read_binding(record, rest)};
  if (kind == policy_word(policy_kind::standard))
    return {std::move(vhost), policy_record{policy_kind::standard, read_policy(record, rest)}};
  if (kind == policy_word(policy_kind::bounding))
    return {std::move(vhost), policy_record{policy_kind::bounding, read_policy(record, rest)}};
  throw unreadable{"the key begins with none of exchange, queue, binding, policy, operator_policy"};
}

std::string key_of(std::string_view kind, std::string_view vhost, std::string_view rest) {
  return std::string{kind}.append("/").append(escaped_vhost(vhost)).append("/").append(rest);
}

} // namespace

std::string exchange_key(std::string_view vhost, std::string_view name) { return key_of("exchange", vhost, name); }

std::string queue_key(std::string_view vhost, std::string_view name) { return key_of("queue", vhost, name); }

std::string binding_key(std::string_view vhost, binding_number number) {
  return key_of("binding", vhost, std::to_string(number));
}

std::string policy_key(policy_kind kind, std::string_view vhost, std::string_view name) {
  return key_of(policy_word(kind), vhost, name);
}

std::string encode_policy(const policy& what) {
  return json{{"version", record_version},
              {"pattern", escaped(what.pattern.text())},
              {"apply_to", what.apply_to},
              {"priority", what.priority},
              {"definition", table_json(what.definition)}}
      .dump();
}

std::string encode_exchange(const exchange_spec& spec, queue_number delay) {
  json record{{"version", record_version},
              {"type", escaped(spec.type)},
              {"auto_delete", spec.auto_delete},
              {"internal", spec.internal},
              {"arguments", table_json(spec.arguments)}};
  if (delay != 0)
    record["delay"] = delay;
  return record.dump();
}

std::string encode_queue(const queue_spec& spec, queue_number number) {
  return json{{"version", record_version},
              {"number", number},
              {"auto_delete", spec.auto_delete},
              {"arguments", table_json(spec.arguments)}}
      .dump();
}

std::string encode_binding(const binding_spec& spec) {
  return json{{"version", record_version},
              {"source", escaped(spec.source)},
              {"destination", escaped(spec.destination)},
              {"to_exchange", spec.to_exchange},
              {"routing_key", escaped(spec.routing_key)},
              {"arguments", table_json(spec.arguments)}}
      .dump();
}

expected<topology_record> decode_record(std::string_view key, std::string_view bytes) {
  const auto corrupt = [&](std::string_view why) {
    return error{errc::corrupt, "topology record '" + escaped(key) + "': " + std::string{why}};
  };
  const auto record = json::parse(bytes, nullptr, false);
  if (record.is_discarded())
    return corrupt("not JSON");
  try {
    return read_record(key, record);
  } catch (const unreadable& trouble) {
    return corrupt(trouble.why);
  }
}

} // namespace switchboard::broker
