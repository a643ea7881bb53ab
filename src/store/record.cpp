#include "store/record.hpp"

#include <libdeflate.h>

#include <cstring>

#include "messages/wire.hpp"

namespace switchboard::store {

namespace {

constexpr std::size_t message_head_bytes = 1 + 1 + 1 + 4; // persistent, sizes of exchange, routing key, properties

std::uint32_t checksum(std::string_view key, std::string_view payload) noexcept {
  auto sum = libdeflate_crc32(0, key.data(), key.size());
  // A null pointer is taken as the wish for a fresh sum.
  if (!payload.empty())
    sum = libdeflate_crc32(sum, payload.data(), payload.size());
  return sum;
}

void store_number(char* to, std::uint32_t value) noexcept {
  for (int i = 3; i >= 0; --i, value >>= 8)
    to[i] = static_cast<char>(value & 0xff);
}

void put_time(std::string& out, time_point at) {
  wire::put(out, static_cast<std::uint64_t>(at.time_since_epoch().count()));
}

time_point read_time(wire::reader& in) noexcept {
  return time_point{milliseconds{static_cast<std::int64_t>(in.number<std::uint64_t>())}};
}

/// Reads the payload and accepts it only if that used it up.
template <class Record>
std::optional<Record> decode(std::string_view key, std::string_view value) {
  const auto payload = unseal(key, value);
  if (!payload)
    return std::nullopt;
  wire::reader in{*payload};
  Record record;
  read_fields(in, record);
  if (!in.ok() || !in.done())
    return std::nullopt;
  return record;
}

} // namespace

void sealer::begin() { buffer_.assign(seal_bytes, '\0'); }

std::string_view sealer::finish(std::string_view key) {
  store_number(buffer_.data(), checksum(key, std::string_view{buffer_}.substr(seal_bytes)));
  return buffer_;
}

// Entity, journal line and reply begin with the time their index is sorted by: see indexed_time.

void put_fields(std::string& out, const entity_record& record) {
  put_time(out, record.created);
  put_time(out, record.updated);
  wire::put(out, record.state_version);
  wire::put(out, record.sequence);
  wire::put(out, record.epoch);
  wire::put_long_string(out, record.type);
  wire::put_long_string(out, record.id);
  wire::put_long_string(out, record.customer_id);
  wire::put_long_string(out, record.state);
}

void put_fields(std::string& out, const journal_record& record) {
  put_time(out, record.at);
  wire::put(out, record.sequence);
  wire::put(out, record.epoch);
  wire::put_long_string(out, record.type);
  wire::put_long_string(out, record.id);
  wire::put_long_string(out, record.bytes);
}

void put_fields(std::string& out, const reply_record& record) {
  put_time(out, record.expires);
  wire::put_long_string(out, record.scope);
  wire::put_long_string(out, record.message_id);
  wire::put_long_string(out, record.bytes);
}

void put_fields(std::string& out, const timer_record& record) {
  put_time(out, record.due);
  wire::put(out, record.epoch);
  wire::put_long_string(out, record.type);
  wire::put_long_string(out, record.id);
  wire::put_long_string(out, record.name);
  wire::put_long_string(out, record.payload);
}

void put_fields(std::string& out, const outbox_record& record) {
  wire::put(out, record.number);
  wire::put(out, record.epoch);
  wire::put_long_string(out, record.bytes);
}

void put_fields(std::string& out, const batch::topology_put& record) {
  wire::put_long_string(out, record.key);
  wire::put_long_string(out, record.bytes);
}

void read_fields(wire::reader& in, entity_record& record) {
  record.created = read_time(in);
  record.updated = read_time(in);
  record.state_version = in.number<std::uint32_t>();
  record.sequence = in.number<std::uint64_t>();
  record.epoch = in.number<std::uint64_t>();
  record.type = in.long_string();
  record.id = in.long_string();
  record.customer_id = in.long_string();
  record.state = in.long_string();
}

void read_fields(wire::reader& in, journal_record& record) {
  record.at = read_time(in);
  record.sequence = in.number<std::uint64_t>();
  record.epoch = in.number<std::uint64_t>();
  record.type = in.long_string();
  record.id = in.long_string();
  record.bytes = in.long_string();
}

void read_fields(wire::reader& in, reply_record& record) {
  record.expires = read_time(in);
  record.scope = in.long_string();
  record.message_id = in.long_string();
  record.bytes = in.long_string();
}

void read_fields(wire::reader& in, timer_record& record) {
  record.due = read_time(in);
  record.epoch = in.number<std::uint64_t>();
  record.type = in.long_string();
  record.id = in.long_string();
  record.name = in.long_string();
  record.payload = in.long_string();
}

void read_fields(wire::reader& in, outbox_record& record) {
  record.number = in.number<std::uint64_t>();
  record.epoch = in.number<std::uint64_t>();
  record.bytes = in.long_string();
}

void read_fields(wire::reader& in, batch::topology_put& record) {
  record.key = in.long_string();
  record.bytes = in.long_string();
}

std::string_view sealer::seal(std::string_view key, std::uint64_t number) {
  begin();
  wire::put(buffer_, number);
  return finish(key);
}

std::string_view sealer::seal(std::string_view key) {
  begin();
  return finish(key);
}

std::optional<std::string_view> unseal(std::string_view key, std::string_view value) noexcept {
  wire::reader in{value};
  const auto sum = in.number<std::uint32_t>();
  if (!in.ok())
    return std::nullopt;
  const auto payload = value.substr(seal_bytes);
  if (checksum(key, payload) != sum)
    return std::nullopt;
  return payload;
}

std::optional<entity_record> decode_entity(std::string_view key, std::string_view value) {
  return decode<entity_record>(key, value);
}

std::optional<journal_record> decode_journal(std::string_view key, std::string_view value) {
  return decode<journal_record>(key, value);
}

std::optional<reply_record> decode_reply(std::string_view key, std::string_view value) {
  return decode<reply_record>(key, value);
}

std::optional<timer_record> decode_timer(std::string_view key, std::string_view value) {
  return decode<timer_record>(key, value);
}

std::optional<outbox_record> decode_outbox(std::string_view key, std::string_view value) {
  return decode<outbox_record>(key, value);
}

std::optional<batch::topology_put> decode_topology(std::string_view key, std::string_view value) {
  return decode<batch::topology_put>(key, value);
}

std::optional<std::uint64_t> decode_number(std::string_view key, std::string_view value) {
  const auto payload = unseal(key, value);
  if (!payload)
    return std::nullopt;
  wire::reader in{*payload};
  const auto number = in.number<std::uint64_t>();
  return in.ok() && in.done() ? std::optional{number} : std::nullopt;
}

std::optional<stored_message> decode_message(std::string_view key, std::string_view value) {
  const auto payload = unseal(key, value);
  if (!payload)
    return std::nullopt;
  wire::reader place{key};
  stored_message found;
  found.queue = place.number<std::uint64_t>();
  found.at = place.number<std::uint64_t>();
  found.message = read_message(*payload);
  if (!found.message || !place.ok())
    return std::nullopt;
  return found;
}

message_ptr read_message(std::string_view fields) {
  wire::reader in{fields};
  const bool persistent = in.number<std::uint8_t>() != 0;
  const auto exchange_size = in.number<std::uint8_t>();
  const auto routing_key_size = in.number<std::uint8_t>();
  const auto properties_size = in.number<std::uint32_t>();
  const auto exchange = in.bytes(exchange_size);
  const auto routing_key = in.bytes(routing_key_size);
  const auto properties = in.bytes(properties_size);
  if (!in.ok())
    return {};
  const auto body_at = message_head_bytes + exchange_size + routing_key_size + properties_size;
  return make_message(exchange, routing_key, properties, fields.substr(body_at), persistent);
}

std::optional<time_point> indexed_time(std::string_view key, std::string_view value) noexcept {
  const auto payload = unseal(key, value);
  if (!payload)
    return std::nullopt;
  wire::reader in{*payload};
  const auto at = read_time(in);
  return in.ok() ? std::optional{at} : std::nullopt;
}

std::size_t message_value_bytes(const message& of) noexcept { return seal_bytes + message_fields_bytes(of); }

std::size_t message_fields_bytes(const message& of) noexcept {
  return message_head_bytes + of.exchange().size() + of.routing_key().size() + of.properties().size() +
         of.body().size();
}

void put_fields(std::string& out, const message& from) {
  wire::put(out, static_cast<std::uint8_t>(from.persistent() ? 1 : 0));
  wire::put(out, static_cast<std::uint8_t>(from.exchange().size()));
  wire::put(out, static_cast<std::uint8_t>(from.routing_key().size()));
  wire::put(out, static_cast<std::uint32_t>(from.properties().size()));
  for (const auto part : {from.exchange(), from.routing_key(), from.properties(), from.body()})
    out += part;
}

void write_message(std::string_view key, const message& from, char* to) noexcept {
  char* at = to + seal_bytes;
  *at++ = from.persistent() ? 1 : 0;
  *at++ = static_cast<char>(from.exchange().size());
  *at++ = static_cast<char>(from.routing_key().size());
  store_number(at, static_cast<std::uint32_t>(from.properties().size()));
  at += 4;
  for (const auto part : {from.exchange(), from.routing_key(), from.properties(), from.body()}) {
    if (!part.empty())
      std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  const auto* payload = to + seal_bytes;
  store_number(to, checksum(key, {payload, static_cast<std::size_t>(at - payload)}));
}

} // namespace switchboard::store
