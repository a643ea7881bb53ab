// The map of this file: reading one field in place, comparing values, the pattern of a binding.
#include "broker/exchange_headers.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

#include "broker/amqp_reply.hpp"
#include "broker/topology_terms.hpp"
#include "messages/wire.hpp"

namespace switchboard::broker {

namespace {

using wire::reader;
using kind = header_field::kind;

void set_unsigned(header_field& to, std::uint64_t value) {
  to.integer = static_cast<std::int64_t>(value);
  to.type = to.integer < 0 ? kind::large : kind::integer;
}

void set_integer(header_field& to, std::int64_t value) {
  to.integer = value;
  to.type = kind::integer;
}

void set_real(header_field& to, double value) {
  to.real = value;
  to.type = kind::real;
}

/// The letter and so many bytes after it, compared as they are.
void set_other(header_field& to, const char* letter, std::size_t size) {
  to.bytes = {letter, size + 1};
  to.type = kind::other;
}

/// False if the letter is unknown.
bool read_value(reader& in, const char* at, header_field& to) {
  switch (in.number<std::uint8_t>()) {
  case 'V':
    return true;
  case 't':
    to.type = kind::boolean;
    to.integer = in.number<std::uint8_t>() != 0;
    return true;
  case 'b':
    set_integer(to, static_cast<std::int8_t>(in.number<std::uint8_t>()));
    return true;
  case 'B':
    set_integer(to, in.number<std::uint8_t>());
    return true;
  case 's':
    set_integer(to, static_cast<std::int16_t>(in.number<std::uint16_t>()));
    return true;
  case 'u':
    set_integer(to, in.number<std::uint16_t>());
    return true;
  case 'I':
    set_integer(to, static_cast<std::int32_t>(in.number<std::uint32_t>()));
    return true;
  case 'i':
    set_integer(to, in.number<std::uint32_t>());
    return true;
  case 'l':
    set_integer(to, static_cast<std::int64_t>(in.number<std::uint64_t>()));
    return true;
  case 'L':
  case 'T': // RabbitMQ keeps a timestamp as the number it is
    set_unsigned(to, in.number<std::uint64_t>());
    return true;
  case 'f':
    set_real(to, std::bit_cast<float>(in.number<std::uint32_t>()));
    return true;
  case 'd':
    set_real(to, std::bit_cast<double>(in.number<std::uint64_t>()));
    return true;
  case 'S':
  case 'x':
    to.type = kind::text;
    to.bytes = in.long_string();
    return true;
  case 'D':
    static_cast<void>(in.number<std::uint8_t>());
    static_cast<void>(in.number<std::uint32_t>());
    set_other(to, at, 5);
    return true;
  case 'A':
  case 'F':
    set_other(to, at, 4 + in.long_string().size());
    return true;
  default:
    return false;
  }
}

bool is_integer(kind type) noexcept { return type == kind::integer || type == kind::large; }

// long double holds every 64-bit integer exactly on the platforms we build for, so no two numbers become equal here.
static_assert(std::numeric_limits<long double>::digits >= 64);
long double as_number(const header_field& field) noexcept {
  if (field.type == kind::real)
    return field.real;
  if (field.type == kind::large)
    return static_cast<long double>(static_cast<std::uint64_t>(field.integer));
  return static_cast<long double>(field.integer);
}

constexpr std::string_view match_name = "x-match";

} // namespace

bool same_value(const header_field& left, const header_field& right) noexcept {
  if (left.type != right.type) {
    const bool mixed =
        (is_integer(left.type) && right.type == kind::real) || (left.type == kind::real && is_integer(right.type));
    return mixed && as_number(left) == as_number(right);
  }
  switch (left.type) {
  case kind::nothing:
    return true;
  case kind::boolean:
  case kind::integer:
  case kind::large:
    return left.integer == right.integer;
  case kind::real:
    return left.real == right.real;
  case kind::text:
  case kind::other:
    return left.bytes == right.bytes;
  }
  return false;
}

void read_headers(std::string_view bytes, std::vector<header_field>& out) {
  out.clear();
  reader in{bytes};
  while (!in.done()) {
    header_field field;
    field.name = in.short_string();
    const auto* letter = field.name.data() + field.name.size();
    if (!in.ok() || !read_value(in, letter, field) || !in.ok())
      break;
    out.push_back(field);
  }
  // Insertion sort keeps fields of one name in order without std::stable_sort's buffer; a table long enough for that to
  // be slow gets the buffer.
  const auto by_name = [](const header_field& left, const header_field& right) { return left.name < right.name; };
  if (out.size() > 32) {
    std::stable_sort(out.begin(), out.end(), by_name);
    return;
  }
  for (auto at = out.begin(); at != out.end(); ++at)
    std::rotate(std::upper_bound(out.begin(), at, *at, by_name), at, at + 1);
}

expected<void> header_pattern::check(const field_table& arguments) {
  const auto* match = arguments.find(match_name);
  if (!match)
    return {};
  const auto* text = match->as_string();
  if (!text)
    return precondition_failed("Invalid x-match field type " + std::string{match->type_name()} + " (value " +
                               erlang_term(*match) + "); expected longstr");
  if (*text == "all" || *text == "any" || *text == "all-with-x" || *text == "any-with-x")
    return {};
  return precondition_failed("Invalid x-match field value " + erlang_term(*match) +
                             "; expected all, any, all-with-x, or any-with-x");
}

header_pattern::header_pattern(const field_table& arguments) {
  std::string bytes;
  encode_fields(arguments, bytes);
  bytes_ = std::make_shared<const std::string>(std::move(bytes));
  read_headers(*bytes_, fields_);
  const auto word = arguments.text(match_name);
  any_ = word && word->starts_with("any");
  const bool with_x = word && word->ends_with("-with-x");
  std::erase_if(fields_, [&](const header_field& field) {
    return field.name == match_name || (!with_x && field.name.starts_with("x-"));
  });
}

// Both sides are sorted by name, so that each header is looked at once: `at` only moves forward.
bool header_pattern::matches(const std::vector<header_field>& headers) const noexcept {
  auto at = headers.begin();
  for (const auto& wanted : fields_) {
    at = std::lower_bound(at, headers.end(), wanted.name,
                          [](const header_field& field, std::string_view name) { return field.name < name; });
    const bool there = at != headers.end() && at->name == wanted.name;
    const bool same = there && (wanted.type == header_field::kind::nothing || same_value(wanted, *at));
    if (same == any_)
      return any_;
    if (there)
      ++at;
  }
  return !any_;
}

} // namespace switchboard::broker
