// A line of an entity's journal: what it was told, with which clock and dice, who decided, what came of it, and a hash
// of the state from then on. From some lines on, those with a base, the state can be computed again; a line without
// one needs the line before it. Pure.
//
//   {"message":{…},"random":"…","by":{…},"outcome":{…},"state":{"version":1,"hash":"…","bytes":412},"base":{…}}
//     state: absent if it stayed as it was        base: the state before; {} if there was none
//     message null: nothing was decided, the state was taken back to an older version
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/envelope.hpp"
#include "runtime/hosted_types.hpp"
#include "store/store.hpp"

namespace switchboard::runtime {

/// XXH3, 64 bits.
std::uint64_t hash_of(std::string_view bytes);
/// 16 hex digits.
std::string hash_text(std::uint64_t hash);
/// Of a saved state: its bytes, their version and whose it is.
std::uint64_t state_hash(std::string_view bytes, std::uint32_t version, std::string_view customer_id);

/// Where a line stands among those of its entity's id: lives of one id follow one another. `number`: from 1 on.
std::uint64_t journal_sequence(time_point created, std::uint64_t number);

/// Every so many lines one carries a base, so that a page of a long history costs no more than a short one.
inline constexpr std::uint64_t base_interval = 256;
/// At least once in such a share of the window a line carries a base. Expiry waits for one share longer than the
/// window, so each line within the window has a base that is still there.
inline constexpr int base_shares = 8;
/// Whether the line of an outcome carries a base, for those two reasons.
bool needs_base(time_point before, std::uint64_t number, time_point at, milliseconds window);

/// The line of a decision. `before`: null if the line carries no base; `existed`: false if there was no state.
struct journal_terms {
  const hosted_type& by;
  std::uint64_t random = 0;
  const store::entity_record* base = nullptr; ///< the state before, if the line is to carry it
};
std::string journal_line(const entity_message& what, const decision& made, std::uint64_t number, bool existed,
                         const journal_terms& terms);
/// The line of a state that was taken back to an older version: `base` is that state.
std::string move_line(std::uint64_t number, const journal_terms& terms);

/// What a decision did, in short: what a replay must come to as well.
std::string outcome_json(const decision& made);

/// A line read back. Lines of builds before this one lack `by`, `hash` and `base`.
struct journal_entry {
  std::uint64_t sequence = 0;
  std::uint64_t number = 0; ///< of the outcome in the entity's life
  time_point at{};
  std::optional<entity_message> what; ///< empty: nothing was decided
  std::uint64_t random = 0;
  std::string plugin, version, settings_hash; ///< who decided
  json outcome;
  bool ended = false;
  std::optional<std::uint32_t> state_version; ///< empty: the state stayed
  std::optional<std::string> hash;            ///< of the state from then on
  struct base {
    bool existed = false;
    saved_state state;
    std::string customer_id;
    std::string settings; ///< with which it was decided
  };
  std::optional<base> from;
  json line; ///< as it was written
};
/// errc::corrupt.
expected<journal_entry> read_journal(const store::journal_record& from);

} // namespace switchboard::runtime
