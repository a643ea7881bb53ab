#include "store/log_record.hpp"

#include <xxhash.h>

#include <type_traits>
#include <utility>
#include <variant>

#include "messages/wire.hpp"
#include "store/record.hpp"

namespace switchboard::store {

namespace {

constexpr std::uint32_t log_magic = 0x53424c31; // "SBL1": the format's version too
constexpr std::size_t check_bytes = 8;
constexpr std::size_t log_head_bytes = check_bytes + 4 + 4 + 3 * 8; // check, magic, size of operations, stamp

std::size_t whole_pages(std::size_t bytes) noexcept {
  return (bytes + log_page_bytes - 1) / log_page_bytes * log_page_bytes;
}

std::uint64_t check_of(std::string_view record, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(record.data() + check_bytes, record.size() - check_bytes, seed);
}

/// Writes the fields of an operation behind its kind.
struct operation_writer {
  std::string& out;

  void operator()(const batch::message_put& put) const {
    wire::put(out, put.queue);
    wire::put(out, put.at);
    wire::put(out, static_cast<std::uint32_t>(message_fields_bytes(*put.message)));
    put_fields(out, *put.message);
  }
  void operator()(const batch::message_delete& gone) const {
    wire::put(out, gone.queue);
    wire::put(out, gone.at);
  }
  void operator()(const batch::queue_delete& all) const { wire::put(out, all.queue); }
  void operator()(const batch::topology_delete& gone) const { wire::put_long_string(out, gone.key); }
  void operator()(const batch::entity_delete& gone) const { texts(gone.type, gone.id); }
  void operator()(const batch::timer_delete& gone) const { texts(gone.type, gone.id, gone.name); }
  void operator()(const batch::timers_delete& all) const { texts(all.type, all.id); }
  void operator()(const batch::outbox_delete& gone) const { wire::put(out, gone.number); }
  template <class Record>
  void operator()(const Record& put) const {
    put_fields(out, put);
  }

private:
  template <class... Text>
  void texts(const Text&... text) const {
    (wire::put_long_string(out, text), ...);
  }
};

/// Reads what operation_writer wrote. False: it makes no sense.
struct operation_reader {
  wire::reader& in;

  bool operator()(batch::message_put& put) const {
    put.queue = in.number<std::uint64_t>();
    put.at = in.number<std::uint64_t>();
    put.message = read_message(in.long_string());
    return static_cast<bool>(put.message);
  }
  bool operator()(batch::message_delete& gone) const {
    gone.queue = in.number<std::uint64_t>();
    gone.at = in.number<std::uint64_t>();
    return true;
  }
  bool operator()(batch::queue_delete& all) const {
    all.queue = in.number<std::uint64_t>();
    return true;
  }
  bool operator()(batch::topology_delete& gone) const { return texts(gone.key); }
  bool operator()(batch::entity_delete& gone) const { return texts(gone.type, gone.id); }
  bool operator()(batch::timer_delete& gone) const { return texts(gone.type, gone.id, gone.name); }
  bool operator()(batch::timers_delete& all) const { return texts(all.type, all.id); }
  bool operator()(batch::outbox_delete& gone) const {
    gone.number = in.number<std::uint64_t>();
    return true;
  }
  template <class Record>
  bool operator()(Record& put) const {
    read_fields(in, put);
    return true;
  }

private:
  template <class... Text>
  bool texts(Text&... text) const {
    ((text = in.long_string()), ...);
    return true;
  }
};

/// Appends the operation of this kind. False: there is no such kind, or its fields make no sense.
template <std::size_t... Kind>
bool read_operation(operations& into, std::size_t kind, wire::reader& in, std::index_sequence<Kind...>) {
  const auto read = [&](auto made) {
    if (!operation_reader{in}(made) || !in.ok())
      return false;
    into.emplace_back(std::move(made));
    return true;
  };
  return ((kind == Kind && read(std::variant_alternative_t<Kind, batch::operation>{})) || ...);
}

void store_be(char* to, std::uint64_t value, int bytes) noexcept {
  for (int i = bytes - 1; i >= 0; --i, value >>= 8)
    to[i] = static_cast<char>(value & 0xff);
}

/// What stands in front of a record, its check not yet looked at.
struct log_head {
  std::uint64_t check = 0;
  std::size_t size = 0; // of head and operations
  log_stamp stamp;
};

std::optional<log_head> read_head(std::string_view bytes) noexcept {
  wire::reader in{bytes};
  log_head head;
  head.check = in.number<std::uint64_t>();
  const auto magic = in.number<std::uint32_t>();
  head.size = log_head_bytes + in.number<std::uint32_t>();
  head.stamp.sequence = in.number<std::uint64_t>();
  head.stamp.positions = in.number<std::uint64_t>();
  head.stamp.queue_numbers = in.number<std::uint64_t>();
  if (!in.ok() || magic != log_magic || head.size > bytes.size())
    return std::nullopt;
  return head;
}

/// Some of the record of group `sequence` stands here, though its check fails. Its sequence says so, or if that is what
/// was damaged, all the rest does. Older records and bodies look like neither.
bool begins_here(std::string_view bytes, std::uint64_t seed, std::uint64_t sequence) {
  constexpr std::size_t sequence_at = check_bytes + 8;
  if (bytes.size() < log_head_bytes)
    return false;
  wire::reader in{bytes.substr(sequence_at)};
  if (in.number<std::uint64_t>() == sequence)
    return true;
  const auto head = read_head(bytes);
  if (!head)
    return false;
  std::string mended{bytes.substr(0, head->size)};
  store_be(mended.data() + sequence_at, sequence, 8);
  return check_of(mended, seed) == head->check;
}

} // namespace

bool encode_group(std::string& out, std::uint64_t seed, const log_stamp& stamp, const operations& changes,
                  std::size_t bytes_max) {
  out.assign(check_bytes, '\0');
  wire::put(out, log_magic);
  wire::put(out, std::uint32_t{0}); // the size, known at the end
  wire::put(out, stamp.sequence);
  wire::put(out, stamp.positions);
  wire::put(out, stamp.queue_numbers);
  const operation_writer write{out};
  for (const auto& what : changes) {
    // A large body isn't copied only to find that it is too large.
    if (const auto* put = std::get_if<batch::message_put>(&what);
        put && out.size() + message_fields_bytes(*put->message) > bytes_max)
      return false;
    wire::put(out, static_cast<std::uint8_t>(what.index()));
    std::visit(write, what);
    if (out.size() > bytes_max)
      return false;
  }
  const auto size = out.size();
  if (whole_pages(size) > bytes_max)
    return false;
  store_be(out.data() + check_bytes + 4, size - log_head_bytes, 4);
  store_be(out.data(), check_of(out, seed), check_bytes);
  out.resize(whole_pages(size), '\0');
  return true;
}

std::optional<operations> decode_operations(std::string_view bytes) {
  constexpr std::make_index_sequence<std::variant_size_v<batch::operation>> kinds;
  operations found;
  wire::reader in{bytes};
  while (!in.done())
    if (!read_operation(found, in.number<std::uint8_t>(), in, kinds))
      return std::nullopt;
  return found;
}

std::optional<logged_group> decode_group(std::string_view bytes, std::uint64_t seed) {
  const auto head = read_head(bytes);
  if (!head)
    return std::nullopt;
  const auto record = bytes.substr(0, head->size);
  if (check_of(record, seed) != head->check)
    return std::nullopt;
  auto changes = decode_operations(record.substr(log_head_bytes));
  if (!changes)
    return std::nullopt;
  return logged_group{head->stamp, std::move(*changes), whole_pages(head->size)};
}

namespace {

/// Goes through a log in the order it was written.
struct log_reader {
  std::string_view file;
  std::uint64_t seed;
  std::uint64_t applied;
  log_contents found;
  std::optional<std::size_t> unread; // where a group should stand and doesn't
  std::size_t unread_pages = 0;      // since then

  /// False: the log is ahead.
  bool read(std::size_t at, std::size_t end) {
    const auto front = at;
    while (at < end) {
      // A record of an earlier round is as good as none; its check need not be looked at.
      const auto head = read_head(file.substr(at));
      auto group = head && head->stamp.sequence > applied ? decode_group(file.substr(at), seed) : std::nullopt;
      if (group && group->stamp.sequence < found.next) { // never, in a log that goes with these tables
        found.is_ahead = true;
        return false;
      }
      if (!group) {
        const bool may_begin = !unread || at == front;
        if (may_begin && begins_here(file.substr(at), seed, found.next))
          found.cut_at = at;
        unread = unread.value_or(at);
        ++unread_pages;
        at += log_page_bytes;
        continue;
      }
      at += group->bytes;
      if (!take(*std::move(group)))
        return false;
    }
    return true;
  }

  bool take(logged_group group) {
    if (const auto missing = group.stamp.sequence - found.next; missing > 0) {
      // Each has a page at least; with fewer pages than that they never stood here.
      found.is_ahead = missing > unread_pages;
      if (found.is_ahead)
        return false;
      found.damaged.push_back({found.next, group.stamp.sequence - 1, *unread});
    }
    unread.reset();
    unread_pages = 0;
    found.cut_at.reset();
    found.next = group.stamp.sequence + 1;
    found.groups.push_back(std::move(group));
    return true;
  }
};

} // namespace

log_contents read_log(std::string_view file, std::uint64_t seed, std::uint64_t applied, std::uint64_t begin) {
  log_reader reader{file, seed, applied, {}, {}, 0};
  reader.found.next = applied + 1;
  const auto from = begin < file.size() ? begin / log_page_bytes * log_page_bytes : 0;
  if (reader.read(from, file.size()))
    reader.read(0, from);
  return std::move(reader.found);
}

} // namespace switchboard::store
