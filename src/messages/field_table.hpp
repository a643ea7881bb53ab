// AMQP field tables with RabbitMQ's types (errata: t b B s u I i l L f d D S A T F V x) as plain values, and their
// bytes. Used for arguments, headers and peer properties. Pure; depth- and length-checked before anything is allocated.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/expected.hpp"

namespace switchboard {

struct field_value;

/// Fields in the order of the wire. Names are at most 255 bytes: a short string, as RabbitMQ takes them (the book says
/// 128). A name may stand twice on the wire: both are kept, so that the table is written back as it came, and the last
/// one counts.
class field_table {
public:
  using field = std::pair<std::string, field_value>;

  bool empty() const noexcept;
  std::size_t size() const noexcept;
  /// nullptr if there is none. Linear, as all of these: tables of the wire are short, and long ones cost only their
  /// sender.
  const field_value* find(std::string_view name) const noexcept;
  /// The text of that name, in the table; empty if there is none or it is something else.
  std::optional<std::string_view> text(std::string_view name) const noexcept;
  /// Replaces or appends.
  void set(std::string name, field_value value);
  /// Appends without a look at earlier fields: what the decoder needs to stay linear in the size of a hostile table.
  void append(std::string name, field_value value);
  /// By name; fields of one name stay in order. What RabbitMQ does to each table it writes into.
  void sort();
  /// Removes every field of that name.
  void erase(std::string_view name);
  const std::vector<field>& fields() const noexcept { return fields_; }

  friend bool operator==(const field_table&, const field_table&);

private:
  std::vector<field> fields_;
};

using field_array = std::vector<field_value>;

struct decimal {
  std::uint8_t scale = 0;
  std::uint32_t value = 0;
  friend bool operator==(const decimal&, const decimal&) = default;
};
struct timestamp {
  std::uint64_t seconds = 0; ///< since 1970-01-01 UTC
  friend bool operator==(const timestamp&, const timestamp&) = default;
};
struct byte_array {
  std::string bytes;
  friend bool operator==(const byte_array&, const byte_array&) = default;
};

/// One value. The alternative says the wire type, so a table that was read is written back byte for byte.
struct field_value {
  using variant = std::variant<std::monostate, // V
                               bool,           // t
                               std::int8_t,    // b
                               std::uint8_t,   // B
                               std::int16_t,   // s
                               std::uint16_t,  // u
                               std::int32_t,   // I
                               std::uint32_t,  // i
                               std::int64_t,   // l
                               std::uint64_t,  // L
                               float,          // f
                               double,         // d
                               decimal,        // D
                               std::string,    // S
                               field_array,    // A
                               timestamp,      // T
                               field_table,    // F
                               byte_array>;    // x
  variant value;

  field_value() = default;
  template <class T>
  requires(!std::same_as<std::remove_cvref_t<T>, field_value> && std::constructible_from<variant, T>) field_value(T&& v)
      : value(std::forward<T>(v)) {}
  field_value(const char* text) : value(std::string{text}) {}
  field_value(std::string_view text) : value(std::string{text}) {}

  const std::string* as_string() const noexcept { return std::get_if<std::string>(&value); }
  const bool* as_bool() const noexcept { return std::get_if<bool>(&value); }
  /// Any integer width as int64; empty for other types and for values over 2^63-1.
  std::optional<std::int64_t> as_integer() const noexcept;
  /// Any integer, floating point or decimal number.
  std::optional<double> as_number() const noexcept;
  /// Erlang's name of the type, as RabbitMQ prints it in errors: "longstr", "long", "signedint", … ('l' and 'L' are
  /// both "long", as there.)
  std::string_view type_name() const noexcept;

  friend bool operator==(const field_value&, const field_value&) = default;
};

/// How deep tables and arrays may nest; the outermost table is level 1. (One 128 KiB frame can hold 20,000 levels.)
inline constexpr int field_depth_max = 16;

/// Reads a table without its 4-byte length. errc::bad_format: cut off, unknown type; errc::too_large: deeper than
/// field_depth_max.
expected<field_table> decode_fields(std::string_view bytes);

/// Whether decode_fields would read it, with the same error if not; allocates nothing. For tables that are passed on
/// unread: whoever gets them later reads them.
expected<void> check_fields(std::string_view bytes);

/// Writes a table without its 4-byte length. Appends to `out`. Names over 255 bytes are cut.
void encode_fields(const field_table& table, std::string& out);

} // namespace switchboard
