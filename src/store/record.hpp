// Bytes of the store's records. Each value is a CRC-32 over key and payload, then the payload: a flipped bit is found,
// and so is a record that stands under another one's key. Pure. The README draws the layouts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/wire.hpp"
#include "store/store.hpp"

namespace switchboard::store {

inline constexpr std::size_t seal_bytes = 4; ///< the CRC in front of each payload

// The fields of a record, without its check. A message's body is the rest of its fields, so they need their size beside
// them where something follows.
void put_fields(std::string& out, const entity_record& record);
void put_fields(std::string& out, const journal_record& record);
void put_fields(std::string& out, const reply_record& record);
void put_fields(std::string& out, const timer_record& record);
void put_fields(std::string& out, const outbox_record& record);
void put_fields(std::string& out, const batch::topology_put& record);
void put_fields(std::string& out, const message& from);
std::size_t message_fields_bytes(const message& of) noexcept;

// The reader tells whether anything was cut off.
void read_fields(wire::reader& in, entity_record& record);
void read_fields(wire::reader& in, journal_record& record);
void read_fields(wire::reader& in, reply_record& record);
void read_fields(wire::reader& in, timer_record& record);
void read_fields(wire::reader& in, outbox_record& record);
void read_fields(wire::reader& in, batch::topology_put& record);
message_ptr read_message(std::string_view fields); ///< null if they are cut off

/// Builds sealed values in one buffer that is used again for the next. Not thread-safe.
class sealer {
public:
  /// The value of a record under `key`; valid until the next call.
  template <class Record>
  std::string_view seal(std::string_view key, const Record& record) {
    begin();
    put_fields(buffer_, record);
    return finish(key);
  }
  std::string_view seal(std::string_view key, std::uint64_t number); ///< table meta
  std::string_view seal(std::string_view key);                       ///< index entries: the key says it all

private:
  void begin();
  std::string_view finish(std::string_view key);

  std::string buffer_;
};

/// The payload of a value, or nothing if its check fails.
std::optional<std::string_view> unseal(std::string_view key, std::string_view value) noexcept;

// Each reads a sealed value; nothing if the check fails or the payload doesn't end where it should.
std::optional<entity_record> decode_entity(std::string_view key, std::string_view value);
std::optional<journal_record> decode_journal(std::string_view key, std::string_view value);
std::optional<reply_record> decode_reply(std::string_view key, std::string_view value);
std::optional<timer_record> decode_timer(std::string_view key, std::string_view value);
std::optional<outbox_record> decode_outbox(std::string_view key, std::string_view value);
std::optional<batch::topology_put> decode_topology(std::string_view key, std::string_view value);
std::optional<std::uint64_t> decode_number(std::string_view key, std::string_view value);
std::optional<stored_message> decode_message(std::string_view key, std::string_view value);

/// The time a record is indexed by (entity: created, journal line: at, reply: expires), read without the rest; nothing
/// if the record is damaged.
std::optional<time_point> indexed_time(std::string_view key, std::string_view value) noexcept;

/// Size of a message's value, and the value written straight into the page that LMDB reserved for it.
std::size_t message_value_bytes(const message& of) noexcept;
void write_message(std::string_view key, const message& from, char* to) noexcept;

} // namespace switchboard::store
