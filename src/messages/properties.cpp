// Flags of the property list, from the highest bit down in the order of the list:
//   15 content-type  14 content-encoding  13 headers  12 delivery-mode  11 priority  10 correlation-id  9 reply-to
//    8 expiration     7 message-id         6 timestamp  5 type           4 user-id    3 app-id          2 cluster-id
//    1 unused         0 continuation (more flags follow: no class has that many)
#include "messages/properties.hpp"

#include "messages/wire.hpp"

namespace switchboard {

namespace {

constexpr std::uint8_t persistent_mode = 2;
constexpr unsigned unknown_flags = 0b11;

const error list_cut_off{errc::bad_format, "property list is cut off"};
const error left_over{errc::bad_format, "bytes left over after the property list"};
const error unknown_flag{errc::bad_format, "property flags that class basic doesn't have"};

/// Reads flags once, then each property in order if its flag is set.
class list_reader {
public:
  explicit list_reader(std::string_view bytes) : in_(bytes), flags_(in_.number<std::uint16_t>()) {}

  /// Is the next property there? Every property must be asked for, in order.
  bool next() noexcept { return (flags_ >> --bit_ & 1U) != 0; }

  std::string_view short_string() noexcept { return in_.short_string(); }
  std::string_view long_string() noexcept { return in_.long_string(); }
  std::uint8_t octet() noexcept { return in_.number<std::uint8_t>(); }
  std::uint64_t number64() noexcept { return in_.number<std::uint64_t>(); }

  std::string_view short_string_if_next() noexcept { return next() ? short_string() : std::string_view{}; }

  void read(std::optional<std::string>& to) {
    if (next())
      to = short_string();
  }
  void read(std::optional<std::uint8_t>& to) {
    if (next())
      to = octet();
  }
  void read(std::optional<std::uint64_t>& to) {
    if (next())
      to = number64();
  }

  expected<void> finish() const {
    if (!in_.ok())
      return list_cut_off;
    if (flags_ & unknown_flags)
      return unknown_flag;
    if (!in_.done())
      return left_over;
    return {};
  }

private:
  wire::reader in_;
  unsigned flags_;
  int bit_ = 16;
};

/// Appends each property that is there and collects its flag.
class list_writer {
public:
  void write(const std::optional<std::string>& text) {
    if (flag(text.has_value()))
      wire::put_short_string(list_, *text);
  }
  void write(const std::optional<field_table>& table) {
    if (!flag(table.has_value()))
      return;
    std::string fields;
    encode_fields(*table, fields);
    wire::put_long_string(list_, fields);
  }
  void write(const std::optional<std::uint8_t>& octet) {
    if (flag(octet.has_value()))
      wire::put(list_, *octet);
  }
  void write(const std::optional<std::uint64_t>& number) {
    if (flag(number.has_value()))
      wire::put(list_, *number);
  }

  std::string finish() const {
    std::string bytes;
    wire::put(bytes, static_cast<std::uint16_t>(flags_));
    return bytes + list_;
  }

private:
  bool flag(bool present) noexcept {
    --bit_;
    if (present)
      flags_ |= 1U << bit_;
    return present;
  }

  std::string list_;
  unsigned flags_ = 0;
  int bit_ = 16;
};

} // namespace

expected<basic_properties> decode_properties(std::string_view bytes) {
  list_reader in{bytes};
  basic_properties read;
  in.read(read.content_type);
  in.read(read.content_encoding);
  if (in.next()) {
    auto headers = decode_fields(in.long_string());
    if (!headers)
      return headers.error();
    read.headers = *std::move(headers);
  }
  in.read(read.delivery_mode);
  in.read(read.priority);
  in.read(read.correlation_id);
  in.read(read.reply_to);
  in.read(read.expiration);
  in.read(read.message_id);
  in.read(read.timestamp);
  in.read(read.type);
  in.read(read.user_id);
  in.read(read.app_id);
  in.read(read.cluster_id);
  if (auto whole = in.finish(); !whole)
    return whole.error();
  return read;
}

std::string encode_properties(const basic_properties& properties) {
  list_writer out;
  out.write(properties.content_type);
  out.write(properties.content_encoding);
  out.write(properties.headers);
  out.write(properties.delivery_mode);
  out.write(properties.priority);
  out.write(properties.correlation_id);
  out.write(properties.reply_to);
  out.write(properties.expiration);
  out.write(properties.message_id);
  out.write(properties.timestamp);
  out.write(properties.type);
  out.write(properties.user_id);
  out.write(properties.app_id);
  out.write(properties.cluster_id);
  return out.finish();
}

expected<property_glance> glance_properties(std::string_view bytes) {
  list_reader in{bytes};
  property_glance seen;
  in.short_string_if_next(); // content-type
  in.short_string_if_next(); // content-encoding
  if (in.next())
    seen.headers = in.long_string();
  if (in.next())
    seen.delivery_mode = in.octet();
  seen.persistent = seen.delivery_mode == persistent_mode;
  if (in.next())
    seen.priority = in.octet();
  seen.correlation_id = in.short_string_if_next();
  seen.reply_to = in.short_string_if_next();
  seen.has_expiration = in.next();
  if (seen.has_expiration)
    seen.expiration = in.short_string();
  seen.message_id = in.short_string_if_next();
  if (in.next())
    in.number64();           // timestamp
  in.short_string_if_next(); // type
  seen.has_user_id = in.next();
  if (seen.has_user_id)
    seen.user_id = in.short_string();
  in.short_string_if_next(); // app-id
  in.short_string_if_next(); // cluster-id
  if (auto whole = in.finish(); !whole)
    return whole.error();
  return seen;
}

} // namespace switchboard
