// The map of this file: lookups, then type names, then reading (values, arrays, tables, depth-counted), then writing.
#include "messages/field_table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "messages/wire.hpp"

namespace switchboard {

bool field_table::empty() const noexcept { return fields_.empty(); }

std::size_t field_table::size() const noexcept { return fields_.size(); }

const field_value* field_table::find(std::string_view name) const noexcept {
  const auto found = std::find_if(fields_.rbegin(), fields_.rend(), [&](const field& f) { return f.first == name; });
  return found == fields_.rend() ? nullptr : &found->second;
}

std::optional<std::string_view> field_table::text(std::string_view name) const noexcept {
  const auto* value = find(name);
  const auto* found = value ? value->as_string() : nullptr;
  return found ? std::optional<std::string_view>{*found} : std::nullopt;
}

void field_table::set(std::string name, field_value value) {
  const auto found = std::find_if(fields_.rbegin(), fields_.rend(), [&](const field& f) { return f.first == name; });
  if (found == fields_.rend())
    append(std::move(name), std::move(value));
  else
    found->second = std::move(value);
}

void field_table::append(std::string name, field_value value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

void field_table::sort() {
  std::stable_sort(fields_.begin(), fields_.end(),
                   [](const field& left, const field& right) { return left.first < right.first; });
}

void field_table::erase(std::string_view name) {
  std::erase_if(fields_, [&](const field& f) { return f.first == name; });
}

bool operator==(const field_table& left, const field_table& right) { return left.fields_ == right.fields_; }

std::optional<std::int64_t> field_value::as_integer() const noexcept {
  return std::visit(
      [](const auto& held) -> std::optional<std::int64_t> {
        using held_type = std::remove_cvref_t<decltype(held)>;
        if constexpr (std::is_integral_v<held_type> && !std::is_same_v<held_type, bool>) {
          if constexpr (std::is_same_v<held_type, std::uint64_t>) {
            if (held > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
              return std::nullopt;
          }
          return static_cast<std::int64_t>(held);
        } else {
          return std::nullopt;
        }
      },
      value);
}

std::optional<double> field_value::as_number() const noexcept {
  if (const auto* narrow = std::get_if<float>(&value))
    return *narrow;
  if (const auto* wide = std::get_if<double>(&value))
    return *wide;
  if (const auto* scaled = std::get_if<decimal>(&value))
    return static_cast<double>(static_cast<std::int32_t>(scaled->value)) / std::pow(10.0, scaled->scale);
  const auto integer = as_integer();
  return integer ? std::optional{static_cast<double>(*integer)} : std::nullopt;
}

std::string_view field_value::type_name() const noexcept {
  struct names {
    std::string_view operator()(std::monostate) const { return "void"; }
    std::string_view operator()(bool) const { return "bool"; }
    std::string_view operator()(std::int8_t) const { return "byte"; }
    std::string_view operator()(std::uint8_t) const { return "unsignedbyte"; }
    std::string_view operator()(std::int16_t) const { return "short"; }
    std::string_view operator()(std::uint16_t) const { return "unsignedshort"; }
    std::string_view operator()(std::int32_t) const { return "signedint"; }
    std::string_view operator()(std::uint32_t) const { return "unsignedint"; }
    std::string_view operator()(std::int64_t) const { return "long"; }
    std::string_view operator()(std::uint64_t) const { return "long"; }
    std::string_view operator()(float) const { return "float"; }
    std::string_view operator()(double) const { return "double"; }
    std::string_view operator()(const decimal&) const { return "decimal"; }
    std::string_view operator()(const std::string&) const { return "longstr"; }
    std::string_view operator()(const field_array&) const { return "array"; }
    std::string_view operator()(const timestamp&) const { return "timestamp"; }
    std::string_view operator()(const field_table&) const { return "table"; }
    std::string_view operator()(const byte_array&) const { return "binary"; }
  };
  return std::visit(names{}, value);
}

namespace {

using wire::reader;

const error table_cut_off{errc::bad_format, "field table is cut off"};
const error table_too_deep{errc::too_large, "field table nests deeper than 16"};
error unknown_type(char letter) {
  return {errc::bad_format, "unknown field type " + std::to_string(static_cast<unsigned char>(letter))};
}

/// Reads tables and keeps the first error. Recursion is bounded by field_depth_max; a nested length is checked against
/// the bytes at hand before anything inside is read, so no length of the wire ever becomes an allocation.
class table_reader {
public:
  field_table table(std::string_view bytes, int depth) {
    field_table made;
    if (!enter(depth))
      return made;
    reader in{bytes};
    while (!failed_ && !in.done()) {
      const auto name = in.short_string();
      auto read = value(in, depth);
      if (!failed_)
        made.append(std::string{name}, std::move(read));
    }
    return made;
  }

  expected<field_table> finish(field_table made) {
    if (failed_)
      return *failed_;
    return made;
  }

private:
  field_array array(std::string_view bytes, int depth) {
    field_array made;
    if (!enter(depth))
      return made;
    reader in{bytes};
    while (!failed_ && !in.done()) {
      auto read = value(in, depth);
      if (!failed_)
        made.push_back(std::move(read));
    }
    return made;
  }

  field_value value(reader& in, int depth) {
    const auto letter = static_cast<char>(in.number<std::uint8_t>());
    auto read = in.ok() ? typed(letter, in, depth) : field_value{};
    if (!in.ok())
      fail(table_cut_off);
    return read;
  }

  field_value typed(char letter, reader& in, int depth) {
    switch (letter) {
    case 'V':
      return {};
    case 't':
      return in.number<std::uint8_t>() != 0;
    case 'b':
      return static_cast<std::int8_t>(in.number<std::uint8_t>());
    case 'B':
      return in.number<std::uint8_t>();
    case 's':
      return static_cast<std::int16_t>(in.number<std::uint16_t>());
    case 'u':
      return in.number<std::uint16_t>();
    case 'I':
      return static_cast<std::int32_t>(in.number<std::uint32_t>());
    case 'i':
      return in.number<std::uint32_t>();
    case 'l':
      return static_cast<std::int64_t>(in.number<std::uint64_t>());
    case 'L':
      return in.number<std::uint64_t>();
    case 'f':
      return std::bit_cast<float>(in.number<std::uint32_t>());
    case 'd':
      return std::bit_cast<double>(in.number<std::uint64_t>());
    case 'D': {
      const auto scale = in.number<std::uint8_t>();
      return decimal{scale, in.number<std::uint32_t>()};
    }
    case 'S':
      return in.long_string();
    case 'A':
      return array(in.long_string(), depth + 1);
    case 'T':
      return timestamp{in.number<std::uint64_t>()};
    case 'F':
      return table(in.long_string(), depth + 1);
    case 'x':
      return byte_array{std::string{in.long_string()}};
    default:
      fail(unknown_type(letter));
      return {};
    }
  }

  bool enter(int depth) {
    if (depth > field_depth_max)
      fail(table_too_deep);
    return !failed_;
  }

  void fail(error why) {
    if (!failed_)
      failed_ = std::move(why);
  }

  std::optional<error> failed_;
};

/// The same walk without making anything: what table_reader takes is what this takes.
class table_checker {
public:
  expected<void> table(std::string_view bytes, int depth) { return fields(bytes, depth, /*named*/ true); }

private:
  expected<void> fields(std::string_view bytes, int depth, bool named) {
    if (depth > field_depth_max)
      return table_too_deep;
    reader in{bytes};
    while (!in.done()) {
      if (named)
        in.short_string();
      if (auto good = value(in, depth); !good)
        return good;
      if (!in.ok())
        return table_cut_off;
    }
    return {};
  }

  expected<void> value(reader& in, int depth) {
    const auto letter = static_cast<char>(in.number<std::uint8_t>());
    if (!in.ok())
      return table_cut_off;
    switch (letter) {
    case 'V':
      return {};
    case 't':
    case 'b':
    case 'B':
      return skip(in, 1);
    case 's':
    case 'u':
      return skip(in, 2);
    case 'I':
    case 'i':
    case 'f':
      return skip(in, 4);
    case 'D':
      return skip(in, 5);
    case 'l':
    case 'L':
    case 'd':
    case 'T':
      return skip(in, 8);
    case 'S':
    case 'x':
      in.long_string();
      return {};
    case 'A':
    case 'F':
      return fields(in.long_string(), depth + 1, letter == 'F');
    default:
      return unknown_type(letter);
    }
  }

  static expected<void> skip(reader& in, std::size_t size) {
    in.bytes(size);
    return {};
  }
};

/// Writes the type letter and the bytes of one value.
struct value_writer {
  std::string& out;

  void operator()(std::monostate) const { out += 'V'; }
  void operator()(bool held) const { put('t', static_cast<std::uint8_t>(held)); }
  void operator()(std::int8_t held) const { put('b', static_cast<std::uint8_t>(held)); }
  void operator()(std::uint8_t held) const { put('B', held); }
  void operator()(std::int16_t held) const { put('s', static_cast<std::uint16_t>(held)); }
  void operator()(std::uint16_t held) const { put('u', held); }
  void operator()(std::int32_t held) const { put('I', static_cast<std::uint32_t>(held)); }
  void operator()(std::uint32_t held) const { put('i', held); }
  void operator()(std::int64_t held) const { put('l', static_cast<std::uint64_t>(held)); }
  void operator()(std::uint64_t held) const { put('L', held); }
  void operator()(float held) const { put('f', std::bit_cast<std::uint32_t>(held)); }
  void operator()(double held) const { put('d', std::bit_cast<std::uint64_t>(held)); }
  void operator()(const decimal& held) const {
    put('D', held.scale);
    wire::put(out, held.value);
  }
  void operator()(const std::string& held) const { put_bytes('S', held); }
  void operator()(const byte_array& held) const { put_bytes('x', held.bytes); }
  void operator()(const timestamp& held) const { put('T', held.seconds); }
  void operator()(const field_table& held) const {
    put_nested('F', [&] { encode_fields(held, out); });
  }
  void operator()(const field_array& held) const {
    put_nested('A', [&] {
      for (const auto& each : held)
        std::visit(*this, each.value);
    });
  }

private:
  template <class Unsigned>
  void put(char letter, Unsigned bits) const {
    out += letter;
    wire::put(out, bits);
  }

  void put_bytes(char letter, std::string_view bytes) const {
    out += letter;
    wire::put_long_string(out, bytes);
  }

  // The length is known only afterwards: leave four bytes free and fill them in then.
  template <class Write>
  void put_nested(char letter, Write write) const {
    put(letter, std::uint32_t{0});
    const auto start = out.size();
    write();
    std::string length;
    wire::put(length, static_cast<std::uint32_t>(out.size() - start));
    out.replace(start - length.size(), length.size(), length);
  }
};

} // namespace

expected<field_table> decode_fields(std::string_view bytes) {
  table_reader in;
  auto made = in.table(bytes, 1);
  return in.finish(std::move(made));
}

expected<void> check_fields(std::string_view bytes) { return table_checker{}.table(bytes, 1); }

void encode_fields(const field_table& table, std::string& out) {
  for (const auto& [name, held] : table.fields()) {
    wire::put_short_string(out, name);
    std::visit(value_writer{out}, held.value);
  }
}

} // namespace switchboard
