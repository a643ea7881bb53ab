#include "broker/topology_terms.hpp"

#include <charconv>

namespace switchboard::broker {

namespace {

/// Shortest digits that read back the same, always with a point, exponents without plus and zeros in front: 1.0e22.
std::string real_term(double value) {
  char room[64];
  std::string text{room, std::to_chars(room, room + sizeof room, value).ptr};
  auto exponent = text.find('e');
  if (exponent == text.npos)
    exponent = text.size();
  else
    for (auto digits = exponent + 2; text[exponent + 1] == '+' || text[digits] == '0';)
      text.erase(text[exponent + 1] == '+' ? exponent + 1 : digits, 1);
  if (text.find('.') == text.npos)
    text.insert(exponent, ".0");
  return text;
}

std::string tagged(const field_value& value) { return std::string{value.type_name()} + "," + erlang_term(value); }

struct printer {
  std::string operator()(std::monostate) const { return "undefined"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int8_t value) const { return std::to_string(value); }
  std::string operator()(std::uint8_t value) const { return std::to_string(value); }
  std::string operator()(std::int16_t value) const { return std::to_string(value); }
  std::string operator()(std::uint16_t value) const { return std::to_string(value); }
  std::string operator()(std::int32_t value) const { return std::to_string(value); }
  std::string operator()(std::uint32_t value) const { return std::to_string(value); }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(std::uint64_t value) const { return std::to_string(value); }
  std::string operator()(float value) const { return real_term(static_cast<double>(value)); }
  std::string operator()(double value) const { return real_term(value); }
  std::string operator()(const decimal& value) const {
    return "{" + std::to_string(value.scale) + "," + std::to_string(value.value) + "}";
  }
  std::string operator()(const std::string& value) const {
    return value.empty() ? "<<>>" : "<<" + erlang_string(value) + ">>";
  }
  std::string operator()(const byte_array& value) const { return (*this)(value.bytes); }
  std::string operator()(const timestamp& value) const { return std::to_string(value.seconds); }
  std::string operator()(const field_array& value) const {
    std::string text;
    for (const auto& each : value)
      text += (text.empty() ? "{" : ",{") + tagged(each) + "}";
    return "[" + text + "]";
  }
  std::string operator()(const field_table& value) const {
    std::string text;
    for (const auto& [name, each] : value.fields())
      text += (text.empty() ? "{" : ",{") + (*this)(name) + "," + tagged(each) + "}";
    return "[" + text + "]";
  }
};

} // namespace

std::string erlang_term(const field_value& value) { return std::visit(printer{}, value.value); }

std::string erlang_text(const field_value& value) {
  if (const auto* text = value.as_string())
    return *text;
  if (const auto* bytes = std::get_if<byte_array>(&value.value))
    return bytes->bytes;
  return erlang_term(value);
}

std::string erlang_string(std::string_view text) {
  std::string quoted{"\""};
  for (const char each : text) {
    if (each == '"' || each == '\\')
      quoted += '\\';
    quoted += each;
  }
  return quoted += '"';
}

} // namespace switchboard::broker
