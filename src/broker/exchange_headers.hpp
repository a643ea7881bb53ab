// Matching of header exchanges, as RabbitMQ 3.10.8 does it: fields are compared by name and value, numbers whatever
// their width, text whatever its type letter; an argument without value asks only for the header's presence. Names that
// begin with "x-" take no part unless x-match is all-with-x or any-with-x; x-match itself never does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/expected.hpp"
#include "messages/field_table.hpp"

namespace switchboard::broker {

/// One field of a table, read in place.
struct header_field {
  enum class kind : std::uint8_t { nothing, boolean, integer, large, real, text, other };

  std::string_view name;
  kind type = kind::nothing;
  std::int64_t integer = 0; ///< also boolean, and the bits of `large`, an unsigned number over 2^63-1
  double real = 0;
  std::string_view bytes; ///< text; of other types the letter and the bytes on the wire
};

/// True if both have the same value. NaN equals nothing.
bool same_value(const header_field& left, const header_field& right) noexcept;

/// Reads a table's bytes (without length) into `out`, sorted by name; views point into `bytes`. What can't be read, and
/// all after it, is left out.
void read_headers(std::string_view bytes, std::vector<header_field>& out);

/// The arguments of one binding, ready to be compared.
class header_pattern {
public:
  /// errc::precondition_failed, in AMQP's words, if x-match is none of its four values.
  static expected<void> check(const field_table& arguments);

  explicit header_pattern(const field_table& arguments);

  /// `headers` as read_headers() leaves them.
  bool matches(const std::vector<header_field>& headers) const noexcept;

private:
  std::shared_ptr<const std::string> bytes_; ///< what the fields' views point into, wherever this value moves
  std::vector<header_field> fields_;
  bool any_ = false;
};

} // namespace switchboard::broker
