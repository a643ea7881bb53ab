#include "store/key.hpp"

#include <openssl/evp.h>

#include <cstring>

namespace switchboard::store {

namespace {

constexpr std::size_t digest_bytes = 32;

/// Milliseconds since 1970 with the sign turned, so that times before 1970 sort before those after.
std::uint64_t sortable(time_point at) noexcept {
  return static_cast<std::uint64_t>(at.time_since_epoch().count()) ^ std::uint64_t{1} << 63;
}

} // namespace

key& key::raw(std::string_view bytes) noexcept {
  const auto fitting = bytes.substr(0, bytes_max - size_);
  if (!fitting.empty())
    std::memcpy(bytes_.data() + size_, fitting.data(), fitting.size());
  size_ += fitting.size();
  return *this;
}

key& key::number(std::uint64_t value) noexcept {
  char bytes[8];
  for (int i = 7; i >= 0; --i, value >>= 8)
    bytes[i] = static_cast<char>(value & 0xff);
  return raw({bytes, sizeof bytes});
}

key& key::time(time_point at) noexcept { return number(sortable(at)); }

key& key::time_descending(time_point at) noexcept { return number(~sortable(at)); }

key& key::part(std::string_view text) noexcept {
  const char size = static_cast<char>(text.size() < part_bytes_max ? text.size() : part_bytes_max);
  return raw({&size, 1}).last(text);
}

// A plain text is always shorter than text_bytes_max, a cut one exactly as long: the two can't be mistaken.
key& key::last(std::string_view text, std::size_t text_bytes_max) noexcept {
  if (text.size() < text_bytes_max)
    return raw(text);
  unsigned char digest[EVP_MAX_MD_SIZE] = {};
  EVP_Digest(text.data(), text.size(), digest, nullptr, EVP_sha256(), nullptr);
  return raw(text.substr(0, text_bytes_max - digest_bytes)).raw({reinterpret_cast<const char*>(digest), digest_bytes});
}

key message_key(queue_number queue, position at) noexcept { return key{}.number(queue).number(at); }

key queue_prefix(queue_number queue) noexcept { return key{}.number(queue); }

// LMDB refuses empty keys, so the text is never the whole key.
key topology_key(std::string_view name) noexcept { return key{}.raw("t").last(name, key::bytes_max - 1); }

key entity_prefix(std::string_view type) noexcept { return key{}.part(type); }

key entity_key(std::string_view type, std::string_view id) noexcept { return key{}.part(type).last(id); }

key entity_time_key(std::string_view type, time_point created, std::string_view id) noexcept {
  return key{}.part(type).time_descending(created).last(id);
}

key entity_key_of(std::string_view entry) noexcept {
  if (entry.empty())
    return key{};
  const auto type_bytes = 1 + static_cast<std::size_t>(static_cast<unsigned char>(entry[0]));
  if (entry.size() < type_bytes + time_bytes)
    return key{};
  return key{}.raw(entry.substr(0, type_bytes)).raw(entry.substr(type_bytes + time_bytes));
}

key journal_prefix(std::string_view type, std::string_view id) noexcept { return key{}.part(type).part(id); }

key journal_key(std::string_view type, std::string_view id, std::uint64_t sequence) noexcept {
  return journal_prefix(type, id).number(sequence);
}

key reply_key(std::string_view scope, std::string_view message_id) noexcept {
  return key{}.part(scope).last(message_id);
}

key timer_prefix(std::string_view type, std::string_view id) noexcept { return key{}.part(type).part(id); }

key timer_key(std::string_view type, std::string_view id, std::string_view name) noexcept {
  return timer_prefix(type, id).last(name);
}

key outbox_key(std::uint64_t number) noexcept { return key{}.number(number); }

key time_key(time_point at, std::string_view of) noexcept { return key{}.time(at).raw(of); }

} // namespace switchboard::store
